#!/usr/bin/env bash
# The live page in headless Chromium, and ctr watch on a pseudo-terminal: the
# figures on the page are those of /api/live and /metrics, axe finds no fault in
# light and dark on a phone and a desktop, and connections that are lost come back.
# Needs node and npm, python3, and Chromium: Debian's is installed where there is
# none and the user may. What drives Chromium is pinned in page/package-lock.json
# and kept in ~/.cache/ctr-page.
#   page.sh [CTR]     CTR is the binary; built from the tree if left out
# PICTURE=FILE writes the README's screenshot instead, after two minutes of rows
# (with pngquant).
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
PICTURE=${PICTURE:+$(cd "$(dirname "$PICTURE")" && pwd)/$(basename "$PICTURE")}
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
say() { printf '%s %s\n' "$(date +%T)" "$*" >&2; }

CTR=${1:-}
if [ -z "$CTR" ]; then
  CTR=$WORK/ctr
  (cd "$ROOT" && CGO_ENABLED=0 go build -trimpath -o "$CTR" .)
fi

find_chromium() {
  local name
  for name in chromium chromium-browser google-chrome; do
    if command -v "$name"; then return; fi
  done
  return 1
}
missing=()
find_chromium >"$WORK/chromium" || missing+=(chromium fonts-inter)
[ -z "$PICTURE" ] || command -v pngquant >/dev/null || missing+=(pngquant)
if [ ${#missing[@]} -gt 0 ]; then
  say "installing ${missing[*]} (first time only)"
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$WORK/apt.log" 2>&1 ||
    { cat "$WORK/apt.log" >&2; exit 1; }
  find_chromium >"$WORK/chromium"
fi
CHROMIUM=$(cat "$WORK/chromium")

key=$({ cat "$HERE/page/package-lock.json"; node --version; } | sha256sum | cut -c1-12)
modules=${XDG_CACHE_HOME:-$HOME/.cache}/ctr-page/$key
if [ ! -e "$modules/.ok" ]; then
  say "installing what drives Chromium into $modules (first time only)"
  rm -rf "$modules"
  mkdir -p "$modules"
  cp "$HERE"/page/package*.json "$modules"
  (cd "$modules" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --ignore-scripts >&2)
  touch "$modules/.ok"
fi
cp "$HERE"/page/*.mjs "$WORK"
ln -s "$modules/node_modules" "$WORK/node_modules"

export CTR CHROMIUM WORK
cd "$WORK"
if [ -n "$PICTURE" ]; then
  node --test --test-reporter=spec picture.mjs
  pngquant --force --quality 50-95 --output "$PICTURE" picture.png
  size=$(stat -c %s "$PICTURE")
  [ "$size" -lt 300000 ] || { say "$PICTURE: $size bytes, want fewer than 300,000"; exit 1; }
  exit
fi
node --test --test-concurrency=1 --test-reporter=spec stream.test.mjs serve.test.mjs
say "ctr watch on a terminal"
"$CTR" synth --rows 2000 --seed 7 --out watch.csv --quiet
"$CTR" train watch.csv --out watch.ctr --quiet >/dev/null
python3 "$HERE/page/watch.py" "$CTR" watch.ctr
