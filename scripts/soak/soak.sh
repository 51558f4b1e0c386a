#!/usr/bin/env bash
# SOAKMINUTES (60) of rows at SOAKRATE (20,000) a second through one broker of
# Apache Kafka, scored to CSV (at least once) and to a topic (exactly once) at the
# same time; writes the section "soak" of BENCHMARKS.md.
#   soak.sh CTR
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
CTR=$1
minutes=${SOAKMINUTES:-60} rate=${SOAKRATE:-20000} port=${SOAKPORT:-19592}
work=$(mktemp -d "${SOAKDIR:-${TMPDIR:-/tmp}}/ctr-soak.XXXXXX")
export KRUN=$work/kafka KHEAP=${KHEAP:-512m}
trap '"$ROOT/scripts/e2e/kafka.sh" clean; rm -rf "$work"' EXIT
mkdir -p "$KRUN/1"
cat >"$KRUN/1/server.properties" <<P
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$KRUN/1/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
log.retention.bytes=268435456
log.segment.bytes=67108864
log.retention.check.interval.ms=10000
log.segment.delete.delay.ms=1000
P
"$ROOT/scripts/e2e/kafka.sh" up "$port" >&2
python3 "$HERE/soak.py" --ctr "$CTR" --brokers "127.0.0.1:$port" --dir "$work" --minutes "$minutes" --rate "$rate" >"$work/said" || bad=$?
python3 "$ROOT/scripts/lib/record.py" --ctr "$CTR" soak "make soak SOAKMINUTES=$minutes SOAKRATE=$rate" <"$work/said"
exit "${bad:-0}"
