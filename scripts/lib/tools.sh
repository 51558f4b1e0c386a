#!/usr/bin/env bash
# Builds the developer tools of tools/go.mod from source and prints the folder
# they are in. They are built once for each content of tools/go.sum and go
# version, into ~/.cache/ctr-tools, and found there afterwards: golangci-lint
# alone takes one to three minutes to compile.
#
#   scripts/lib/tools.sh            → /home/me/.cache/ctr-tools/0123456789ab
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)

key=$({ cat "$root/tools/go.mod" "$root/tools/go.sum"; go env GOVERSION; } | sha256sum | cut -c1-12)
dir=${XDG_CACHE_HOME:-$HOME/.cache}/ctr-tools/$key
if [ ! -e "$dir/.ok" ]; then
  echo "tools: building into $dir (first time only)" >&2
  # A folder of its own, renamed when complete: two builds at once don't mix.
  work=$(mktemp -d "${TMPDIR:-/tmp}/ctr-tools.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  CGO_ENABLED=0 go -C "$root/tools" build -trimpath -ldflags='-s -w' -o "$work/" tool >&2
  mkdir -p "$dir"
  mv -f "$work"/* "$dir/"
  touch "$dir/.ok"
fi
echo "$dir"
