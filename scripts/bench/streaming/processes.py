"""Several processes of ctr score in one group: what they do and what they cost."""

import os
import signal
import subprocess
import time
from pathlib import Path

from .bench import say

SECTION = "streaming-processes"
PARTITIONS = 8
TIMES = 4  # as many rows as the other parts: a run is to take some seconds
HEADERS = 1000  # bytes of files in which there is no row yet, at most
LIMIT = 300  # seconds a run may take
NODE = Path(os.environ.get("KRUN", "")) / "1"  # kafka.sh keeps the broker there


class Failed(Exception):
    """A run did not come to its end; the text says why."""


def run(bench):
    rows, topic = TIMES * bench.rows, "processes"
    model = bench.train("processes-model", bench.sample())
    bench.fill(topic, bench.synthetic(), PARTITIONS, rows)
    inside = size(logs(topic)) / rows
    measured(bench, topic, model, rows, 1, attempt="-warm")  # the broker's machine code comes with its first readers
    runs = [measured(bench, topic, model, rows, n) for n in (1, 2, 4)]
    bench.run(bench.ctr, "topics", "create", "processes-out", "--partitions", PARTITIONS, "--replication", 1, "--brokers", bench.broker)
    runs += [measured(bench, topic, model, rows, 1, "processes-out")]
    yield f"{rows:,} rows of {inside:.0f} bytes in a topic of {PARTITIONS} partitions; from the first prediction written to the last"
    yield "CPU seconds a million rows, start and end of the processes included; memory is the most of one process"
    yield ""
    yield f"{'':44}{'rows/s, k':>10}{'CPU s, ctr':>12}{'CPU s, broker':>15}{'MB each':>9}{'bytes out':>11}"
    for name, r in runs:
        yield (f"{name:44}{r['rate'] / 1e3:>10,.0f}{r['cpu'] / rows * 1e6:>12.2f}{r['broker'] / rows * 1e6:>15.2f}"
               f"{r['peak'] / 2**20:>9,.0f}{r['out'] / rows:>11.0f}")
    yield f"the broker's memory: {broker_status('VmHWM') / 1024:,.0f} MB at most (heap {os.environ.get('KHEAP', '?')})"


def measured(bench, topic, model, rows, n, to=None, attempt=""):
    """One run: n processes to CSV, or exactly once to a topic."""
    name = f"{n} process{'es' if n > 1 else ''}, {'to a topic, exactly once' if to else 'to CSV'}"
    say(name)
    group = f"processes-{n}{'-topic' if to else ''}{attempt}"
    outputs = [bench.folder / f"{group}-{i}.csv" for i in range(n)]
    before = broker_cpu()
    more = ["--delivery", "exactly-once", "--create"] if to else []
    with open(bench.folder / "score.log", "w") as log:
        started = [subprocess.Popen([*bench.scoring(topic, group, model, f"kafka:{to}" if to else o), *more],
                                    stdout=subprocess.DEVNULL, stderr=log) for o in outputs]
    written = (lambda: size(logs(to))) if to else (lambda: size(outputs))
    try:
        begin, end, costs = watch(started, written)
    except Failed as why:
        raise SystemExit(f"{name}: {why}\n{(bench.folder / 'score.log').read_text()[-2000:]}") from None
    out = written()
    if not to:
        # At least once may repeat where a partition moves, and must not lose.
        outputs = [o for o in outputs if o.exists()]
        got = sum(lines(o) - 1 for o in outputs)
        if got < rows:
            raise SystemExit(f"{name}: {got} rows, want {rows}")
        if got > rows:
            name += f", {got - rows:,} repeated"
        for o in outputs:
            o.unlink()
    say(f"{rows / (end - begin) / 1e3:,.0f} k rows/s")
    return name, {"rate": rows / (end - begin), "cpu": sum(c.ru_utime + c.ru_stime for c in costs), "broker": broker_cpu() - before,
                  "peak": max(c.ru_maxrss for c in costs) * 1024, "out": out}


def watch(started, written):
    """Until all have ended: when the first and the last bytes were written, and
    what each process cost."""
    began, begin, end, last = time.monotonic(), None, None, 0
    costs, running = [], {p.pid: p for p in started}
    try:
        while running:
            time.sleep(0.01)
            now, bytes_now = time.monotonic(), written()
            if bytes_now > last:
                if begin is None and bytes_now > HEADERS:
                    begin = now
                end, last = now, bytes_now
            for pid in list(running):
                done, status, cost = os.wait4(pid, os.WNOHANG)
                if done:
                    running.pop(pid).returncode = code = os.waitstatus_to_exitcode(status)
                    costs.append(cost)
                    if code:
                        raise Failed(f"exit {code}")
            if now - began > LIMIT:
                raise Failed(f"not done after {LIMIT} s")
    finally:
        for p in running.values():
            p.send_signal(signal.SIGKILL)
            p.wait()
    if begin is None or end <= begin:
        raise Failed("has written nothing, or all at once")
    return begin, end, costs


def logs(topic):
    """The files of a topic's records on the broker, but no other topic's."""
    return [f for d in (NODE / "data").glob(f"{topic}-*") if d.name[len(topic) + 1:].isdigit() for f in d.glob("*.log")]


def size(paths):
    return sum(p.stat().st_size for p in paths if p.exists())


def lines(path):
    with open(path, "rb") as f:
        return sum(block.count(b"\n") for block in iter(lambda: f.read(1 << 20), b""))


def broker_cpu():
    """CPU seconds of the broker so far."""
    text = Path(f"/proc/{broker_pid()}/stat").read_text().rpartition(")")[2].split()
    return (int(text[11]) + int(text[12])) / os.sysconf("SC_CLK_TCK")


def broker_status(name):
    text = Path(f"/proc/{broker_pid()}/status").read_text()
    return next(int(t.split()[1]) for t in text.splitlines() if t.startswith(name + ":"))


def broker_pid():
    return (NODE / "pid").read_text().strip()
