#!/usr/bin/env bash
# Clients of the Open Inference Protocol, unchanged, against a live `ctr serve`:
# Triton's, KServe's and MLServer's score rows over REST and gRPC and get the
# bits that `ctr evaluate` gives. Each has an environment of its own, since their
# protobufs do not go together. Needs python3.
#   clients.sh CTR [tritonclient|kserve|mlserver …]
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
CTR=$(realpath "${1:?the binary}")
shift
[ $# -gt 0 ] || set -- tritonclient kserve mlserver
WORK=$(mktemp -d)
SERVER=
cleanup() {
  [ -z "$SERVER" ] || kill "$SERVER" 2>/dev/null || true
  rm -rf "$WORK"
}
trap cleanup EXIT
say() { printf '%s %s\n' "$(date +%T)" "$*" >&2; }

for peer in "$@"; do # first, since it may take minutes
  (cd "$ROOT" && scripts/lib/peers.sh "scripts/serve/requirements/$peer.txt") >"$WORK/$peer.python"
done
cd "$WORK"
"$CTR" synth --rows 20000 --out rows.csv 2>synth.txt
"$CTR" train rows.csv --algo lr --out model.ctr >train.txt
"$CTR" evaluate rows.csv --model model.ctr --predictions predictions.csv >evaluate.txt
# Port 0 lets the system choose: the first line says what it chose.
"$CTR" serve --model ctr=model.ctr --listen 127.0.0.1:0 --grpc 127.0.0.1:0 2>serve.txt &
SERVER=$!
for _ in $(seq 200); do
  grep -q '^serving' serve.txt && break
  sleep 0.1
done
HTTP=$(sed -n 's|^serving.* at http://\([0-9.:]*\), gRPC.*|\1|p' serve.txt)
GRPC=$(sed -n 's|^serving.*gRPC at \([0-9.:]*\);.*|\1|p' serve.txt)
[ -n "$HTTP" ] && [ -n "$GRPC" ] || { say "ctr serve: $(cat serve.txt)"; exit 1; }
for peer in "$@"; do
  "$(cat "$peer.python")" "$HERE/client_$peer.py" "$HTTP" "$GRPC" rows.csv predictions.csv
done
kill "$SERVER"
wait "$SERVER" || { say "ctr serve ended by $?: $(cat serve.txt)"; exit 1; }
SERVER=
say "clients: all well"
