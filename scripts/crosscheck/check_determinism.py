"""The same bytes for the same seed at any number of threads."""

import hashlib

THREADS = (1, 2, 7)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def run(context):
    data, kind = context.rows()
    cases = [
        ("lr", ["--algo", "lr"]),
        ("lr-bits", ["--algo", "lr", "--bits", "16"]),
        ("lr-l1", ["--algo", "lr", "--l1", "1"]),
        ("lr-ftrl", ["--algo", "lr", "--solver", "ftrl", "--bits", "18"]),
        ("ffm", ["--algo", "ffm", "--passes", "2"]),
        ("fm-bits", ["--algo", "fm", "--passes", "2", "--bits", "16"]),
        ("lr-random-split", ["--algo", "lr", "--split", "random", "--seed", "3"]),
        ("dt", ["--algo", "dt"]),
        ("rf", ["--algo", "rf", "--trees", "20", "--seed", "5"]),
    ]
    for name, flags in cases:
        sums = {}
        for threads in THREADS:
            model, _ = context.train(data, *flags, "--threads", threads)
            sums[threads] = digest(model)
        context.report.check(f"determinism/{name}", len(set(sums.values())) == 1,
                             f"{kind} rows, model.ctr at {', '.join(map(str, THREADS))} threads: " + " ".join(sorted(set(sums.values()))))
    first, _ = context.train(data, "--algo", "rf", "--trees", "20", "--seed", "5", "--threads", "2")
    other, _ = context.train(data, "--algo", "rf", "--trees", "20", "--seed", "6", "--threads", "2")
    context.report.check("determinism/seed", digest(first) != digest(other), "another seed gives another forest")
