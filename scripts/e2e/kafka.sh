#!/usr/bin/env bash
# Apache Kafka (KRaft) on loopback, from Maven Central's jars alone: no
# container, no distribution archive. Needs java 17 and, the first time, mvn.
#   kafka.sh fetch                       download the jars (kept in the home directory's cache)
#   kafka.sh up1                         one broker and controller on 127.0.0.1:19092 (KPORT)
#   kafka.sh up2                         a controller (19190) and 2 brokers (19191, 19192)
#   kafka.sh up PORT                     node 1 with the server.properties in KRUN/1 as it is
#   kafka.sh topic NAME PARTS RF [cfg=v ...]
#   kafka.sh kill ID | start ID          crash a node, start it again
#   kafka.sh tool CLASS ARGS...          run one of Kafka's own tools
#   kafka.sh status | down | clean
# KHOME holds the jars, KRUN the data and logs, KHEAP the heap of a broker, KMORE
# a line of its settings, KFORMAT more arguments of the tool that formats storage.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
KHOME=${KHOME:-${XDG_CACHE_HOME:-$HOME/.cache}/ctr/kafka}
RUN=${KRUN:-${TMPDIR:-/tmp}/ctr-kafka}
JAVA=${JAVA:-java}
HEAP=${KHEAP:-512m}
PORT=${KPORT:-19092} # of up1; its controller has the next one
# JITOPT=-XX:TieredStopAtLevel=1 starts quicker; leave it empty to measure throughput.
JITOPT=${JITOPT:-}
CP="$KHOME/libs/*"
CLUSTER_ID=${CLUSTER_ID:-MkU3OEVBNTcwNTJENDM2Qg} # any base64url uuid
LOGOPT="-Dorg.slf4j.simpleLogger.defaultLogLevel=info -Dorg.slf4j.simpleLogger.showDateTime=true -Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS"

fetch() {
  [ -e "$KHOME/libs/.ok" ] && return 0
  mkdir -p "$KHOME"
  # Maven writes a target directory beside its pom: keep that out of the tree.
  cp "$HERE/kafka-pom.xml" "$KHOME/pom.xml"
  local i
  for i in 1 2 3; do
    # Not to standard output, which is the broker's address: mvn ends with the
    # codes that reset a terminal's colours, even so.
    mvn -B -q -f "$KHOME/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
        -DoutputDirectory="$KHOME/libs" >&2 && { touch "$KHOME/libs/.ok"; return 0; }
    sleep $((i*5))
  done
  return 1
}

common() { cat <<P
num.network.threads=2
num.io.threads=4
num.partitions=4
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
log.retention.hours=24
log.segment.bytes=268435456
log.cleaner.dedupe.buffer.size=4194304
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
share.coordinator.state.topic.num.partitions=1
broker.heartbeat.interval.ms=500
controlled.shutdown.enable=true
${KMORE:-}
P
}

conf1() { mkdir -p "$RUN/1"; cat > "$RUN/1/server.properties" <<P
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((PORT + 1))
listeners=PLAINTEXT://127.0.0.1:$PORT,CONTROLLER://127.0.0.1:$((PORT + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$PORT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$RUN/1/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
$(common)
P
}

confc() { mkdir -p "$RUN/100"; cat > "$RUN/100/server.properties" <<P
process.roles=controller
node.id=100
controller.quorum.voters=100@127.0.0.1:19190
listeners=CONTROLLER://127.0.0.1:19190
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
broker.session.timeout.ms=3000
log.dirs=$RUN/100/data
P
}
confb() { local id=$1 port=$2; mkdir -p "$RUN/$id"; cat > "$RUN/$id/server.properties" <<P
process.roles=broker
node.id=$id
controller.quorum.voters=100@127.0.0.1:19190
listeners=PLAINTEXT://127.0.0.1:$port
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$RUN/$id/data
default.replication.factor=2
min.insync.replicas=1
replica.lag.time.max.ms=5000
offsets.topic.replication.factor=2
transaction.state.log.replication.factor=2
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=2
share.coordinator.state.topic.min.isr=1
$(common)
P
}

