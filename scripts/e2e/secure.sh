#!/usr/bin/env bash
# ctr on an Apache Kafka whose listeners demand client certificates, passwords
# (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512) or tokens (OAUTHBEARER), all over TLS;
# what goes wrong is said, and no secret is in any output. Needs java 17,
# openssl and python3 (for a token endpoint), and, the first time, mvn.
#   secure.sh [CTR]     CTR is the binary; built from the tree if left out
# PORT is the first of five ports (default 19290).
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
WORK=$(mktemp -d)
PORT=${PORT:-19290}
export KRUN=$WORK/kafka JITOPT=${JITOPT--XX:TieredStopAtLevel=1}
cleanup() {
  # shellcheck disable=SC2046 # one word a job
  kill $(jobs -p) 2>/dev/null || true
  "$HERE/kafka.sh" down
  rm -rf "$WORK"
}
trap cleanup EXIT
say() { printf '%s %s\n' "$(date +%T)" "$*" >&2; }
die() { say "FAILED: $*"; tail -5 "$WORK"/out/* >&2 2>/dev/null || true; exit 1; }

CTR=${1:-}
if [ -z "$CTR" ]; then
  CTR=$WORK/ctr
  (cd "$ROOT" && CGO_ENABLED=0 go build -trimpath -o "$CTR" .)
fi
mkdir -p "$WORK/out" "$KRUN/1"
cd "$WORK"
SECRET=pw$(openssl rand -hex 12)
CLIENT=cs$(openssl rand -hex 12)

say "certificates"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca 2>/dev/null
sign() { # sign NAME
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out "$1.pem" \
    -extfile <(echo subjectAltName=IP:127.0.0.1) 2>/dev/null
}
sign broker
sign client
cat broker.key broker.pem >broker.both

cat >"$KRUN/1/server.properties" <<P
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$PORT
listeners=CONTROLLER://127.0.0.1:$PORT,INTERNAL://127.0.0.1:$((PORT+1)),MTLS://127.0.0.1:$((PORT+2)),NAMES://127.0.0.1:$((PORT+3)),TOKENS://127.0.0.1:$((PORT+4))
advertised.listeners=INTERNAL://127.0.0.1:$((PORT+1)),MTLS://127.0.0.1:$((PORT+2)),NAMES://127.0.0.1:$((PORT+3)),TOKENS://127.0.0.1:$((PORT+4))
controller.listener.names=CONTROLLER
inter.broker.listener.name=INTERNAL
listener.security.protocol.map=CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,MTLS:SSL,NAMES:SASL_SSL,TOKENS:SASL_SSL
ssl.keystore.type=PEM
ssl.keystore.location=$WORK/broker.both
ssl.truststore.type=PEM
ssl.truststore.location=$WORK/ca.pem
listener.name.mtls.ssl.client.auth=required
listener.name.names.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.names.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="$SECRET";
listener.name.names.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.names.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.tokens.sasl.enabled.mechanisms=OAUTHBEARER
listener.name.tokens.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";
listener.name.tokens.oauthbearer.connections.max.reauth.ms=60000
log.dirs=$KRUN/1/data
num.network.threads=2
num.io.threads=4
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
KFORMAT="--add-scram SCRAM-SHA-256=[name=alice,password=$SECRET] --add-scram SCRAM-SHA-512=[name=alice,password=$SECRET]" \
  "$HERE/kafka.sh" up $((PORT+4)) >/dev/null

"$CTR" synth --rows 2000 --out rows.csv
"$CTR" train rows.csv --algo lr --split none --quiet --out model.ctr >/dev/null

echo 'no row' >bad.csv

# all NAME RATE: with the environment as it is, every kind of client works.
all() {
  local out=$WORK/out/$1
  say "$1"
  "$CTR" topics create "$1" --partitions 2 --replication 1 >>"$out" 2>&1 || die "$1: topics create"
  "$CTR" replay rows.csv --topic "$1" --rate "$2" --json >>"$out" 2>&1 || die "$1: replay"
  "$CTR" score --topic "$1" --group "$1" --model model.ctr --until-end --log-format json \
    --output "kafka:$1-scored" --delivery exactly-once --create >>"$out" 2>&1 || die "$1: score"
  "$CTR" replay bad.csv --columns "$(head -1 rows.csv)" --topic "$1" --rate max >>"$out" 2>&1 || die "$1: replay of bad rows"
  "$CTR" score --topic "$1" --group "$1" --model model.ctr --until-end --quiet \
    --output "kafka:$1-scored" --delivery exactly-once >>"$out" 2>&1 || die "$1: score bad rows"
  "$CTR" replay --dead-letters "kafka:$1-scored.dead" --topic "$1-again" >>"$out" 2>&1 && die "$1: dead letters to a topic that is not there"
  "$CTR" topics create "$1-again" --partitions 1 --replication 1 >>"$out" 2>&1 || die "$1: topics create"
  "$CTR" replay --dead-letters "kafka:$1-scored.dead" --topic "$1-again" --json >again 2>>"$out" || die "$1: replay --dead-letters"
  cat again >>"$out"
  grep -q '"acknowledged": 1,' again || die "$1: dead letters: $(cat again)"
  "$CTR" topics lag --group "$1" --topic "$1" >>"$out" 2>&1 || die "$1: topics lag"
  grep -q '^lag 0 in all$' "$out" || die "$1: lag"
  "$CTR" score --topic "$1" --group "$1-file" --model model.ctr --until-end --quiet --output "$1.csv" >>"$out" 2>&1 || die "$1: score to a file"
  [ "$(wc -l <"$1.csv")" -eq 2001 ] || die "$1.csv: $(wc -l <"$1.csv") lines, want 2001"
}
# refused NAME TEXT: listing topics fails, and the error says TEXT.
refused() {
  local out=$WORK/out/refused-$1 code=0
  "$CTR" topics >"$out" 2>&1 || code=$?
  [ "$code" -eq 1 ] || die "$1: exit code $code, want 1"
  grep -q -- "$2" "$out" || die "$1: $(cat "$out"): want $2"
  say "$1: $(head -1 "$out")"
}

export CTR_TLS_CA=$WORK/ca.pem
(
  export CTR_BROKERS=127.0.0.1:$((PORT+2))
  CTR_TLS_CERT=client.pem CTR_TLS_KEY=client.key all mtls max
  refused no-certificate '--tls-cert'
  CTR_TLS_CERT=client.pem CTR_TLS_KEY=client.key CTR_TLS_CA='' refused no-authority '--tls-ca'
  CTR_TLS_CA='' refused no-tls '--tls'
  CTR_BROKERS=127.0.0.1:$((PORT+1)) refused no-tls-there 'its answer is not TLS'
)
(
  export CTR_BROKERS=127.0.0.1:$((PORT+3)) CTR_SASL_USER=alice
  for m in PLAIN SCRAM-SHA-256 SCRAM-SHA-512; do
    export CTR_SASL=$m
    CTR_SASL_PASSWORD=$SECRET all "$m" max
    CTR_SASL_PASSWORD=${SECRET}x refused "$m" "$m: user alice: user or password is refused"
  done
  printf '%s\n' "$SECRET" >password
  CTR_SASL_PASSWORD='' CTR_SASL_PASSWORD_FILE=password all password-file max
  unset CTR_SASL CTR_SASL_USER
  refused no-name '--sasl'
)
# jwt SECONDS: a token without a signature that lives so long.
jwt() {
  local b64='s/+/-/g; s,/,_,g; s/=//g' now
  now=$(date +%s)
  printf '%s.%s.' "$(printf '{"alg":"none"}' | base64 -w0 | sed "$b64")" \
    "$(printf '{"sub":"alice","iat":%d,"exp":%d}' "$now" $((now+$1)) | base64 -w0 | sed "$b64")"
}
cat >endpoint.py <<'P'
import base64, http.server, json, sys, time
def b64(x): return base64.urlsafe_b64encode(json.dumps(x).encode()).rstrip(b"=").decode()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        user = base64.b64decode(self.headers["Authorization"].split()[1]).decode()
        ok, now = user == "ctr:" + sys.argv[2], int(time.time())
        token = b64({"alg": "none"}) + "." + b64({"sub": "alice", "iat": now, "exp": now + 5}) + "."
        body = json.dumps({"access_token": token, "expires_in": 5} if ok else {"error": "invalid_client"}).encode()
        self.send_response(200 if ok else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if ok: print("token", token, flush=True)
    def log_message(self, *a): pass
s = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print("port", s.server_port, flush=True)
s.serve_forever()
P
python3 endpoint.py "" "$CLIENT" >endpoint.log 2>endpoint.err &
for _ in $(seq 100); do grep -q ^port endpoint.log && break; sleep 0.1; done
(
  export CTR_BROKERS=127.0.0.1:$((PORT+4)) CTR_SASL=OAUTHBEARER
  jwt 600 >token
  CTR_OAUTH_TOKEN_FILE=token all token-file max
  jwt -600 >old
  CTR_OAUTH_TOKEN_FILE=old refused old-token 'OAUTHBEARER: the token is refused'
  export CTR_OAUTH_CLIENT_ID=ctr
  CTR_OAUTH_TOKEN_URL=http://127.0.0.1:$(sed -n 's/^port //p' endpoint.log)/token
  export CTR_OAUTH_TOKEN_URL
  # 2000 rows in 14 s: tokens of 5 s are renewed under way.
  CTR_OAUTH_CLIENT_SECRET=$CLIENT all token-endpoint 140
  CTR_OAUTH_CLIENT_SECRET=${CLIENT}x refused client-secret '401 invalid_client'
)
RENEWED=$(grep -c ^token endpoint.log)
[ "$RENEWED" -ge 7 ] || die "$RENEWED tokens in 5 runs, one of them of 14 s: want 7 or more"

# Live over six lives of tokens: fetching, committing, transactions and
# producing all say who they are again and again, and nobody notices.
say "ctr score and ctr replay over six lives of a token"
(
  export CTR_BROKERS=127.0.0.1:$((PORT+4)) CTR_SASL=OAUTHBEARER CTR_OAUTH_CLIENT_ID=ctr CTR_OAUTH_CLIENT_SECRET=$CLIENT
  CTR_OAUTH_TOKEN_URL=http://127.0.0.1:$(sed -n 's/^port //p' endpoint.log)/token
  export CTR_OAUTH_TOKEN_URL
  "$CTR" topics create live --partitions 2 --replication 1 >>out/live 2>&1 || die "live: topics create"
  "$CTR" score --topic live --group live-file --model model.ctr --quiet --output live.csv >out/live-file 2>&1 &
  FILE=$!
  "$CTR" score --topic live --group live-topic --model model.ctr --quiet --output kafka:live-scored \
    --delivery exactly-once --create >out/live-topic 2>&1 &
  TOPIC=$!
  "$CTR" replay rows.csv --topic live --rate 66 --json >out/live-replay 2>&1 || die "live: replay: $(cat out/live-replay)"
  sleep 2
  kill -0 "$FILE" && kill -0 "$TOPIC" || die "live: a scorer has ended: $(tail -3 out/live-file out/live-topic)"
  kill -INT "$FILE" "$TOPIC"
  wait "$FILE" || die "live: score to a file: $(tail -3 out/live-file)"
  wait "$TOPIC" || die "live: score to a topic: $(tail -3 out/live-topic)"
  grep -q '"acknowledged": 2000,' out/live-replay || die "live: $(cat out/live-replay)"
  [ "$(tail -n +2 live.csv | cut -d, -f1 | sort | uniq | wc -l)" -eq 2000 ] && [ "$(wc -l <live.csv)" -eq 2001 ] ||
    die "live.csv: $(wc -l <live.csv) lines, want 2001"
  "$CTR" topics lag --group live-topic --topic live >>out/live 2>&1 || die "live: topics lag"
  grep -q '^lag 0 in all$' out/live || die "live: lag: $(cat out/live)"
  # Not a word of it: no line that something is refused, sent again or tried again.
  if grep -hiE 'again|refused|sasl|does not answer' out/live-file out/live-topic out/live-replay; then die "live: want no word of renewals"; fi
)
LIVE=$(($(grep -c ^token endpoint.log) - RENEWED))
[ "$LIVE" -ge 18 ] || die "$LIVE tokens for three programs over 30 s: want 18 or more"

say "no secret in any output"
{ printf '%s\n%s\n' "$SECRET" "$CLIENT"; cat token old; echo; sed -n 's/^token //p' endpoint.log; sed -n 2p client.key; } | sed '/^$/d' >secrets
[ "$(wc -l <secrets)" -ge 10 ] || die "$(wc -l <secrets) secrets to look for"
if grep -rqF -f secrets out ./*.csv; then
  die "secrets in $(grep -rlF -f secrets out ./*.csv)"
fi
say "all well: $LIVE tokens while live, $(find out -type f | wc -l) outputs, $(wc -l <secrets) secrets, none in them"
