#!/usr/bin/env python3
"""Compiles pipeline/synth for processors that have fused multiply-add and fails
if the compiler used one: it would make other bytes there than on amd64.

Usage, from the root of the repository: scripts/crosscheck/synth_fused.py
"""
import os
import re
import subprocess
import sys

PACKAGE = "ctr/pipeline/synth"
FUSED = re.compile(r"\t(FN?M(ADD|SUB)[SD]?|W?FN?M[AS]\w*|VFN?M\w+)\t")

bad = 0
for arch in ("arm64", "ppc64le", "riscv64", "s390x", "loong64"):
    env = dict(os.environ, GOOS="linux", GOARCH=arch, CGO_ENABLED="0")
    # -a would rebuild the standard library; a flag unknown to the cache does not.
    listing = subprocess.run(
        ["go", "build", f"-gcflags={PACKAGE}=-S", "./pipeline/synth"],
        env=env, capture_output=True, text=True, check=True,
    ).stderr
    if "STEXT" not in listing:
        sys.exit(f"{arch}: no listing from the compiler")
    multiplications = len(re.findall(r"\tF?MUL\w*\t", listing))
    hits = [line for line in listing.splitlines() if FUSED.search(line)]
    print(f"{arch}: {len(listing.splitlines())} lines, {multiplications} multiplications, {len(hits)} fused")
    for line in hits:
        print("  " + line.strip())
    bad += len(hits)
sys.exit(bad > 0)
