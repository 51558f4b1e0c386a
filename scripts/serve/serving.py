"""A `ctr serve` under test, and rows for it (standard library alone)."""

import re
import subprocess
import time
from pathlib import Path

COLUMNS = 24


class Failed(SystemExit):
    """What a check found, as the program's last words."""


def rows(ctr, folder, name="rows.csv", count=3000, seed=1):
    """A file of synthetic rows with a header."""
    path = Path(folder) / name
    subprocess.run([ctr, "synth", "--rows", str(count), "--seed", str(seed), "--out", path], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return path


def train(ctr, data, out, *flags):
    subprocess.run([ctr, "train", data, "--split", "none", "--quiet", "--out", out, *flags], check=True, stdout=subprocess.DEVNULL)
    return out


def as_dicts(path):
    """The rows of a CSV file as dictionaries, without their labels."""
    header, *lines = Path(path).read_text().splitlines()
    names = header.split(",")
    found = [dict(zip(names, line.split(","), strict=True)) for line in lines]
    for row in found:
        row.pop("click", None)
    return found


class Server:
    """Runs ctr serve with flags, on a free port, until the with block ends."""

    def __init__(self, ctr, folder, *flags, env=None):
        self.log = Path(folder) / "serve.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([ctr, "serve", "--listen", "127.0.0.1:0", *map(str, flags)], stdout=subprocess.DEVNULL, stderr=log, env=env)
        for _ in range(600):
            found = re.search(r"https?://([\d.]+):(\d+)", self.log.read_text())
            if found:
                self.host, self.port = found[1], int(found[2])
                self.url = f"http://{self.host}:{self.port}"
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise Failed(f"serve did not start: {self.log.read_text()}")

    def memory_mb(self, what="VmRSS"):
        """Resident memory in MB, now or (VmHWM) at most so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{what}:\s+(\d+)", status)[1]) / 1024

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        alive = self.process.poll() is None
        self.process.terminate()
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failed("serve did not stop within 30 s of SIGTERM") from None
        if kind is None:
            text = self.log.read_text()
            if not alive or code != 0:
                raise Failed(f"serve ended with {code}: {text[-3000:]}")
            if "panic" in text or "DATA RACE" in text:
                raise Failed(f"serve said: {text[-3000:]}")
