#!/usr/bin/env bash
# The live half beside what its clients can do alone, on one broker of Apache
# Kafka on this machine; writes the section "streaming" of BENCHMARKS.md.
# STREAMROWS (2,000,000) messages, STREAMROUNDS (3) rounds.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
work=$(mktemp -d)
export KRUN=$work/kafka KHEAP=${KHEAP:-1g}
trap '"$ROOT/scripts/e2e/kafka.sh" clean; rm -rf "$work"' EXIT
CTR_KAFKA=$("$ROOT/scripts/e2e/kafka.sh" up1 | tail -1)
export CTR_KAFKA CTR_BENCH_ROWS=${STREAMROWS:-2000000} CTR_BENCH_ROUNDS=${STREAMROUNDS:-3}
cd "$ROOT"
# Latency first: after gigabytes of writes the disk's flushes would be measured.
for what in Latency Stream; do
  go test ./pipeline/kafka -run '^$' -bench "$what" -benchtime 1x -timeout 60m | tee -a "$work/out.txt" >&2
done
python3 "$HERE/stream.py" <"$work/out.txt" |
  python3 scripts/lib/record.py --ctr ./ctr streaming "make bench-stream STREAMROWS=$CTR_BENCH_ROWS STREAMROUNDS=$CTR_BENCH_ROUNDS"
