#!/usr/bin/env bash
# CHAOSKILLS (1,000) kills in seeded runs of at most 100, exactly once (to a topic,
# to a folder) and at least once (to a topic, to files) in turn, from CHAOSSEED (1) on. The result of each run is kept in
# ~/.cache/ctr-chaos by the commit and its seed: a second call goes on where the
# first was stopped. The sums are written to BENCHMARKS.md.
# CHAOSPAUSE (1.5) is the longest time between two things that happen, in seconds.
#   long.sh CTR     CTR is built with -tags failpoints
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
CTR=$1
export JITOPT=${JITOPT--XX:TieredStopAtLevel=1}
results=${XDG_CACHE_HOME:-$HOME/.cache}/ctr-chaos/$(git -C "$ROOT" rev-parse --short=12 HEAD)
mkdir -p "$results"
kills=${CHAOSKILLS:-1000} seed=${CHAOSSEED:-1} done=0
while [ "$done" -lt "$kills" ]; do
  modes=(exactly-once at-least-once folder csv)
  mode=${modes[$((seed % 4))]}
  file=$results/$seed-$mode.json
  if [ ! -s "$file" ]; then
    dir=$(mktemp -d)/run
    python3 "$HERE/chaos.py" --ctr "$CTR" --dir "$dir" --mode "$mode" --kills 100 --pause "${CHAOSPAUSE:-1.5}" --seed "$seed" >"$file.new"
    mv "$file.new" "$file"
    rm -rf "$(dirname "$dir")"
  fi
  done=$((done + $(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["scorers killed"])' "$file")))
  seed=$((seed + 1))
done
python3 "$HERE/sums.py" "$results"/*.json | python3 "$ROOT/scripts/lib/record.py" --ctr "$ROOT/ctr" chaos "make chaos-long CHAOSKILLS=$kills CHAOSSEED=${CHAOSSEED:-1}"
