"""Watches ctr for a long time: its memory and its lag.

    soak.py --ctr ./ctr --brokers HOST:PORT --dir DIR --minutes 60 --rate 20000

`ctr replay --loop` sends rows at a fixed rate; one `ctr score` writes them to
predictions.csv at least once, another to a topic exactly once. Every ten seconds
the resident memory of the three is read from /proc, and the lag from --http's
/status. Prints a table and the growth over the last half, by least squares, in
MB a minute (1 MB = 10**6 bytes). Exit code 1 where a scorer grows by 1 MB a
minute or more, where its lag grows, where it ends before its time, or where rows
went missing, which the last lines say.
"""

import argparse
import json
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import time
import urllib.request

EVERY = 10  # seconds between two looks


def resident(pid):
    """Resident memory in MB, and the part of it that is no file's."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return [int(re.search(rf"{key}:\s+(\d+) kB", text)[1]) * 1024 / 1e6 for key in ("VmRSS", "RssAnon")]


def slope(times, values):
    """Growth a minute, by least squares."""
    return statistics.linear_regression([t / 60 for t in times], values).slope


def status(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=5) as answer:
        return json.load(answer)


class Watched:
    def __init__(self, name, command, log, port=None):
        self.name, self.port = name, port
        self.log = open(log, "w")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT)
        self.times, self.rss, self.anon, self.lag, self.rows = [], [], [], [], []

    def look(self, now):
        if self.process.poll() is not None:
            sys.exit(f"soak: {self.name}: ended with code {self.process.returncode} after {now:.0f} s; see {self.log.name}:\n"
                     + "".join(open(self.log.name).readlines()[-5:]))
        rss, anon = resident(self.process.pid)
        self.times.append(now)
        self.rss.append(rss)
        self.anon.append(anon)
        if self.port:
            s = status(self.port)
            self.lag.append(s["lag"])
            self.rows.append(s["rows"])

    def half(self, values):
        """The last half of the looks: times and values."""
        n = len(self.times) // 2
        return self.times[n:], values[n:]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        if code:
            sys.exit(f"soak: {self.name}: ended with code {code}; see {self.log.name}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--ctr", required=True)
    p.add_argument("--brokers", required=True)
    p.add_argument("--dir", required=True, type=pathlib.Path)
    p.add_argument("--minutes", type=float, default=60)
    p.add_argument("--rate", type=int, default=20000)
    p.add_argument("--port", type=int, default=19694, help="the first of two ports on loopback for --http")
    o = p.parse_args()
    ctr = str(pathlib.Path(o.ctr).resolve())

    def run(*args):
        subprocess.run([ctr, *args], check=True, cwd=o.dir, stdout=sys.stderr)

    run("synth", "--rows", "500000", "--seed", "11", "--out", "rows.csv", "--quiet")
    run("train", "rows.csv", "--rows", "200000", "--quiet")
    for topic in ("in", "out"):
        run("topics", "create", topic, "--brokers", o.brokers, "--partitions", "4", "--replication", "1", "--quiet")
    score = [ctr, "score", "--brokers", o.brokers, "--topic", "in", "--model", str(o.dir / "model.ctr"), "--quiet"]
    scorers = [
        Watched("score to CSV", [*score, "--group", "csv", "--output", str(o.dir / "p.csv"), "--http", str(o.port)], o.dir / "csv.log", o.port),
        Watched("score to a topic, exactly once", [*score, "--group", "topic", "--output", "kafka:out", "--delivery", "exactly-once", "--http", str(o.port + 1)], o.dir / "topic.log", o.port + 1),
    ]
    replay = Watched("replay", [ctr, "replay", str(o.dir / "rows.csv"), "--brokers", o.brokers, "--topic", "in", "--rate", str(o.rate), "--loop", "--json"], o.dir / "replay.log")
    all_of = [*scorers, replay]
    began = time.monotonic()
    while (now := time.monotonic() - began) < o.minutes * 60:
        time.sleep(EVERY - now % EVERY)
        for w in all_of:
            w.look(time.monotonic() - began)
        if len(replay.times) % 30 == 0:
            print(f"{now / 60:5.1f} min:", *(f"{w.name} {w.rss[-1]:.0f} MB" + (f", lag {w.lag[-1]:,}" if w.lag else "") + ";" for w in all_of), file=sys.stderr, flush=True)
    replay.stop()
    time.sleep(3)
    sent = int(re.search(r'"acknowledged": (\d+)', open(replay.log.name).read())[1])
    counts = [status(w.port)["rows"] for w in scorers]
    for w in scorers:
        w.stop()

    bad = []
    print(f"{sent:,} rows sent in {o.minutes:g} minutes, {sent / o.minutes / 60:,.0f} a second, on 4 partitions; a look every {EVERY} s\n")
    print(f"{'':32}{'resident MB':>28}{'MB a minute':>16}{'lag, rows':>26}")
    print(f"{'':32}{'10 min':>10}{'half':>8}{'end':>10}{'of last half':>16}{'median':>10}{'p99':>8}{'last':>8}")
    for w in all_of:
        times, rss = w.half(w.rss)
        grows = slope(times, rss)
        at = lambda share: w.rss[min(len(w.rss) - 1, int(len(w.rss) * share))]
        line = f"{w.name:32}{at(min(1, 10 / o.minutes)):>10.1f}{at(.5):>8.1f}{w.rss[-1]:>10.1f}{grows:>16.3f}"
        if w.lag:
            _, lag = w.half(w.lag)
            flat = slope(times, lag)
            line += f"{statistics.median(lag):>10,.0f}{statistics.quantiles(lag, n=100)[98]:>8,.0f}{lag[-1]:>8,}"
            if flat > o.rate / 60 or statistics.median(lag) > o.rate:
                bad.append(f"{w.name}: its lag grows by {flat:,.0f} rows a minute, median {statistics.median(lag):,.0f}")
        print(line)
        if grows >= 1:
            bad.append(f"{w.name}: grows by {grows:.2f} MB a minute")
    for w, n in zip(scorers, counts):
        print(f"{w.name}: {n:,} rows scored")
        if n != sent:
            bad.append(f"{w.name}: {n:,} of {sent:,} rows")
    for text in bad:
        print("too much: " + text)
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
