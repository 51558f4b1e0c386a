#!/usr/bin/env bash
# Makes a Python environment with the pinned packages of a requirements file
# and prints the path of its interpreter. It is made once for each content of
# the file, under ~/.cache/ctr-peers, and found there afterwards.
#
#   scripts/lib/peers.sh scripts/crosscheck/requirements.txt
set -euo pipefail
requirements=$1
base=${PYTHON:-python3}

key=$({ cat "$requirements"; "$base" --version; } | sha256sum | cut -c1-12)
dir=${XDG_CACHE_HOME:-$HOME/.cache}/ctr-peers/$key
if [ ! -e "$dir/.ok" ]; then
  echo "peers: installing $requirements into $dir (first time only)" >&2
  rm -rf "$dir"
  mkdir -p "$(dirname "$dir")"
  # Debian's python3 may come without ensurepip: virtualenv brings its own.
  "$base" -m venv "$dir" >&2 || "$base" -m virtualenv "$dir" >&2
  "$dir/bin/python" -m pip install --quiet --no-input --requirement "$requirements" >&2
  touch "$dir/.ok"
fi
echo "$dir/bin/python"
