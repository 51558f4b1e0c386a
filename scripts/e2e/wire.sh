#!/usr/bin/env bash
# What ctr writes is read by kcat (librdkafka) and by Kafka's console consumer,
# byte for byte, and what they and Kafka's Java producer write is scored as the
# same rows of a file are, to the last bit: with every codec, in transactions,
# and at the edges of the format. Needs a JDK of 17 and, the first time, mvn;
# kcat is taken from Debian's packages where it is not there.
#   wire.sh [CTR]     CTR is the binary; built from the tree if left out
# PORT is the first of two ports (default 19390).
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
WORK=$(mktemp -d)
PORT=${PORT:-19390}
KHOME=${KHOME:-${XDG_CACHE_HOME:-$HOME/.cache}/ctr/kafka}
export KHOME KRUN=$WORK/kafka JITOPT=${JITOPT--XX:TieredStopAtLevel=1}
cleanup() {
  # shellcheck disable=SC2046 # one word a job
  kill $(jobs -p) 2>/dev/null || true
  "$HERE/kafka.sh" down
  rm -rf "$WORK"
}
trap cleanup EXIT
say() { printf '%s %s\n' "$(date +%T)" "$*" >&2; }
die() { say "FAILED: $*"; tail -n 5 "$WORK"/*.log >&2 2>/dev/null || true; exit 1; }

CTR=${1:-}
if [ -z "$CTR" ]; then
  CTR=$WORK/ctr
  (cd "$ROOT" && CGO_ENABLED=0 go build -trimpath -o "$CTR" .)
fi

# kcat, unpacked into the cache: that needs no root, only apt's lists.
kcat() { command kcat -b "$CTR_BROKERS" "$@"; }
if ! type -P kcat >/dev/null; then
  CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/ctr/kcat
  if [ ! -e "$CACHE/.ok" ]; then
    command -v apt-get >/dev/null || die "kcat: not here, and no apt-get to get it by"
    say "kcat: unpacking Debian's package into $CACHE (first time only)"
    [ "$(id -u)" -ne 0 ] || apt-get update -qq >&2
    rm -rf "$CACHE" && mkdir -p "$CACHE"
    (cd "$WORK" && apt-get -q download kcat librdkafka1 libyajl2 >/dev/null 2>apt.log) || die "kcat: $(cat "$WORK/apt.log")"
    for package in "$WORK"/*.deb; do dpkg -x "$package" "$CACHE"; done
    touch "$CACHE/.ok"
  fi
  LIBS=$(echo "$CACHE"/usr/lib/*/)
  kcat() { LD_LIBRARY_PATH=$LIBS "$CACHE/usr/bin/kcat" -b "$CTR_BROKERS" "$@"; }
fi

mkdir -p "$KRUN/1"
cd "$WORK"
export CTR_BROKERS=127.0.0.1:$PORT
cat >"$KRUN/1/server.properties" <<P
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((PORT+1))
listeners=PLAINTEXT://127.0.0.1:$PORT,CONTROLLER://127.0.0.1:$((PORT+1))
advertised.listeners=PLAINTEXT://127.0.0.1:$PORT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$KRUN/1/data
num.network.threads=2
num.io.threads=4
num.partitions=5
log.retention.ms=-1
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.cleaner.dedupe.buffer.size=4194304
P
say "starting Apache Kafka"
"$HERE/kafka.sh" up "$PORT" >/dev/null

N=4000
"$CTR" synth --rows $N --seed 7 --out rows.csv 2>/dev/null
"$CTR" train rows.csv --algo lr --quiet --out model.ctr >/dev/null
"$CTR" evaluate rows.csv --model model.ctr --predictions offline.csv --quiet >/dev/null
tail -n +2 rows.csv >values
KEY=$(head -1 rows.csv | tr ',' '\n' | grep -n '^device_ip$' | cut -d: -f1)
awk -F, -v c="$KEY" '{ print $c "\t" $0 }' values >keyed          # key, row
awk '{ print "trace:t" NR "\t" $0 }' keyed >headed                # headers, key, row

