"""Who runs: every peer and every way of ctr's, with their settings.

A Contestant is a peer (a script in peers/, its settings, the requirements file
that brings it) or ctr with flags. The settings of peers are those that did
best on the last fifth of the synthetic training rows, where their defaults did
not; on the real rows, those that TARGETS has.
"""

from dataclasses import dataclass

L2 = 10.0
TREES, LEAVES, DEPTH, MIN_LEAF = 100, 63, 14, 5


@dataclass(frozen=True)
class Contestant:
    """name is what tables call it. settings are NAME=VALUE of a peer, flags
    are ctr's. reads is the form of the rows: csv, vw or prepared (ctr's own
    cache). A slow one runs once however many rounds there are."""

    name: str
    note: str = ""
    script: str = ""
    group: str = ""
    settings: tuple = ()
    flags: tuple = ()
    reads: str = "csv"
    slow: bool = False
    threads: int = 0  # 0: all cores
    evaluate: bool = True  # ctr: judge it on the test rows

    @property
    def ours(self):
        return not self.script


def peer(name, script, note="", group="", reads="csv", slow=False, threads=0, **settings):
    return Contestant(name, note, script, group, tuple(f"{k}={v}" for k, v in settings.items()), (), reads, slow, threads)


def ours(name, *flags, note="", reads="csv", threads=0, slow=False):
    return Contestant(name, note, "", "", (), tuple(map(str, flags)), reads, slow, threads)


FTRL = ("--algo", "lr", "--solver", "ftrl")
LR = ("--algo", "lr", "--l2", L2, "--min-count", 1)
TREE = ("--depth", DEPTH, "--min-leaf", MIN_LEAF)

# The six pairs of columns that act together in `ctr synth` (pipeline/synth).
TRUE_PAIRS = (("banner_pos", "device_model"), ("site_category", "C14"), ("C20", "C21"),
              ("app_id", "C18"), ("device_model", "C19"), ("app_domain", "C20"))


def vw_pairs(letters):
    return " ".join(f"-q {letters[a]}{letters[b]}" for a, b in TRUE_PAIRS)


VW = peer("Vowpal Wabbit", "vw_lr.py", "one pass, 2^22, from its own text", "vw", "vw", args="-b 22")
VW_CACHE = peer("Vowpal Wabbit, cache", "vw_lr.py", "one pass, 2^22, from its cache", "vw", "vw", args="-b 22 --cache_file {cache}")
VW_PAIRS = peer("Vowpal Wabbit + 6 true pairs", "vw_lr.py", "told which pairs act together", "vw", "vw", args="-b 22 {pairs}")

ONLINE = [
    VW, VW_CACHE, VW_PAIRS,
    ours("ctr ftrl", *FTRL, note="from CSV, 2 threads, deterministic", threads=2),
    ours("ctr ftrl, 1 thread", *FTRL, note="from CSV", threads=1),
    ours("ctr ftrl, lock-free", *FTRL, "--lock-free", note="from CSV, 2 threads", threads=2),
    ours("ctr ftrl, cache", *FTRL, note="from ctr prepare's file, 2 threads", reads="prepared", threads=2),
    ours("ctr ftrl, cache, 1 thread", *FTRL, note="from ctr prepare's file", reads="prepared", threads=1),
    ours("ctr ftrl, 2^18, cache, 1 thread", *FTRL, "--bits", 18, note="from ctr prepare's file", reads="prepared", threads=1),
]

LIBLINEAR = peer("LIBLINEAR", "liblinear_lr.py", "-s 0, default -e .01, 1 thread", "liblinear", l2=L2, eps=0.01, threads=1)
BATCH = [
    LIBLINEAR,
    peer("LIBLINEAR, 2 threads", "liblinear_lr.py", "its OpenMP edition, -m 2", "liblinear", l2=L2, eps=0.01, threads=2),
    peer("LIBLINEAR, converged", "liblinear_lr.py", "-m 2 -e .0005", "liblinear", l2=L2, eps=0.0005, threads=2, slow=True),
    peer("scikit-learn lbfgs", "sklearn_lr.py", "100 iterations, its default", l2=L2, solver="lbfgs", max_iter=100, slow=True),
    peer("scikit-learn newton-cg", "sklearn_lr.py", "", l2=L2, solver="newton-cg", max_iter=1000, slow=True),
    ours("ctr lr", *LR, note="default stop"),
    ours("ctr lr, to 1e-3", *LR, "--tol", "1e-2", note="--tol 1e-2"),
    ours("ctr lr, to 1e-4", *LR, "--tol", "1e-3", note="--tol 1e-3"),
    ours("ctr lr, converged", *LR, "--tol", "1e-7", note="--tol 1e-7: the optimum that gaps are taken from", slow=True),
]
SPARK = [
    peer("Spark", "spark_lr.py", "no scaler, 100 iterations, blocks of 64 MB", "spark", l2=L2, max_iter=100, tol=1e-6, block_mb=64, slow=True),
    ours("ctr lr", *LR, note="default stop"),
]

LIGHTGBM = peer("LightGBM", "lightgbm_gbdt.py", f"{TREES} x {LEAVES} leaves, categorical", "lightgbm",
                trees=TREES, num_leaves=LEAVES, learning_rate=0.1)
