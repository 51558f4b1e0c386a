#!/usr/bin/env bash
# `ctr serve` beside Python's servers; writes the section "serving" of
# BENCHMARKS.md. wrk is taken from Debian's packages where it is not there, ghz
# is compiled once, Python's servers are installed once, pinned.
#   serve.sh CTR     SERVESECONDS (10) a run, SERVEROUNDS (2) rounds;
#                    SERVERECORD=no prints what would be written
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
CTR=$1
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/ctr
SECONDS_=${SERVESECONDS:-10} ROUNDS=${SERVEROUNDS:-2}
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

WRK=$(type -P wrk || true)
if [ -z "$WRK" ]; then
  WRK=$CACHE/wrk/usr/bin/wrk
  if [ ! -e "$CACHE/wrk/.ok" ]; then
    echo "serve: unpacking Debian's wrk into $CACHE/wrk (first time only)" >&2
    [ "$(id -u)" -ne 0 ] || apt-get update -qq >&2
    rm -rf "$CACHE/wrk" && mkdir -p "$CACHE/wrk"
    (cd "$WORK" && apt-get -q download wrk libluajit-5.1-2 libluajit-5.1-common >&2)
    for package in "$WORK"/*.deb; do dpkg -x "$package" "$CACHE/wrk"; done
    touch "$CACHE/wrk/.ok"
  fi
  export LD_LIBRARY_PATH
  LD_LIBRARY_PATH=$(echo "$CACHE"/wrk/usr/lib/*/)
fi

# A peer that can't be had is left out, and said so.
flags=()
for peer in fastapi mlserver; do
  if python=$("$ROOT/scripts/lib/peers.sh" "$HERE/requirements/$peer.txt"); then
    flags+=("--$peer" "$python")
  else
    echo "serve: $peer can't be installed, and is left out" >&2
  fi
done
GHZ=$CACHE/ghz/ghz
if [ -e "$GHZ" ] || GOBIN=$CACHE/ghz go install github.com/bojand/ghz/cmd/ghz@v0.120.0 >&2; then
  flags+=(--ghz "$GHZ")
else
  echo "serve: ghz can't be compiled: gRPC is left out" >&2
fi

cd "$ROOT"
CGO_ENABLED=0 go build -o "$WORK/constant" "$HERE/serving/constant.go"
flags+=(--constant "$WORK/constant")
python3 "$HERE/serve.py" --ctr "$CTR" --wrk "$WRK" --seconds "$SECONDS_" --rounds "$ROUNDS" "${flags[@]}" >"$WORK/out.txt"
if [ "${SERVERECORD:-yes}" = no ]; then
  cat "$WORK/out.txt"
else
  python3 scripts/lib/record.py --ctr "$CTR" serving "make bench-serve SERVESECONDS=$SECONDS_ SERVEROUNDS=$ROUNDS" <"$WORK/out.txt"
fi
