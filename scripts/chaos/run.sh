#!/usr/bin/env bash
# The kill test that CI runs: exactly once to a topic and to a folder, and at
# least once with a bug, to show that it can fail. Apache Kafka comes from Maven Central, by scripts/e2e/kafka.sh.
#   run.sh CTR KILLS SEED     CTR is built with -tags failpoints
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
CTR=$1 KILLS=$2 SEED=$3
export JITOPT=${JITOPT--XX:TieredStopAtLevel=1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chaos() { python3 "$HERE/chaos.py" --ctr "$CTR" --dir "$work/$1-${4:-}" --mode "$1" --kills "$2" --seed "$3" ${4:+--bug "$4"}; }
chaos exactly-once "$KILLS" "$SEED"
chaos folder "$((KILLS / 2))" "$((SEED + 1))"
# Offsets committed before the output is flushed: it must find losses.
# Kills may miss the moment: once more, by another seed, before it is a failure.
chaos at-least-once 8 "$((SEED + 2))" commit-before-flush ||
  { rm -rf "$work/at-least-once-commit-before-flush"* && chaos at-least-once 12 "$((SEED + 3))" commit-before-flush; }