TREES_SECTION = [
    peer("scikit-learn DT", "sklearn_trees.py", f"depth {DEPTH}, p kept in .001 … .999", kind="dt", max_depth=DEPTH,
         min_samples_leaf=MIN_LEAF, clip=0.001),
    ours("ctr dt", "--algo", "dt", *TREE, note=f"depth {DEPTH}"),
    peer("scikit-learn RF", "sklearn_trees.py", f"{TREES} x depth {DEPTH}", kind="rf", n_estimators=TREES,
         max_depth=DEPTH, min_samples_leaf=MIN_LEAF, slow=True),
    ours("ctr rf", "--algo", "rf", "--trees", TREES, *TREE, note=f"{TREES} x depth {DEPTH}"),
    LIGHTGBM,
    peer("LightGBM, smoothed", "lightgbm_gbdt.py", "the same, cat_smooth 200, max_cat_threshold 256", "lightgbm", trees=TREES,
         num_leaves=LEAVES, learning_rate=0.1, cat_smooth=200, max_cat_threshold=256),
    peer("XGBoost", "xgboost_gbdt.py", f"hist, {TREES} x {LEAVES} leaves, frequency ranks", "xgboost",
         trees=TREES, max_leaves=LEAVES, learning_rate=0.1),
    peer("XGBoost, categories", "xgboost_gbdt.py", "the same, 1,000 categories a column, child weight 20", "xgboost", trees=TREES,
         max_leaves=LEAVES, learning_rate=0.1, cap=1000, max_cat_threshold=256, min_child_weight=20),
    peer("HistGradientBoosting", "sklearn_trees.py", f"{TREES} x {LEAVES} leaves, 254 categories a column", kind="hist", max_iter=TREES,
         max_leaf_nodes=LEAVES, learning_rate=0.1, cap=254),
    ours("ctr gbdt", "--algo", "gbdt", "--trees", TREES, "--leaves", LEAVES, "--early-stop", 0, note=f"{TREES} x {LEAVES} leaves"),
]

FFM = [
    peer("libffm", "libffm_ffm.py", "k 4, 3 passes, 2 threads", "libffm", threads=2, nr_iters=3, k=4),
    ours("ctr ffm", "--algo", "ffm", "--factors", 4, "--passes", 3, "--early-stop", 0, note="k 4, 3 passes"),
    ours("ctr ffm, lock-free", "--algo", "ffm", "--factors", 4, "--passes", 3, "--early-stop", 0, "--lock-free", note="k 4, 3 passes"),
]

# Every family at its defaults, for the quality of predictions alone.
OURS_DEFAULT = [
    ours("ctr lr, defaults", "--algo", "lr"),
    ours("ctr lr, 6 crosses found", "--algo", "lr", "--auto-cross", 6, note="--auto-cross 6"),
    ours("ctr ftrl, defaults", *FTRL),
    ours("ctr ftrl, 6 crosses found", *FTRL, "--auto-cross", 6, note="--auto-cross 6"),
    ours("ctr dt, defaults", "--algo", "dt"),
    ours("ctr rf, defaults", "--algo", "rf"),
    ours("ctr gbdt, defaults", "--algo", "gbdt"),
    ours("ctr gbdt-lr, defaults", "--algo", "gbdt-lr"),
    ours("ctr fm, defaults", "--algo", "fm"),
    ours("ctr ffm, defaults", "--algo", "ffm"),
]
PEERS_SYNTHETIC = [VW, VW_PAIRS, LIBLINEAR, *(c for c in TREES_SECTION if not c.ours), FFM[0]]
PEERS_REAL = [
    peer("Vowpal Wabbit", "vw_lr.py", "one pass, 2^22", "vw", "vw", args="-b 22"),
    peer("scikit-learn LR", "sklearn_lr.py", "one-hot, C .1, default stop", l2=L2, solver="lbfgs", max_iter=100),
    peer("LIBLINEAR", "liblinear_lr.py", "-s 0, C .1, converged", "liblinear", l2=L2, eps=0.0001, threads=1),
    peer("scikit-learn DT", "sklearn_trees.py", "depth 6, leaf 50, p kept in .001 … .999", kind="dt", max_depth=6, min_samples_leaf=50, clip=0.001),
    peer("scikit-learn RF", "sklearn_trees.py", "200 x depth 20, leaf 5", kind="rf", n_estimators=200, max_depth=20, min_samples_leaf=5),
    peer("LightGBM", "lightgbm_gbdt.py", "100 x 31 leaves, rate .05", "lightgbm", trees=100, num_leaves=31, learning_rate=0.05),
    peer("LightGBM, smoothed", "lightgbm_gbdt.py", "the same, cat_smooth 50", "lightgbm", trees=100, num_leaves=31, learning_rate=0.05, cat_smooth=50),
    peer("XGBoost", "xgboost_gbdt.py", "100 x depth 6, rate .1, one-hot", "xgboost", trees=100, onehot="true", grow_policy="depthwise", max_depth=6, learning_rate=0.1),
    peer("HistGradientBoosting", "sklearn_trees.py", "100 x 31 leaves, rate .05, 254 categories a column", kind="hist", max_iter=100,
         max_leaf_nodes=31, learning_rate=0.05, cap=254),
    peer("libffm", "libffm_ffm.py", "k 4, 8 passes, lambda .0001, 1 thread", "libffm", threads=1, nr_iters=8, k=4, **{"lambda": 0.0001}),
]
