#!/usr/bin/env bash
# Reports functions that nothing reaches from main or from a test. The packages'
# exported names are a documented API and may have users outside, so only
# unexported functions and methods of unexported types count.
#
#   scripts/lib/deadcode.sh PATH-OF-DEADCODE
set -euo pipefail
cd "$(dirname "$0")/../.."

found=$("$1" -test -f '{{range .Funcs}}{{.Position}}: {{.Name}}{{println}}{{end}}' ./... |
  { grep -E ': ([a-z][A-Za-z0-9_]*\.)?[a-z][A-Za-z0-9_]*$' || true; })
if [ -n "$found" ]; then
  echo "functions that nothing calls:"
  echo "$found"
  exit 1
fi
