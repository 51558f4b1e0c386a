"""Kills scorers and brokers at random and counts what became of every record.

    chaos.py --ctr build/ctr-failpoints --mode exactly-once --kills 20 --seed 7

Two brokers of Apache Kafka with replication factor 2, `ctr replay` at --rate rows
a second, three `ctr score` in one group. Until --kills scorers have been killed:
kill -9 (from outside at a random time, or from inside at a point between two
steps), SIGSTOP for longer than the session timeout, SIGTERM (a rebalance), brokers
killed and started again while every partition has all its replicas, connections
cut. Then the rest is scored, and the output is read by Kafka's own console consumer
with read_committed (or the CSV files are). A record is known by its partition and
offset in the input. Exit code 1 where one is lost or, exactly once, repeated; a
scorer that ends by an error is started again, as whoever runs it would, and told.

The actions follow from --seed, which is printed; when they meet what the
processes do is up to the machine.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
KAFKA = HERE.parent / "e2e" / "kafka.sh"
BROKERS = "127.0.0.1:19191,127.0.0.1:19192"
PARTITIONS, SESSION = 6, 6
# Points between two steps, and how often one is passed by before the kill at most.
FILE = {"written": 500, "flushed": 4, "committed": 4}
POINTS = {"at-least-once": FILE, "csv": FILE, "folder": {**FILE, "segment: sync": 20, "segment: truncate": 6, "segment: rename": 6, "segment: sync folder": 6},
          "exactly-once": {"written": 500, "flushed": 30, "offsets added": 30, "transaction ended": 30, "committed": 30}}
# A kill at one of these is one between write and commit.
BETWEEN = {"written", "flushed", "offsets added", "committed before flush", "segment: sync"}
ONCE = {"exactly-once", "folder"}


def say(*words):
    print(time.strftime("%H:%M:%S"), *words, file=sys.stderr, flush=True)


def kafka(*args, **kw):
    return subprocess.run([str(KAFKA), *args], check=True, text=True, stdout=subprocess.PIPE, **kw).stdout


class Scorer:
    """One place of the group; its process is started again when it ends."""

    def __init__(self, chaos, number):
        self.chaos, self.number, self.process, self.stopped = chaos, number, None, False
        self.starts = 0

    def start(self):
        c, env = self.chaos, dict(os.environ, CTR_BROKERS=BROKERS, CTR_FAILPOINT_LOG=str(self.chaos.dir / "points"))
        points = []
        if c.random.random() < 0.9:
            name = c.random.choice(list(POINTS[c.mode]))
            points.append(f"{name}:{c.random.randint(1, POINTS[c.mode][name])}")
        if c.o.bug:
            points.append(f"bug={c.o.bug}")
            if c.o.bug == "commit-before-flush":
                points.append(f"committed before flush:{c.random.randint(1, 4)}")
        env["CTR_FAILPOINTS"] = ",".join(points)
        self.starts += 1
        with open(self.log(), "ab") as log:
            self.process = subprocess.Popen(c.score_args(self.number), env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, cwd=c.dir)
        self.stopped = False

    def look(self):
        """Counts and starts again a process that has ended."""
        code = self.process.poll()
        if code is None:
            return
        if code == -signal.SIGKILL:
            self.chaos.killed(self.chaos.new_point() or "at a random time")
        elif code not in (0, 130, -signal.SIGTERM):  # asked to stop twice, or before it could listen
            self.chaos.tally["ended by an error"] += 1
            say(f"scorer {self.number} ended with {code}:", *self.log().read_text(errors="replace").splitlines()[-3:])
        self.start()

    def log(self):
        return self.chaos.dir / f"score-{self.number}.log"


class Chaos:
    def __init__(self, o):
        self.o, self.mode, self.random = o, o.mode, random.Random(o.seed)
        self.dir = pathlib.Path(o.dir).resolve()
        self.dir.mkdir(parents=True)
        self.group = f"chaos-{o.seed}-{int(time.time())}"
        self.phases, self.tally = collections.Counter(), collections.Counter()
        self.seen_points = 0
        self.scorers = [Scorer(self, i) for i in range(3)]

    def ctr(self, *args, **kw):
        return subprocess.run([self.o.ctr, *args], check=True, text=True, cwd=self.dir, stdout=subprocess.PIPE,
                              env=dict(os.environ, CTR_BROKERS=BROKERS), **kw).stdout

    def outputs(self, number):
        return {"csv": f"out-{number}.csv", "folder": "out/"}.get(self.mode, "kafka:out")

    def score_args(self, number, *more):
        args = [self.o.ctr, "score", "--topic", "in", "--group", self.group, "--output", self.outputs(number), "--quiet",
                "--session-timeout", f"{SESSION}s", "--stats-every", "2s", *more]
        if self.mode == "folder":
            args += ["--rotate-size", "2MiB"]
        if self.mode in ONCE:
            args += ["--delivery", "exactly-once"]
        return args

    def new_point(self):
        path = self.dir / "points"
        lines = path.read_text().splitlines() if path.exists() else []
        if len(lines) > self.seen_points:
            self.seen_points += 1
            return lines[self.seen_points - 1]
        return None

    def killed(self, phase):
        self.phases[phase] += 1
        self.tally["scorers killed"] += 1

    def prepare(self):
        say(f"seed {self.o.seed}, mode {self.mode}, {self.o.kills} kills; files in {self.dir}")
        kafka("up2")
        for topic in ("in", "out", "out.dead"):
            self.ctr("topics", "create", topic, "--partitions", str(PARTITIONS), "--replication", "2")
        self.ctr("synth", "--rows", "400000", "--seed", str(self.o.seed), "--out", "rows.csv", "--quiet")
        self.ctr("train", "rows.csv", "--rows", "50000", "--quiet")
        self.send()
        for s in self.scorers:
            s.start()

    def send(self):
        self.replay = subprocess.Popen(
            [self.o.ctr, "replay", "rows.csv", "--topic", "in", "--rate", str(self.o.rate), "--loop", "--quiet", "--json"],
            cwd=self.dir, env=dict(os.environ, CTR_BROKERS=BROKERS), stdout=open(self.dir / "replay.json", "a"), stderr=open(self.dir / "replay.log", "a"))

    def whole(self):
        """Whether every partition, of Kafka's own topics too, has both replicas in sync."""
        try:
            text = kafka("tool", "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", BROKERS, "--describe",
                         "--under-replicated-partitions", stderr=subprocess.DEVNULL, timeout=40)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return False
        return text.strip() == ""

    def act(self):
        roll, s = self.random.random(), self.random.choice(self.scorers)
        if roll < 0.25:
            if s.process.poll() is None:
                s.process.kill()
                s.process.wait()
            return
        if roll < 0.40:
            self.tally["scorers stopped past the session timeout"] += 1
            s.process.send_signal(signal.SIGSTOP)
            time.sleep(SESSION + 1 + 3 * self.random.random())
            s.process.send_signal(signal.SIGCONT)
        elif roll < 0.60:
            self.tally["scorers asked to stop"] += 1
            s.process.terminate()
        elif roll < 0.80:
            self.broker()
        else:
            self.cut()

    def broker(self):
        number = str(self.random.choice([1, 2]))
        if not self.whole():
            self.tally["brokers left alone: under-replicated"] += 1
            return
        self.tally["brokers killed"] += 1
        kafka("kill", number)
        time.sleep(1 + 3 * self.random.random())
        kafka("start", number)

    def cut(self):
        """Ends connections of clients; where the kernel can't, that is told."""
        port = self.random.choice(["19191", "19192"])
        if shutil.which("ss") is None:
            self.tally["connections could not be cut (no ss here)"] += 1
            return
        done = subprocess.run(["ss", "-K", "dst", "127.0.0.1", "dport", "=", port], capture_output=True, text=True)
        self.tally["connections cut" if done.returncode == 0 else "connections could not be cut (no ss -K here)"] += 1

    def storm(self):
        began = time.time()
        while self.tally["scorers killed"] < self.o.kills and time.time() - began < self.o.minutes * 60:
            time.sleep(self.random.uniform(0.3, self.o.pause))
            self.act()
            for s in self.scorers:
                s.look()
            if self.replay.poll() is not None:  # what it gave up is not in the topic
                self.tally["replays that gave up"] += 1
                self.send()
        self.seconds = time.time() - began

    def finish(self):
        say("the storm is over; scoring the rest")
        self.replay.send_signal(signal.SIGINT)
        self.replay.wait(120)
        for s in self.scorers:
            if s.process.poll() is None:
                s.process.terminate()
        for s in self.scorers:
            s.process.wait(180)
        env = dict(os.environ, CTR_BROKERS=BROKERS, CTR_FAILPOINTS="")
        for _ in range(3):  # a rebalance may end a first run early
            subprocess.run(self.score_args(0, "--until-end"), cwd=self.dir, env=env, check=True, stdout=subprocess.DEVNULL, stderr=open(self.dir / "last.log", "ab"), timeout=300)

    def read(self):
        """Yields (partition, offset, probability) of what was written."""
        if self.mode in ("csv", "folder"):
            for path in sorted(self.dir.glob("out-*.csv" if self.mode == "csv" else "out/*.csv")):
                lines = path.read_text().splitlines()
                for line in lines[1:]:
                    f = line.split(",")
                    yield int(f[6]), int(f[7]), f[3]
            return
        with open(self.dir / "out.txt", "w") as out:
            subprocess.run([str(KAFKA), "tool", "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", BROKERS, "--topic", "out",
                            "--from-beginning", "--isolation-level", "read_committed", "--timeout-ms", "30000"], stdout=out, stderr=subprocess.DEVNULL)
        want = re.compile(r'"probability":([^,]+),.*"partition":(\d+),"offset":(\d+),')
        for line in open(self.dir / "out.txt"):
            m = want.search(line)
            if m:
                yield int(m[2]), int(m[3]), m[1]

    def judge(self):
        ends = {p["partition"]: p["end"] for p in json.loads(self.ctr("topics", "describe", "in", "--json"))["partitions"]}
        seen, other = collections.Counter(), 0
        first = {}
        for partition, offset, probability in self.read():
            seen[partition, offset] += 1
            other += first.setdefault((partition, offset), probability) != probability
        total = sum(ends.values())
        lost = sum(1 for p, end in ends.items() for o in range(end) if (p, o) not in seen)
        repeated = sum(n - 1 for n in seen.values())
        between = sum(n for phase, n in self.phases.items() if phase in BETWEEN)
        result = {
            "mode": self.mode, "seed": self.o.seed, "bug": self.o.bug, "records": total, "seconds": round(self.seconds), "rows_per_second": round(total / self.seconds),
            "lost": lost, "repeated": repeated, "different": other,
            "kills_between_write_and_commit": f"{between / max(1, self.tally['scorers killed']):.0%}",
            "phases": dict(self.phases), **self.tally,
        }
        print(json.dumps(result, indent=2))
        ok = lost == 0 and other == 0 and (self.mode not in ONCE or repeated == 0)
        if self.o.bug:
            return lost > 0 if self.o.bug == "commit-before-flush" else repeated > 0
        return ok

    def close(self):
        for p in [self.replay, *(s.process for s in self.scorers)]:
            if p is not None and p.poll() is None:
                p.kill()
        kafka("clean")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--ctr", required=True, help="a binary built with -tags failpoints")
    p.add_argument("--mode", choices=list(POINTS), default="exactly-once")
    p.add_argument("--kills", type=int, default=20)
    p.add_argument("--seed", type=int, default=None)
    p.add_argument("--rate", type=int, default=20000)
    p.add_argument("--pause", type=float, default=3.0, help="longest time between actions, in seconds")
    p.add_argument("--minutes", type=float, default=60)
    p.add_argument("--bug", default="", help="a bug to be switched on: the run is good if it is found")
    p.add_argument("--dir", default=None)
    o = p.parse_args()
    o.ctr = str(pathlib.Path(o.ctr).resolve())
    if o.seed is None:
        o.seed = random.SystemRandom().randrange(1 << 31)
    o.dir = o.dir or f"/tmp/ctr-chaos-{o.seed}-{o.mode}"
    os.environ["KRUN"] = o.dir + "-kafka"
    c = Chaos(o)
    c.replay = None
    try:
        c.prepare()
        c.storm()
        c.finish()
        ok = c.judge()
    finally:
        c.close()
    say("good" if ok else f"BAD: see {o.dir}, seed {o.seed}")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
