"""Runs contestants in turn and judges all of them in one way."""

import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from contestants import vw_pairs

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


class Failed(Exception):
    """A contestant did not run; the text says why."""


def spent(command, env=None, limit=3600):
    """Runs a command: its output, and its wall and CPU seconds and peak bytes."""
    command = [str(a) for a in command]
    began = time.monotonic()
    env = {**os.environ, **(env or {}), "BENCH_START": repr(began)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as process:
        try:
            out, err = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Failed(f"not done after {limit} s") from None
        wall = time.monotonic() - began
    if process.returncode != 0:
        lines = [t for t in err.decode(errors="replace").strip().splitlines() if not t.startswith("ctr: hint:")]
        raise Failed((lines or [f"exit {process.returncode}"])[-1][:200])
    return out.decode(), wall


def measured(command, env=None):
    """The same with CPU seconds and peak memory, from the kernel's count of
    that one child."""
    command = [str(a) for a in command]
    # A child of its own: the maximum over all children would stay at the
    # largest of those before.
    code = "import json,os,resource,subprocess,sys,time;b=time.monotonic();r=subprocess.run(sys.argv[1:]).returncode;" \
           "w=time.monotonic()-b;u=resource.getrusage(resource.RUSAGE_CHILDREN);" \
           "print('\\n'+json.dumps({'wall':w,'cpu':u.ru_utime+u.ru_stime,'peak':u.ru_maxrss*1024}));sys.exit(r)"
    out, _ = spent([sys.executable, "-c", code, *command], env)
    text, _, cost = out.strip().rpartition("\n")
    return text, json.loads(cost)


@dataclass
class Bench:
    """What all sections share. results has a list of runs by (data set,
    contestant); missing says who did not run, and why."""

    ctr: Path
    folder: Path
    rounds: int
    match: tuple = ()
    without: tuple = ()
    results: dict = field(default_factory=dict)
    missing: dict = field(default_factory=dict)
    pythons: dict = field(default_factory=dict)
    commands: dict = field(default_factory=dict)

    def wanted(self, contestants):
        named = [c for c in contestants if not any(w.lower() in c.name.lower() for w in self.without)]
        return [c for c in named if not self.match or any(m.lower() in c.name.lower() for m in self.match)]

    def run_all(self, data, contestants, once=False):
        """Everyone in turn, round after round, so that a drift of the machine
        meets all. With once, those that have run already do not run again."""
        chosen = self.wanted(contestants)
        for turn in range(1 if once else self.rounds):
            for c in chosen:
                if (data.name, c) in self.missing or (turn > 0 and c.slow):
                    continue
                if once and (data.name, c) in self.results:
                    continue
                self.run(data, c, turn)
        return [c for c in chosen if (data.name, c) in self.results]

    def run(self, data, c, turn=0):
        try:
            result = self.run_ours(data, c) if c.ours else self.run_peer(data, c)
        except Failed as why:
            self.missing[data.name, c] = str(why)
            print(f"{data.name}: {c.name}: did not run: {why}", file=sys.stderr, flush=True)
            return
        self.results.setdefault((data.name, c), []).append(result)
        print(f"{data.name}: round {turn + 1}: {c.name}: {result['wall']:.2f} s ({result['cpu']:.2f} CPU), "
              f"{result['peak'] / 2**20:.0f} MB, log loss {result.get('log_loss', float('nan')):.5f}", file=sys.stderr, flush=True)

    def out(self, data, c):
        """Where a contestant's files of a data set go, without an ending."""
        name = hashlib.sha256(f"{data.name} {c}".encode()).hexdigest()[:16]
        return self.folder / name

    def run_peer(self, data, c):
        train, test = data.vw() if c.reads == "vw" else (data.train, data.test)
        out = self.out(data, c)
        settings = [s.format(pairs=vw_pairs(data.letters()), cache=f"{out}.cache") for s in c.settings]
        settings += [f"threads={c.threads}"] if c.threads else []
        env = {"OMP_NUM_THREADS": str(c.threads)} if c.threads else None
        command = [self.python(c.group), HERE / "peers" / c.script, train, test, out, *settings]
        if "{cache}" in "".join(c.settings) and not Path(f"{out}.cache").exists():
            spent(command, env)  # the first run writes the cache
        text, _ = spent(command, env)
        result = json.loads(text.strip().splitlines()[-1])
        self.commands[data.name, c] = f"peers/{c.script} " + " ".join(settings).replace(str(self.folder), "…")
        return self.judge(data, c, result)

    def run_ours(self, data, c):
        source = self.prepared(data) if c.reads == "prepared" else data.train
        out = self.out(data, c)
        model = f"{out}.ctr"
        threads = ["--threads", c.threads] if c.threads else []
        flags = ["--split", "none", *c.flags, *threads]
        text, result = measured([self.ctr, "train", source, *flags, "--out", model, "--json", "--quiet"])
        trained = json.loads(text)
        result["model"] = model
        if trained.get("progressive"):
            result["progressive"] = trained["progressive"][-1]["log_loss"]
        self.commands[data.name, c] = f"ctr train {source.name} " + " ".join(map(str, flags))
        if c.evaluate:
            spent([self.ctr, "evaluate", data.test, "--model", model, "--predictions", f"{out}.csv", "--overwrite", "--quiet", "--json"])
            rows = np.loadtxt(f"{out}.csv", delimiter=",", skiprows=1, usecols=(1, 2))
            os.remove(f"{out}.csv")
            if not np.array_equal(rows[:, 0].astype(np.int8), data.y_test):
                raise Failed("its predictions are not of the test rows in their order")
            np.save(f"{out}.npy", rows[:, 1])
        return self.judge(data, c, result)

    def prepared(self, data):
        target = self.folder / f"{data.name}.ctrd"
        if not target.exists():
            began = time.monotonic()
            spent([self.ctr, "prepare", data.train, "--out", target, "--quiet"])
            data.made["ctr prepare"] = time.monotonic() - began
        return target

    def judge(self, data, c, result):
        path = Path(f"{self.out(data, c)}.npy")
        if path.exists():
            p = np.load(path)
            if p.shape != data.y_test.shape or not np.isfinite(p).all():
                raise Failed(f"{p.shape[0]} probabilities, or some not finite: want {len(data.y_test)}")
            result |= {"log_loss": float(losses(p, data.y_test).mean()), "auc": float(roc_auc_score(data.y_test, p))}
        return result

    def predictions(self, data, c):
        return np.load(f"{self.out(data, c)}.npy")

    def python(self, group):
        """The interpreter that has a peer's packages; installs them first."""
        if not group:
            return sys.executable
        if group not in self.pythons:
            self.pythons[group] = provide(group)
        if isinstance(self.pythons[group], Failed):
            raise self.pythons[group]
        return self.pythons[group]

    def middle(self, data, c, key):
        values = [r[key] for r in self.results.get((data.name, c), []) if key in r]
        return statistics.median(values) if values else None


def losses(p, y):
    """The log loss of each row. A probability of 0 or 1 counts as 1e-15 from it,
    as scikit-learn has it."""
    p = np.clip(p, 1e-15, 1 - 1e-15)
    return -np.log(np.where(y == 1, p, 1 - p))


def provide(group):
    """An interpreter with requirements/GROUP.txt: this one, or for packages
    that need other versions than ours one of its own. Failed if pip fails."""
    requirements = HERE / "requirements" / f"{group}.txt"
    if "numpy" in requirements.read_text():
        done = subprocess.run([ROOT / "scripts/lib/peers.sh", requirements], stdout=subprocess.PIPE, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else Failed(f"requirements/{group}.txt: cannot be installed")
    stamp = Path(sys.prefix) / f".bench-{group}-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]}"
    if not stamp.exists():
        print(f"bench: installing {requirements.name}", file=sys.stderr, flush=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "-c", HERE / "requirements.txt", "-r", requirements]
        if subprocess.run(pip, stdout=sys.stderr, check=False).returncode != 0:
            return Failed(f"requirements/{group}.txt: cannot be installed")
        stamp.touch()
    return sys.executable
