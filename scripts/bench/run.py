"""Measures ctr beside other tools and writes what it found to BENCHMARKS.md.

    run.py --ctr ./ctr [--only online,trees] [--rows 1000000] [--rounds 3]
           [--real avazu-34h.csv] [--match vowpal,ftrl] [--write BENCHMARKS.md]

Sections: online (one pass from CSV), batch (logistic regression to its
optimum), trees, ffm, quality-synthetic, quality-real (needs --real), scale
(1 to 40 M rows), and spark, which runs only when it is named.

Synthetic rows of `ctr synth` are split by whole hours, about --rows to train
and a quarter as many later ones to test. All of a section run in turn, round
after round, so that a drift of the machine meets all; tables have medians and,
in brackets, the least and the most. Wall and CPU seconds are those of the whole
process until the model is ready, reading its input included; peak is resident
memory. A tool that cannot be installed or fails is reported in its section and
left out. Each section is written when it is done, with date and commit, and as
JSON to build/bench-SECTION.json.
"""

import argparse
import dataclasses
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import datasets
from runner import ROOT, Bench
from sections import batch, ffm, online, quality, scale, trees

sys.path.append(str(ROOT / "scripts" / "lib"))
import machine  # noqa: E402: found only now

SECTIONS = {s.NAME: s for s in (online, batch, batch.Spark, trees, ffm, quality.Synthetic, quality.Real, scale)}
ASKED_FOR = ("spark",)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ctr", type=Path, default=ROOT / "ctr")
    parser.add_argument("--only", help="sections, separated by commas: " + ", ".join(SECTIONS))
    parser.add_argument("--rows", type=int, default=1_000_000, help="synthetic training rows, about")
    parser.add_argument("--scale-rows", type=int, default=scale.LARGEST, help="the most rows of the section scale")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--real", type=Path, help="Avazu's rows, as shared/data/avazu-34h.csv")
    parser.add_argument("--match", default="", help="only contestants whose name has one of these; nothing is written then")
    parser.add_argument("--without", default="", help="leave out contestants whose name has one of these; nothing is written then")
    parser.add_argument("--data", help="where made rows are kept; ~/.cache/ctr-bench by default")
    parser.add_argument("--write", type=Path, help="the document to put tables into")
    args = parser.parse_args()
    args.sections = args.only.split(",") if args.only else [n for n in SECTIONS if n not in ASKED_FOR]
    if unknown := set(args.sections) - SECTIONS.keys():
        parser.error(f"no section {', '.join(sorted(unknown))}: want some of {', '.join(SECTIONS)}")
    args.match, args.without = (tuple(filter(None, t.split(","))) for t in (args.match, args.without))
    return args


class Session:
    """Sections in turn; rows are made when the first section wants them."""

    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.bench = Bench(args.ctr.resolve(), folder, args.rounds, args.match, args.without)
        self.cache = datasets.cache_folder(args.data)
        self.made = {}

    def data(self, kind):
        if kind not in self.made:
            self.made[kind] = (datasets.real(self.args.real, self.folder / "real") if kind == "real" else
                               datasets.synthetic(self.bench.ctr, self.cache, self.args.rows))
        return self.made[kind]

    def run(self, name):
        """The lines of a section, its claims and commands; None where what it
        needs is not at hand."""
        if name == "scale":
            return scale.run(self.bench, self.cache, self.args.scale_rows)
        if name == "quality-real":
            if self.args.real is None or not self.args.real.exists():
                return None
            return SECTIONS[name].run(self.bench, self.data("real"))
        return SECTIONS[name].run(self.bench, self.data("synthetic"))

    def rows_line(self, name):
        if name == "scale":
            return f"Medians of {self.args.rounds} rounds."
        data = self.data("real" if name == "quality-real" else "synthetic")
        what = "of Avazu" if data.name == "real" else "of `ctr synth --seed 1`, later hours to test"
        how = "" if name.startswith("quality") else f"; medians of {self.args.rounds} rounds, all in turn (slow ones once)"
        return f"{len(data.y_train):,} training and {len(data.y_test):,} test rows {what}{how}."


def document(session, name, found, load):
    lines, claims, commands = found
    args = session.args
    again = [f"--only {name}", *([f"--rounds {args.rounds}"] if args.rounds != 3 else [])]
    return "\n".join([
        *machine.describe(args.ctr.resolve(), ROOT, load),
        session.rows_line(name), *lines, "", *[c.line() for c in claims], "",
        "```", f"make bench BENCHROWS={args.rows} BENCH='{' '.join(again)}'", *commands, "```",
    ])


def keep(session, name, found, load):
    """The results so far as JSON, for comparisons over time."""
    folder = ROOT / "build"
    folder.mkdir(exist_ok=True)
    results = [{"data": d, "contestant": c.name, "note": c.note, "runs": [{k: v for k, v in r.items() if k != "model"} for r in runs],
                "command": session.bench.commands.get((d, c))} for (d, c), runs in session.bench.results.items()]
    missing = [{"data": d, "contestant": c.name, "why": why} for (d, c), why in session.bench.missing.items()]
    (folder / f"bench-{name}.json").write_text(json.dumps({
        "section": name, "machine": machine.describe(session.args.ctr.resolve(), ROOT, load)[:-1],
        "results": results, "missing": missing, "claims": [dataclasses.asdict(c) for c in found[1]],
    }, indent=1) + "\n")


def main():
    args = arguments()
    load, met = os.getloadavg()[1], True  # before the runs add their own
    base = datasets.cache_folder(args.data)
    with tempfile.TemporaryDirectory(prefix="run-", dir=base) as folder:
        session = Session(args, Path(folder))
        for name in args.sections:
            found = session.run(name)
            if found is None:
                print(f"bench: {name}: needs --real FILE, the rows of Avazu: left out", file=sys.stderr)
                continue
            text = document(session, name, found, load)
            print(f"## {name}\n\n{text}\n", flush=True)
            keep(session, name, found, load)
            if args.write and not (args.match or args.without):
                machine.put(args.write, name, text)
            met = met and all(c.met for c in found[1])
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
