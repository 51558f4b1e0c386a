#!/usr/bin/env bash
# `ctr serve` under schemathesis, under a thousand reloads, and under ten
# thousand requests that no client should send. Needs python3; installs
# schemathesis, pinned, the first time.
#   run.sh [CTR]     CTR is the binary; built from the tree if left out
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
CTR=${1:-}
if [ -z "$CTR" ]; then
  WORK=$(mktemp -d)
  trap 'rm -rf "$WORK"' EXIT
  CTR=$WORK/ctr
  (cd "$ROOT" && CGO_ENABLED=0 go build -trimpath -o "$CTR" .)
fi
PYTHON=$("$ROOT/scripts/lib/peers.sh" "$HERE/requirements.txt")
"$PYTHON" "$HERE/openapi.py" --ctr "$CTR" --schemathesis "$(dirname "$PYTHON")/schemathesis"
"$PYTHON" "$HERE/reload.py" --ctr "$CTR"
"$PYTHON" "$HERE/abuse.py" --ctr "$CTR"
