"""Where and when figures were taken, and how they get into a document."""

import datetime
import os
import platform
import re
import subprocess
from importlib import metadata

PEERS = ("scikit-learn", "vowpalwabbit", "liblinear-multicore", "lightgbm", "xgboost", "pyspark", "numpy", "pandas", "pyarrow")


def processor():
    with open("/proc/cpuinfo") as f:
        return next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), platform.machine())


def memory_gib():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def output(*command, cwd=None):
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True).stdout.strip()


def describe(ctr, root, load=None):
    """Lines that say when, where and with what. load is the machine's load
    average before the runs, None where the figures don't depend on it."""
    commit = output("git", "rev-parse", "--short=12", "HEAD", cwd=root)
    if output("git", "status", "--porcelain", "--untracked-files=no", cwd=root):
        commit += " with local changes"
    peers = [f"{p} {v}" for p in PEERS if (v := version(p))]
    busy = "" if load is None else f"; load average before the runs {load:.1f} (5 minutes)"
    return [
        f"{datetime.date.today().isoformat()}, commit {commit}, {output(str(ctr), 'version').splitlines()[0]}.",
        f"{processor()}, {os.cpu_count()} cores, {memory_gib():.0f} GiB, {platform.system()}{busy}.",
        ", ".join([f"Python {platform.python_version()}", *peers]) + ".",
        "",
    ]


def put(path, section, text):
    """Replaces what stands between the markers of a section of a document."""
    begin, end = f"<!-- bench:{section}:begin -->", f"<!-- bench:{section}:end -->"
    document = path.read_text()
    if document.count(begin) != 1 or document.count(end) != 1:
        raise SystemExit(f"{path}: want {begin} and {end}, once each")
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    path.write_text(pattern.sub(lambda _: f"{begin}\n{text}\n{end}", document))