# kdump TOPIC: what kcat reads, as lines of partition, offset, headers, key and
# value. jdump N ARGS...: so does the console consumer, of N records; = and : are
# made one, since they write them between names and values of headers.
kdump() {
  kcat -C -t "$1" -o beginning -e -q -Z -f '%p\t%o\t%h\t%K\t%S\t%k\t%s\n' | tr = : |
    awk -F'\t' -v OFS='\t' '{ print $1, $2, $3, $4 < 0 ? "NULL" : $4 ? $6 : "", $5 < 0 ? "NULL" : $5 ? $7 : "" }' | sort -s -n -k1,1 -k2,2
}
jdump() {
  local n=$1
  shift
  "$HERE/kafka.sh" tool org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$CTR_BROKERS" "$@" \
    --isolation-level read_committed --max-messages "$n" --timeout-ms 15000 --from-beginning \
    --formatter-property print.partition=true --formatter-property print.offset=true --formatter-property print.headers=true \
    --formatter-property print.key=true --formatter-property null.literal=NULL 2>>jdump.log |
    sed 's/^Partition:\([0-9]*\)\tOffset:\([0-9]*\)/\1\t\2/; s/NO_HEADERS//' | tr = : | sort -s -n -k1,1 -k2,2
}
# all FILE: each keyed row stands in a dump once, in the order of the file
# within its partition.
all() {
  awk -F'\t' -v n="$N" '
    NR == FNR { at[$2] = FNR; key[FNR] = $1; next }
    { i = at[$5] }
    !i || key[i] != $4 || $3 != "" || i <= last[$1] { print FILENAME ":" FNR ": " $0; exit 1 }
    { last[$1] = i; sum++ }
    END { if (sum != n) { print FILENAME ": " sum+0 " rows, want " n; exit 1 } }' <(tr = : <keyed) "$1" >&2 || die "$1"
}
score() { "$CTR" score --model model.ctr --until-end --quiet "$@" 2>>score.log; }
# scored FILE [OFFLINE]: FILE has the predictions of OFFLINE, digit for digit.
scored() {
  local form='NR==1 { for (i=1; i<=NF; i++) c[$i]=i; next } { print $c["id"] "," $c["y"] "," $c["probability"] "," $c["prediction"] }'
  awk -F, "$form" "${2:-offline.csv}" | sort >want.txt
  awk -F, "$form" "$1" | sort >got.txt
  cmp -s want.txt got.txt || { diff want.txt got.txt | cut -c1-200 | head -5 >&2; die "$1 differs from ${2:-offline.csv}"; }
}

say "ctr replay, read by kcat and the console consumer"
CODECS="none gzip snappy lz4 zstd"
for codec in $CODECS; do
  "$CTR" replay rows.csv --topic "r-$codec" --create --partitions 5 --key device_ip --rate max --compression "$codec" --quiet >/dev/null
  jdump $N --topic "r-$codec" >"r-$codec.java" &
  kdump "r-$codec" >"r-$codec.kcat"
  wait $! || die "r-$codec: the console consumer"
  all "r-$codec.kcat"
  cmp "r-$codec.kcat" "r-$codec.java" || die "r-$codec: kcat and the console consumer differ"
done

say "the console producer and kcat, scored to a file and a topic"
for codec in $CODECS; do
  for topic in "j-$codec" "k-$codec"; do "$CTR" topics create "$topic" --partitions 5 --replication 1 >/dev/null; done
  "$HERE/kafka.sh" tool org.apache.kafka.tools.ConsoleProducer --bootstrap-server "$CTR_BROKERS" --topic "j-$codec" --compression-codec "$codec" \
    --reader-property parse.headers=true --reader-property parse.key=true <headed >/dev/null 2>>jdump.log &
  kcat -P -t "k-$codec" -z "$codec" -K '\t' -H trace=k -X partitioner=murmur2_random -X transactional.id="kcat-$codec" <keyed 2>>kcat.log || die "k-$codec: kcat"
  wait $! || die "j-$codec: the console producer"
  score --topic "j-$codec" --group wire --output "j-$codec.csv,kafka:of-j-$codec" --create --compression "$codec" &
  score --topic "k-$codec" --group wire-once --delivery exactly-once \
    --output "kafka:of-k-$codec" --dead-letter kafka:dead --create --compression "$codec" || die "k-$codec: score"
  wait $! || die "j-$codec: score"
  scored "j-$codec.csv"
