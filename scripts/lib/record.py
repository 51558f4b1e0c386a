"""Puts what another command printed into a section of BENCHMARKS.md.

    benchstat build/gobench.txt | record.py --ctr ./ctr row "make gobench GOBENCH=Row"
"""

import argparse
import sys
from pathlib import Path

import machine

ROOT = Path(__file__).resolve().parents[2]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ctr", type=Path, default=ROOT / "ctr")
    parser.add_argument("--load", type=float, help="the machine's load average before the runs")
    parser.add_argument("section", help="the name between the markers")
    parser.add_argument("command", help="what made the text")
    args = parser.parse_args()
    text = sys.stdin.read().strip()
    if not text:
        sys.exit("record: nothing on standard input")
    lines = [*machine.describe(args.ctr.resolve(), ROOT, args.load), f"`{args.command}`", "", "```", text, "```"]
    machine.put(ROOT / "BENCHMARKS.md", args.section, "\n".join(lines))


if __name__ == "__main__":
    main()