format() { # skipped when already formatted, so a restart keeps the data
  [ -e "$RUN/$1/data/meta.properties" ] && return 0
  # shellcheck disable=SC2086 # several words
  $JAVA -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$CP" \
     kafka.tools.StorageTool format -t "$CLUSTER_ID" -c "$RUN/$1/server.properties" ${KFORMAT:-} >"$RUN/$1/format.log" 2>&1 \
     || { cat "$RUN/$1/format.log" >&2; return 1; }
}

start() { # start ID ; needs server.properties + formatted dir
  local id=$1
  if [ -e "$RUN/$id/pid" ] && kill -0 "$(cat "$RUN/$id/pid")" 2>/dev/null; then return 0; fi
  # shellcheck disable=SC2086
  setsid nohup $JAVA -Xms${KHEAPMS:-64m} -Xmx$HEAP $JITOPT -XX:+UseSerialGC -Xshare:auto -Djava.awt.headless=true $LOGOPT \
     -cp "$CP" kafka.Kafka "$RUN/$id/server.properties" >"$RUN/$id/out.log" 2>&1 </dev/null &
  echo $! > "$RUN/$id/pid"
}

wait_up() { # wait_up ID PORT [SECONDS]
  local id=$1 port=$2 t=$(( ${3:-60} * 10 )) i
  for ((i=0; i<t; i++)); do
    kill -0 "$(cat "$RUN/$id/pid")" 2>/dev/null || { echo "node $id died" >&2; tail -20 "$RUN/$id/out.log" >&2; return 1; }
    # KafkaRaftServer prints "Kafka Server started" only after the broker is unfenced and listening
    if grep -q "Kafka Server started" "$RUN/$id/out.log" 2>/dev/null && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return 0; fi
    sleep 0.1
  done
  echo "node $id did not come up" >&2; tail -20 "$RUN/$id/out.log" >&2; return 1
}

tool() { $JAVA -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$CP" "$@"; }

bootstrap() { if [ -e "$RUN/1/mode2" ]; then echo 127.0.0.1:19191,127.0.0.1:19192; else echo "127.0.0.1:$PORT"; fi; }

case "${1:-}" in
  fetch) fetch ;;
  up1) fetch; conf1; rm -f "$RUN/1/mode2"; format 1; start 1; wait_up 1 "$PORT"; bootstrap ;;
  up2) fetch; confc; confb 1 19191; confb 2 19192; touch "$RUN/1/mode2"
       format 100 & a=$!; format 1 & b=$!; format 2 & c=$!; wait $a; wait $b; wait $c
       start 100; start 1; start 2; wait_up 100 19190; wait_up 1 19191; wait_up 2 19192; bootstrap ;;
  up) fetch; format 1; start 1; wait_up 1 "$2"; echo "127.0.0.1:$2" ;;
  start) start "$2"; case $2 in 100) p=19190;; 2) p=19192;; 1) [ -e "$RUN/1/mode2" ] && p=19191 || p=$PORT;; esac; wait_up "$2" $p ;;
  kill) p=$(cat "$RUN/$2/pid"); kill -9 "$p"                 # crash one node
        for _ in $(seq 80); do kill -0 "$p" 2>/dev/null || break; sleep 0.1; done
        rm -f "$RUN/$2/pid" ;;
  topic) n=$2 p=$3 r=$4; shift 4; a=(); for c in "$@"; do a+=(--config "$c"); done
       tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$(bootstrap)" --create --if-not-exists --topic "$n" --partitions "$p" --replication-factor "$r" "${a[@]}" ;;
  tool) shift; tool "$@" ;;
  status) for f in "$RUN"/*/pid; do p=$(cat "$f"); kill -0 "$p" 2>/dev/null && echo "$f $p rss_kb=$(awk '/VmRSS/{print $2}' /proc/$p/status)" || echo "$f $p down"; done ;;
  down) for f in "$RUN"/2/pid "$RUN"/1/pid "$RUN"/100/pid; do [ -e "$f" ] || continue; p=$(cat "$f")
         kill "$p" 2>/dev/null || true; for _ in $(seq 80); do kill -0 "$p" 2>/dev/null || break; sleep 0.1; done
         kill -9 "$p" 2>/dev/null || true; rm -f "$f"; done ;;
  clean) "$0" down; rm -rf "$RUN" ;;
  *) sed -n 2,13p "$0"; exit 2 ;;
esac
