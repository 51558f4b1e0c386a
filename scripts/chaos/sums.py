"""Sums up the results of runs of chaos.py: sums.py FILE…"""

import collections
import json
import sys

runs = [json.load(open(path)) for path in sys.argv[1:]]
for mode in sorted({r["mode"] for r in runs}):
    mine = [r for r in runs if r["mode"] == mode]
    total, phases = collections.Counter(), collections.Counter()
    for r in mine:
        phases.update(r["phases"])
        total.update({k: v for k, v in r.items() if isinstance(v, int) and k not in ("seed", "rows_per_second")})
    print(f"{mode}: seeds {', '.join(str(r['seed']) for r in mine)}")
    print(f"  {total['records']:,} records at {sum(r['rows_per_second'] for r in mine) // len(mine):,} rows/s: {total['lost']} lost, {total['repeated']} repeated, {total['different']} with two probabilities")
    for name, n in sorted(total.items()):
        if name not in ("records", "lost", "repeated", "different", "seconds"):
            print(f"  {name}: {n}")
    killed = sum(phases.values())
    for phase, n in phases.most_common():
        print(f"    killed {phase if phase.startswith('at ') else 'after: ' + phase}: {n} ({n / killed:.0%})")