done

say "what was scored to topics, read by both"
for codec in $CODECS; do
  jdump $((2*N)) --include "of-.-$codec" >"of-$codec.java" &
  { kdump "of-j-$codec"; kdump "of-k-$codec"; } | sort -s -n -k1,1 -k2,2 >"of-$codec.kcat"
  wait $! || die "of-?-$codec: the console consumer"
  cmp <(sort "of-$codec.kcat") <(sort "of-$codec.java") || die "of-?-$codec: kcat and the console consumer differ"
  for from in j k; do
    python3 - "of-$codec.kcat" "$from-$codec" >"of-$from.csv" <<'P' || die "of-$from-$codec"
import json, sys
rows = {}
for i, line in enumerate(open("keyed")):
    key, row = line.rstrip("\n").split("\t")
    rows[row.split(",")[0]] = key, i + 1
print("id,y,probability,prediction")
for line in open(sys.argv[1]):
    _, _, headers, key, value = line.rstrip("\n").split("\t")
    p = json.loads(value, parse_float=str)
    if p["topic"] != sys.argv[2]:
        continue
    want, n = rows[p["id"]]
    head = "trace:t%d" % n if sys.argv[2][0] == "j" else "trace:k"
    assert (key, headers) == (want, head), line
    print(p["id"], p["y"], p["probability"], p["prediction"], sep=",")
P
    scored "of-$from.csv"
  done
done

say "keys and codecs as the brokers have them"
# placed TOPIC: each key and its partition.
placed() { kdump "$1" | awk -F'\t' '{ print $4 "\t" $1 }' | sort -u; }
placed j-none >placed.java
[ "$(cut -f1 placed.java | sort -u | wc -l)" -eq "$(wc -l <placed.java)" ] || die "j-none: a key in two partitions"
for topic in r-none k-none of-j-none of-k-none; do
  cmp <(placed $topic) placed.java || die "$topic: keys lie where Java's producer does not put them"
done
FILES=$(find "$KRUN/1/data" -path '*/r-*/0*.log' -o -path '*/of-*/0*.log' | paste -sd,)
"$HERE/kafka.sh" tool org.apache.kafka.tools.DumpLogSegments --files "$FILES" 2>>jdump.log |
  awk '/^Dumping/ { n=split($2, d, "/"); split(d[n-1], t, "-"); codec = t[1] == "r" ? t[2] : t[3] }
    /^baseOffset/ { for (i=1; i<NF; i++) { if ($i == "compresscodec:") c = $(i+1); if ($i == "isControl:") control = $(i+1); if ($i == "count:") n = $(i+1) }
      if (control != "true" && n > 1) { sum++; if (c != codec) { print $0 " want " codec; bad = 1 } } }
    END { if (bad || sum < 45) { print sum+0 " batches"; exit 1 } }' >&2 || die "codecs in the log"

say "null, empty, largest, dated and transactional records of Java's producer"
LARGEST=$((1048588 - 72)) # bytes of the value; 72 are the batch's and the record's own
python3 - $LARGEST >largest <<'P' # the fourth row, with a device_model that makes it so large
import sys
with open("rows.csv") as f:
    columns, row = f.readline().strip().split(","), [f.readline().strip() for _ in range(4)][3].split(",")
