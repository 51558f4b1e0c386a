"""Opens a model file with the safetensors package and prints what is in it.

    modelfile.py MODEL

One JSON document: "metadata" (string to string), "sha256" (the sum over the
content, computed here from the description in models/file.go) and "tensors",
by name: dtype and shape as NumPy has them, and values: up to 1,000 of them,
as numbers.

Made with safetensors 0.8.0 and NumPy 2.2.6.
"""

import hashlib
import json
import math
import sys

from safetensors import safe_open

# What safetensors calls the types that NumPy calls float64 and so on.
DTYPES = {
    "float64": "F64", "float32": "F32", "uint8": "U8", "uint16": "U16",
    "uint32": "U32", "uint64": "U64", "int32": "I32", "int64": "I64",
}


def content_sum(metadata, tensors):
    h = hashlib.sha256()

    def number(n):
        h.update(n.to_bytes(8, "little"))

    def text(b):
        number(len(b))
        h.update(b)

    pairs = sorted((k.encode(), v.encode()) for k, v in metadata.items() if k != "sha256")
    number(len(pairs))
    for key, value in pairs:
        text(key)
        text(value)
    number(len(tensors))
    for name, t in sorted((n.encode(), t) for n, t in tensors.items()):
        text(name)
        text(DTYPES[t.dtype.name].encode())
        number(t.ndim)
        for d in t.shape:
            number(d)
        text(t.astype(t.dtype.newbyteorder("<")).tobytes())
    return h.hexdigest()


def values(t):
    return [v if math.isfinite(v) else str(v) for v in t.ravel()[:1000].tolist()]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with safe_open(sys.argv[1], framework="numpy") as f:
        metadata = f.metadata()
        tensors = {name: f.get_tensor(name) for name in f.keys()}
    result = {
        "metadata": metadata,
        "sha256": content_sum(metadata, tensors),
        "tensors": {
            name: {"dtype": t.dtype.name, "shape": list(t.shape), "values": values(t)}
            for name, t in tensors.items()
        },
    }
    json.dump(result, sys.stdout, sort_keys=True)


main()
