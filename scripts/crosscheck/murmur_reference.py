"""Writes features/testdata/murmur3.csv: MurmurHash3_x86_32 as onnxruntime has it.

Made with onnxruntime 1.23.2 and onnx 1.19.1:
    python scripts/crosscheck/murmur_reference.py > features/testdata/murmur3.csv

Each line is seed, value as hexadecimal bytes, hash as an unsigned integer.
"""
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

VALUES = ["", "a", "ab", "abc", "abcd", "85f751fd", "ecad2386", "a99f214a", "-1", "1005", "20362",
          "100084", "85f751fd\x1f1fbe01fe", "the quick brown fox jumps over", "é", "日本語",
          "0123456789abcdef0123456789abcdef0"]
SEEDS = [0, 1, 42, 2147483647, 2147483648, 4294967295]


def hashes(seed):
    attrs = {"seed": seed if seed < 2**31 else seed - 2**32, "positive": 1}
    node = helper.make_node("MurmurHash3", ["x"], ["y"], domain="com.microsoft", **attrs)
    graph = helper.make_graph(
        [node], "g",
        [helper.make_tensor_value_info("x", TensorProto.STRING, [None])],
        [helper.make_tensor_value_info("y", TensorProto.UINT32, [None])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)])
    model.ir_version = 10
    s = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return s.run(None, {"x": np.array(VALUES, dtype=object)})[0]


for seed in SEEDS:
    for value, h in zip(VALUES, hashes(seed)):
        sys.stdout.write(f"{seed},{value.encode().hex()},{int(h)}\n")