at = columns.index("device_model")
row[at] = "m" * (int(sys.argv[1]) - len(",".join(row)) + len(row[at]))
sys.stdout.write(",".join(row))
P
[ "$(wc -c <largest)" -eq $LARGEST ] || die "largest: $(wc -c <largest) bytes, want $LARGEST"
"$CTR" topics create edges --partitions 1 --replication 1 >/dev/null
"$CTR" topics create transactions --partitions 3 --replication 1 >/dev/null
"$CTR" topics create appended --partitions 1 --replication 1 --set message.timestamp.type=LogAppendTime >/dev/null
"$CTR" topics create of-edges --partitions 1 --replication 1 >/dev/null
# ctr keeps 64 bytes below what a topic takes, and dead letters have headers more.
for topic in again edges-dead; do "$CTR" topics create $topic --partitions 1 --replication 1 --set max.message.bytes=2000000 >/dev/null; done
java -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$KHOME/libs/*" "$HERE/Wire.java" "$CTR_BROKERS" rows.csv largest || die "Wire.java"

{ head -4 rows.csv; cat largest; echo; } >edges.rows
"$CTR" score edges.rows --model model.ctr --quiet --output edges.offline
score --topic edges --group wire --output edges.csv || die "edges: score"
scored edges.csv edges.offline
[ "$(wc -l <edges.dead.jsonl)" -eq 5 ] || die "edges.dead.jsonl: $(wc -l <edges.dead.jsonl) lines, want 5"
score --topic edges --group wire-once --delivery exactly-once --output kafka:of-edges --dead-letter kafka:edges-dead || die "edges: score"
"$CTR" replay --dead-letters edges.dead.jsonl --topic again --quiet >/dev/null
"$CTR" replay --dead-letters kafka:edges-dead --topic again --quiet >/dev/null
# What Java sent that is no row, as kcat and the console consumer show it.
{
  printf 'n:NULL,e:,:x\tk\tNULL\nn:NULL,e:,:x\t\t\nn:NULL,e:,:x\tNULL\tNULL\nn:NULL,e:,:x\tk\tno row\n\tNULL\t'
  tr '\0' x < <(head -c $LARGEST /dev/zero); echo
} >edges.want
kdump again >again.kcat
cmp <(cut -f3- again.kcat) <(cat edges.want edges.want) || die "again: dead letters differ from what Java sent"
jdump 10 --topic again >again.java
cmp again.kcat again.java || die "again: kcat and the console consumer differ"
kdump edges-dead | sed 's/,\{0,1\}ctr\.reason.*ctr\.timestamp:[^\t]*//' | cut -f3- >dead.kcat
cmp dead.kcat edges.want || die "edges-dead differs from what Java sent"
kdump edges-dead | cut -f3 | grep -o 'ctr.timestamp:.*' >dead.times
printf 'ctr.timestamp:%s\n' 2014-10-21T00:00:00.12{6,7,8}Z 1970-01-01T00:00:00.000Z 2014-10-21T00:00:00.130Z | cmp - dead.times || die "edges-dead: $(cat dead.times)"
jdump 3 --topic of-edges >of-edges.java
cmp of-edges.java <(kdump of-edges | head -3) || die "of-edges: kcat and the console consumer differ"
[ "$(cut -f3-4 of-edges.java | tr '\t' '|' | paste -sd' ')" = 'n:NULL,e:,:x|k n:NULL,e:,:x| n:NULL,e:,:x|NULL' ] || die "of-edges: $(cut -f3-4 of-edges.java)"

score --topic appended --group wire --output appended.csv || die "appended: score"
WHEN=$(kcat -C -t appended -o beginning -e -q -f '%T')
WHEN=$(date -u -d "@${WHEN%???}" +%FT%T).${WHEN: -3}Z
grep -q "\"timestamp\":\"$WHEN\"" appended.dead.jsonl || die "appended: $(cat appended.dead.jsonl): want $WHEN"

awk 'NR == 1 || int((NR-2)/100) % 2 == 0 && NR <= 1001' rows.csv >committed.rows
"$CTR" score committed.rows --model model.ctr --quiet --output committed.offline
score --topic transactions --group wire --output transactions.csv || die "transactions: score"
[ "$(wc -l <transactions.csv)" -eq 501 ] || die "transactions.csv: $(wc -l <transactions.csv) lines, want 501"
scored transactions.csv committed.offline
say "all well: $(wc -w <<<"$CODECS") codecs, $(wc -l <placed.java) keys"
