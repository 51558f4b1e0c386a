#!/usr/bin/env bash
# The whole way on Apache Kafka: train, replay, score a topic, and the same
# probabilities, to the last bit, as from the file. Then bad records, a killed
# scorer and a second one, on the same broker; and the Go tests of
# pipeline/kafka. Needs java 17 and, the first time, mvn.
#   run.sh [CTR]     CTR is the binary; built from the tree if left out
# CTR_SHARED is the directory with data/avazu-stream.csv (default ../shared
# beside the repository); without it the rows are synthetic. CTR_KAFKA=HOST:PORT
# uses a broker that is already there.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
WORK=$(mktemp -d)
STARTED=
cleanup() {
  # shellcheck disable=SC2046 # one word a job
  kill $(jobs -p) 2>/dev/null || true
  [ -z "$STARTED" ] || "$HERE/kafka.sh" down
  rm -rf "$WORK"
}
trap cleanup EXIT
say() { printf '%s %s\n' "$(date +%T)" "$*" >&2; }
die() { say "FAILED: $*"; exit 1; }

CTR=${1:-}
if [ -z "$CTR" ]; then
  CTR=$WORK/ctr
  (cd "$ROOT" && CGO_ENABLED=0 go build -trimpath -o "$CTR" .)
fi
BROKERS=${CTR_KAFKA:-}
if [ -z "$BROKERS" ]; then
  say "starting Apache Kafka"
  STARTED=yes
  BROKERS=$("$HERE/kafka.sh" up1 | tail -1)
fi
export CTR_BROKERS=$BROKERS
cd "$WORK"

DATA=${CTR_SHARED:-$ROOT/../shared}/data/avazu-stream.csv
if [ -e "$DATA" ]; then
  DISTINCT=10000
else
  say "no real rows at $DATA: synthetic ones"
  "$CTR" synth --rows 20000 --out rows.csv
  DATA=rows.csv
  DISTINCT=5000
fi
TOPIC=e2e-$$-$(date +%s)

say "training on $DATA"
"$CTR" train "$DATA" --algo lr --out model.ctr >train.txt
"$CTR" evaluate "$DATA" --model model.ctr --predictions offline.csv >evaluate.txt
ROWS=$(($(wc -l <offline.csv) - 1))

say "replaying $ROWS rows to $TOPIC"
"$CTR" replay "$DATA" --topic "$TOPIC" --create --partitions 3 --rate max --json >replay.json
"$CTR" score --topic "$TOPIC" --group "$TOPIC" --model model.ctr --until-end --quiet --output online.csv

# compare FILE: FILE has each row of offline.csv once, with the same y,
# probability and prediction. Both are CSV without quotes in these columns.
compare() {
  awk -F, 'NR==1 { for (i=1; i<=NF; i++) c[$i]=i; next }
    { print $c["id"] "," $c["y"] "," $c["probability"] "," $c["prediction"] }' offline.csv | sort >want.txt
  awk -F, 'NR==1 { for (i=1; i<=NF; i++) c[$i]=i; next }
    { print $c["id"] "," $c["y"] "," $c["probability"] "," $c["prediction"] }' "$1" | sort >got.txt
  cmp -s want.txt got.txt || { diff want.txt got.txt | head -5 >&2; die "$1 differs from offline.csv"; }
  local distinct
  distinct=$(cut -d, -f3 got.txt | sort -u | wc -l)
  [ "$distinct" -ge "$DISTINCT" ] || die "$1: $distinct distinct probabilities, want $DISTINCT or more"
  say "$1: $(wc -l <got.txt) rows in, $(wc -l <want.txt) out, $distinct distinct probabilities"
}
compare online.csv

say "the same as JSON"
"$CTR" replay "$DATA" --topic "$TOPIC-json" --create --partitions 1 --rate max --format json --json >/dev/null
"$CTR" score --topic "$TOPIC-json" --group "$TOPIC" --model model.ctr --until-end --quiet --output json.csv
compare json.csv

