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
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log=$work/log
cache=$(go env GOCACHE)/fuzz

# fuzz_one DIR PACKAGE TARGET runs a target of the program that was compiled of
# PACKAGE's tests, as go test would. The minimiser is held to a few executions:
# left to itself it may take all of the time. When the time ends while it works,
# go says "context deadline exceeded" and fails without a failing input, which
# is no finding; every real one names the input it wrote.
fuzz_one() {
  (cd "$1" && "$work/fuzz.test" -test.paniconexit0 -test.run '^$' -test.fuzz "^$3\$" -test.fuzztime "$fuzztime" \
    -test.fuzzminimizetime 10x -test.fuzzcachedir "$cache/$2") </dev/null 2>&1 | tee "$log" && return 0
  if grep -q 'context deadline exceeded' "$log" && ! grep -qE 'Failing input|panic|testdata/fuzz|_test.go:' "$log"; then
    echo "fuzz: $2 $3: the time ended while go was minimising; nothing was found"
    return 0
  fi
  return 1
}

# Go compiles and links anew for each target, so each package is compiled here,
# once, and only those that have targets.
while read -r dir package files; do
  # shellcheck disable=SC2086 # files are names without spaces
  targets=$(cd "$dir" && grep -hoE '^func Fuzz[A-Za-z0-9_]*' $files | sed 's/^func //' || true)
  [ -n "$targets" ] || continue
  go test -c -fuzz . -o "$work/fuzz.test" "$package"
  for target in $targets; do
    run=$((run + 1))
    echo "fuzz: $package $target for $fuzztime"
    fuzz_one "$dir" "$package" "$target" || failed+=("$package $target")
  done
done < <(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.Dir}} {{.ImportPath}} {{join .TestGoFiles " "}} {{join .XTestGoFiles " "}}{{end}}' ./...)

if [ "$run" -eq 0 ]; then
  echo "fuzz: no targets found" >&2
  exit 1
fi
if [ "${#failed[@]}" -gt 0 ]; then
  printf 'fuzz: FAIL %s\n' "${failed[@]}" >&2
  exit 1
fi
echo "fuzz: $run targets, none failed"
