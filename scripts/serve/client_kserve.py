"""kserve's clients over REST and gRPC: client_kserve.py HTTP GRPC ROWS PREDICTIONS."""

import asyncio

import numpy as np
from expected import MODEL, arguments, want
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig


def request(columns, whole, numpy=False, binary=False):
    inputs = []
    for name, values in columns.items():
        kind, data = ("INT64", whole[name]) if name in whole else ("BYTES", values)
        if numpy:
            t = InferInput(name, [len(values)], kind)
            made = np.array(data, dtype=np.int64) if kind == "INT64" else np.array([v.encode() for v in data], dtype=np.object_)
            t.set_data_from_numpy(made, binary_data=binary)
        else:
            t = InferInput(name, [len(values)], kind, data=data)
        inputs.append(t)
    return InferRequest(MODEL, inputs, request_id="7", parameters={"binary_data_output": True} if binary else None)


def check(e, what, answer):
    outputs = {o.name: o.as_numpy() for o in answer.outputs}
    e.check(f"kserve {what}", outputs["probability"], outputs["prediction"], outputs["id"])
    want(f"{what}: id", answer.id == "7" and answer.model_name == MODEL)


async def rest(address, e):
    url = f"http://{address}"
    client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=60))
    want("live", await client.is_server_live(url) is True)
    want("ready", await client.is_server_ready(url) is True)
    want("model ready", await client.is_model_ready(url, MODEL) is True)
    for whole in ({}, e.whole()):
        check(e, f"REST, {len(whole)} columns of INT64", await client.infer(url, request(e.columns, whole), model_name=MODEL))
        for binary in (True, False):
            made = request(e.columns, whole, numpy=True, binary=binary)
            check(e, f"REST, {len(whole)} columns of INT64, NumPy, binary {binary}", await client.infer(url, made, model_name=MODEL))
    await client.close()


async def rpc(address, e):
    client = InferenceGRPCClient(address, timeout=60)
    want("live", await client.is_server_live() is True)
    want("ready", await client.is_server_ready() is True)
    want("model ready", await client.is_model_ready(MODEL) is True)
    for whole in ({}, e.whole()):
        check(e, f"gRPC, {len(whole)} columns of INT64", await client.infer(request(columns_as_bytes(e, whole), whole)))
        made = request(e.columns, whole, numpy=True, binary=True)
        check(e, f"gRPC, {len(whole)} columns of INT64, raw", await client.infer(made))
    await client.close()


def columns_as_bytes(e, whole):
    return {name: values if name in whole else [v.encode() for v in values] for name, values in e.columns.items()}


def main():
    http, grpc, e = arguments()
    asyncio.run(rest(http, e))
    asyncio.run(rpc(grpc, e))


main()