say "a scorer that is killed, and one that goes on"
"$CTR" score --topic "$TOPIC" --group "$TOPIC-kill" --model model.ctr --quiet --output killed.csv 2>killed.log &
VICTIM=$!
for _ in $(seq 200); do
  [ -e killed.csv ] && [ "$(wc -l <killed.csv)" -gt 1000 ] && break
  sleep 0.05
done
kill -9 "$VICTIM"
wait "$VICTIM" 2>/dev/null || true
"$CTR" score --topic "$TOPIC" --group "$TOPIC-kill" --model model.ctr --until-end --quiet --output killed.csv
LOST=$(cut -d, -f1 killed.csv | sort -u | comm -13 - <(cut -d, -f1 offline.csv | sort -u) | wc -l)
[ "$LOST" -eq 0 ] || die "$LOST rows lost by a kill"
say "killed.csv: nothing lost"

say "records that are no rows"
printf 'not a row\n{"id":\n' >bad.txt
head -c 300 /dev/urandom | base64 >>bad.txt
"$CTR" replay bad.txt --columns "$(head -1 offline.csv)" --topic "$TOPIC" --rate max --json >/dev/null
"$CTR" score --topic "$TOPIC" --group "$TOPIC" --model model.ctr --until-end --quiet --output online.csv
[ "$(wc -l <online.dead.jsonl)" -eq "$(wc -l <bad.txt)" ] || die "online.dead.jsonl: $(wc -l <online.dead.jsonl) lines, want $(wc -l <bad.txt)"
compare online.csv

if [ -n "$STARTED" ]; then
  say "a broker that crashes under replay and score"
  head -12000 "$DATA" >part.csv
  "$CTR" replay part.csv --topic "$TOPIC-crash" --create --partitions 2 --rate 1000 --quiet --json >crash.json &
  REPLAY=$!
  sleep 2
  "$CTR" score --topic "$TOPIC-crash" --group "$TOPIC" --model model.ctr --quiet --output crash.csv 2>crash.log &
  SCORE=$!
  sleep 4
  "$HERE/kafka.sh" kill 1
  "$HERE/kafka.sh" up1 >/dev/null
  wait "$REPLAY" || die "replay: $(cat crash.json)"
  kill -INT "$SCORE"
  wait "$SCORE" || die "score: $(tail -3 crash.log)"
  "$CTR" score --topic "$TOPIC-crash" --group "$TOPIC" --model model.ctr --until-end --quiet --output crash.csv
  SENT=$(sed -n 's/.*"acknowledged": \([0-9]*\).*/\1/p' crash.json)
  GOT=$(tail -n +2 crash.csv | cut -d, -f1 | sort -u | wc -l)
  [ "$SENT" -eq "$GOT" ] || die "crash.csv: $GOT rows, $SENT were acknowledged"
  say "crash.csv: $SENT acknowledged, $GOT scored, $(($(wc -l <crash.csv) - 1 - GOT)) repeated"
fi

say "ctr topics"
"$CTR" topics create "$TOPIC-made" --partitions 3 --replication 1 --set retention.ms=86400000 >/dev/null
# To the end of what is printed: grep -q leaves at the first match, and the pipe fails.
prints() { "$CTR" "${@:2}" | tee printed.txt | grep "$1" >/dev/null; }
prints "^$TOPIC-made  *3  *1$" topics || die "topics: $TOPIC-made is not listed: $(cat printed.txt)"
prints '^retention.ms=86400000$' topics describe "$TOPIC-made" || die "topics describe: no retention.ms: $(cat printed.txt)"
prints '^lag 0 in all$' topics lag --group "$TOPIC" --topic "$TOPIC" || die "topics lag: want 0: $(cat printed.txt)"
prints 'has committed nothing' topics lag --group "$TOPIC-none" || die "topics lag: of a group that is none: $(cat printed.txt)"

say "the Go tests of pipeline/kafka"
(cd "$ROOT" && CTR_KAFKA=$BROKERS go test -count=1 ./pipeline/kafka/)
say "all well"
