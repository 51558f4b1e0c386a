#!/usr/bin/env bash
# Runs every fuzz target of every package, one after another, and fails when
# one of them fails. A failing input is left by go in the package's
# testdata/fuzz: commit it with the fix, so that it stays a test.
#
#   scripts/lib/fuzz.sh [TIME=30s]
set -euo pipefail
cd "$(dirname "$0")/../.."
fuzztime=${1:-30s}

run=0
failed=()
for package in $(go list ./...); do
  targets=$(go test -list '^Fuzz' "$package" | { grep '^Fuzz' || true; })
  for target in $targets; do
    run=$((run + 1))
    echo "fuzz: $package $target for $fuzztime"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" "$package" || failed+=("$package $target")
  done
done

if [ "$run" -eq 0 ]; then
  echo "fuzz: no targets found" >&2
  exit 1
fi
if [ "${#failed[@]}" -gt 0 ]; then
  printf 'fuzz: FAIL %s\n' "${failed[@]}" >&2
  exit 1
fi
echo "fuzz: $run targets, none failed"
