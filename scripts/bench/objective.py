"""The objective of every logistic regression, computed in one way: from the
weights by value that each left, on the rows as one one-hot matrix."""

import json
import os
from pathlib import Path

import numpy as np
from safetensors import safe_open

os.environ.setdefault("OMP_NUM_THREADS", "2")
import sys  # noqa: E402

sys.path.append(str(Path(__file__).parent / "peers"))


class Problem:
    """Σ log loss + ½·l2·‖w‖² over training rows, the intercept free of penalty."""

    def __init__(self, train, l2):
        from common import onehot, table

        self.y, self.columns = table(train)
        self.x, self.starts = onehot(self.columns)
        self.l2 = l2

    def value(self, weights, bias):
        """weights: by column name, a dictionary from text to weight. Weights of
        values that no training row has count in the penalty."""
        w, rest = np.zeros(self.x.shape[1]), 0.0
        for (name, (_, texts)), start in zip(self.columns.items(), self.starts):
            of = dict(weights[name])
            known = np.array([of.pop(t, 0.0) for t in texts.to_pylist()])
            w[start:start + len(known)] = known
            rest += sum(v * v for v in of.values())
        margin = self.x @ w + bias
        loss = np.logaddexp(0, np.where(self.y == 1, -margin, margin)).sum()
        return float(loss + 0.5 * self.l2 * (w @ w + rest))

    def of_peer(self, path):
        with np.load(path) as f:
            names = [n.removeprefix("texts/") for n in f.files if n.startswith("texts/")]
            weights = {n: dict(zip(f[f"texts/{n}"].tolist(), f[f"weights/{n}"].tolist())) for n in names}
            return self.value(weights, float(f["bias"]))

    def of_ours(self, path):
        """From ctr's model file, whose fields are all dictionaries here."""
        with safe_open(path, framework="np") as f:
            spec = json.loads(f.metadata()["spec"])
            tensors = {name: f.get_tensor(name) for name in f.keys()}
        table, weights, at = tensors["lr/weights"], {}, 0
        for i, field in enumerate(spec["fields"]):
            if field["type"] != "dict" or len(field["from"]) != 1:
                raise ValueError(f"field {i}: want a dictionary of one column")
            text, ends = tensors[f"dict/{i}/bytes"].tobytes(), [int(o) for o in tensors[f"dict/{i}/offsets"]]
            texts = [text[a:b].decode() for a, b in zip(ends, ends[1:])]
            name = field.get("part") or field["from"][0]
            if name == "hour_time":  # the number 7 for our 7, the text 07 for the peers
                texts = [t.zfill(2) for t in texts]
            # Code 0, of values not known, comes first and weighs nothing.
            weights[name] = dict(zip(texts, table[at + 1:at + 1 + len(texts)].tolist()))
            at += len(texts) + 1
        return self.value(weights, float(tensors["lr/bias"][0]))
