"""The live half beside what others make of the same topics, on one broker of
Apache Kafka; writes a section of BENCHMARKS.md a part. Run by stream.sh.

    stream.py PART --ctr ./ctr --broker HOST:PORT --folder WORK --rows N --rounds N
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from streaming import clients, latency, processes, spark
from streaming.bench import ROOT, Bench

PARTS = {"latency": latency, "clients": clients, "spark": spark, "processes": processes}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--ctr", type=Path, required=True)
    parser.add_argument("--broker", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    args = parser.parse_args()
    bench = Bench(args.ctr.resolve(), args.broker, args.folder, args.rows, args.rounds)
    load = os.getloadavg()[1]
    part = PARTS[args.part]
    text = "\n".join(part.run(bench))
    print(text, file=sys.stderr)
    command = f"make bench-stream STREAM='--only {args.part}' STREAMROWS={args.rows} STREAMROUNDS={args.rounds}"
    subprocess.run([sys.executable, ROOT / "scripts/lib/record.py", "--ctr", bench.ctr, "--load", str(load), part.SECTION, command],
                   input=text, text=True, check=True)


if __name__ == "__main__":
    main()
