#!/usr/bin/env bash
# The live half beside what its clients and Spark can do, on a broker of Apache
# Kafka on this machine; each part writes its section of BENCHMARKS.md and takes
# less than five minutes on two cores.
#   stream.sh [--only PART,…]
#     latency     from a producer to the prediction, ctr and Spark
#     clients     rows a second of plain clients and of ctr
#     spark       rows a second of Spark with the replaced system's pipeline
#     processes   1, 2 and 4 processes of ctr score in one group, and what they cost
# STREAMROWS (2,000,000) messages, STREAMROUNDS (3) rounds.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
parts=latency,clients,spark,processes
case "${1-}" in
  '') ;;
  --only) parts=${2:?stream.sh: --only: want parts, separated by commas} ;;
  *) sed -n 2,11p "$0" >&2; exit 2 ;;
esac
work=$(mktemp -d)
export KRUN=$work/kafka KHEAP=${KHEAP:-1g}
trap '"$ROOT/scripts/e2e/kafka.sh" clean; rm -rf "$work"' EXIT
cd "$ROOT"
IFS=, read -ra parts <<<"$parts"
for part in "${parts[@]}"; do
  # A broker and a folder for each, and nothing left to flush to the disk: the
  # part before would be measured too.
  sync
  mkdir "$work/$part"
  # Kafka's own wait for the members of a new group; the tests have none.
  more=
  [ "$part" != processes ] || more=group.initial.rebalance.delay.ms=2000
  broker=$(KMORE=$more "$ROOT/scripts/e2e/kafka.sh" up1 | tail -1)
  python3 "$HERE/stream.py" "$part" --ctr ./ctr --broker "$broker" --folder "$work/$part" \
    --rows "${STREAMROWS:-2000000}" --rounds "${STREAMROUNDS:-3}"
  "$ROOT/scripts/e2e/kafka.sh" clean
  rm -rf "${work:?}/$part"
done
