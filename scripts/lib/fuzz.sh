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
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# fuzz_one PACKAGE TARGET. The minimiser is held to a few executions: left to
# itself it may take all of the time. When the time ends while it works, go
# says "context deadline exceeded" and fails without a failing input, which is
# no finding; every real one names the input it wrote.
fuzz_one() {
  go test -run '^$' -fuzz "^$2\$" -fuzztime "$fuzztime" -fuzzminimizetime 10x "$1" 2>&1 | tee "$log" && return 0
  if grep -q 'context deadline exceeded' "$log" && ! grep -qE 'Failing input|panic|testdata/fuzz|_test.go:' "$log"; then
    echo "fuzz: $1 $2: the time ended while go was minimising; nothing was found"
    return 0
  fi
  return 1
}

for package in $(go list ./...); do
  targets=$(go test -list '^Fuzz' "$package" | { grep '^Fuzz' || true; })
  for target in $targets; do
    run=$((run + 1))
    echo "fuzz: $package $target for $fuzztime"
    fuzz_one "$package" "$target" || failed+=("$package $target")
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
