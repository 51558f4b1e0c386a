"""How good the predictions of all are, with intervals."""

import numpy as np

from bootstrap import intervals
from contestants import OURS_DEFAULT, PEERS_REAL, PEERS_SYNTHETIC
from runner import losses
from sklearn.metrics import roc_auc_score
from tables import Claim, absent, commands, plain

DEFAULT = "ctr lr, defaults"
# Log loss on TARGETS' real split that each family is to reach at its defaults.
REAL_LIMITS = {"ctr lr, defaults": .3950, "ctr rf, defaults": .4086, "ctr dt, defaults": .4118,
               "ctr ffm, defaults": .3972, "ctr gbdt, defaults": .4000}


def judge(bench, data, peers):
    """The lines of the table and of the comparison, and each one's log loss."""
    ran = bench.run_all(data, [*peers, *OURS_DEFAULT], once=True)
    constant = losses(np.full(len(data.y_test), data.y_train.mean()), data.y_test).mean()
    best = None if data.truth is None else losses(data.truth, data.y_test).mean()
    per_row = {c: losses(bench.predictions(data, c), data.y_test) for c in ran}
    loss = {c: float(per_row[c].mean()) for c in ran}
    lines = [[c.name, c.note, f"{loss[c]:.5f}", f"{roc_auc_score(data.y_test, bench.predictions(data, c)):.4f}",
              *share(loss[c], constant, best)] for c in sorted(ran, key=loss.get)]
    lines.append(["constant", "the training click rate", f"{constant:.5f}", ".5000", *share(constant, constant, best)])
    if best is not None:
        lines.insert(0, ["best possible", "the true probabilities", f"{best:.5f}", f"{roc_auc_score(data.y_test, data.truth):.4f}", *share(best, constant, best)])
    heads = ["", "", "test log loss", "test AUC", *(["of the way"] if best is not None else [])]
    return ran, per_row, loss, plain(heads, lines), (constant, best)


def share(loss, constant, best):
    return [] if best is None else [f"{(constant - loss) / (constant - best):.1%}"]


def against(ran, per_row, loss):
    """Lines that set our default and the best of ours beside each peer, and
    that best one."""
    mine, peers = [c for c in ran if c.ours], [c for c in ran if not c.ours]
    if not mine or not peers:
        return [], None
    best = min(mine, key=loss.get)
    text = []
    for c in dict.fromkeys([best, *(c for c in mine if c.name == DEFAULT)]):
        means, low, high = intervals(np.column_stack([per_row[c] - per_row[p] for p in peers]))
        rows = [[p.name, f"{m:+.5f}", f"{a:+.5f} … {b:+.5f}", verdict(m, a, b)]
                for p, m, a, b in sorted(zip(peers, means, low, high), key=lambda r: -r[1])]
        why = "the best of ours on these very rows, which flatters it a little" if c is best else "what ctr trains where nothing is said"
        text += ["", f"Log loss of {c.name} ({why}) less that of each peer, with 95 % intervals of the paired bootstrap over rows:", "",
                 *plain(["peer", "difference", "interval", c.name + " is"], rows)]
    return text, best


def verdict(mean, low, high):
    """In words; two that found the same optimum differ by nothing worth one."""
    if abs(mean) < 1e-5:
        return "the same to 1e-5"
    return "better" if high < 0 else "worse" if low > 0 else "neither: no claim"


class Synthetic:
    NAME = "quality-synthetic"

    @staticmethod
    def run(bench, data):
        ran, per_row, loss, lines, (constant, best) = judge(bench, data, PEERS_SYNTHETIC)
        text, mine = against(ran, per_row, loss)
        pairs = next((c for c in ran if c.name == "Vowpal Wabbit + 6 true pairs"), None)
        claims = []
        if mine is not None and pairs is not None:
            ours, theirs = ((constant - loss[c]) / (constant - best) for c in (mine, pairs))
            claims.append(Claim(ours >= theirs, f"{mine.name} goes {ours:.1%} of the way from constant to best possible, {pairs.name} {theirs:.1%}: want as much"))
        return [
            "The share of the way is (constant − log loss) / (constant − best possible).", "", *lines, *text, "", *absent(bench, data, [*PEERS_SYNTHETIC, *OURS_DEFAULT]),
        ], claims, commands(bench, data, ran)


class Real:
    NAME = "quality-real"

    @staticmethod
    def run(bench, data):
        ran, per_row, loss, lines, _ = judge(bench, data, PEERS_REAL)
        text, _ = against(ran, per_row, loss)
        named = {c.name: loss[c] for c in ran}
        claims = [Claim(named[n] <= most, f"test log loss of {n} is {named[n]:.5f}: want at most {most:.4f}")
                  for n, most in REAL_LIMITS.items() if n in named]
        return [
            "23,299 rows of Avazu, split by whole hours; all at default settings or at TARGETS' settings.", "",
            *lines, *text, "", *absent(bench, data, [*PEERS_REAL, *OURS_DEFAULT]),
        ], claims, commands(bench, data, ran)
