"""tritonclient over HTTP and gRPC: client_tritonclient.py HTTP GRPC ROWS PREDICTIONS."""

import numpy as np
import tritonclient.grpc as tgrpc
import tritonclient.http as thttp
from expected import MODEL, arguments, want


def inputs(module, columns, whole, **how):
    made = []
    for name, values in columns.items():
        if name in whole:
            t = module.InferInput(name, [len(values)], "INT64")
            t.set_data_from_numpy(np.array(whole[name], dtype=np.int64), **how)
        else:
            t = module.InferInput(name, [len(values), 1], "BYTES")
            t.set_data_from_numpy(np.array([v.encode() for v in values], dtype=np.object_).reshape(-1, 1), **how)
        made.append(t)
    return made


def check(e, what, result):
    e.check(f"tritonclient {what}", result.as_numpy("probability"), result.as_numpy("prediction"), result.as_numpy("id"))
    want(f"{what}: id", (result.get_response()["id"] if what.startswith("http") else result.get_response().id) == "7")


def refused(error, call):
    try:
        call()
    except error as x:
        return "not served here" in str(x)
    return False


def about(client, module, what):
    want(f"{what}: live", client.is_server_live())
    want(f"{what}: ready", client.is_server_ready())
    want(f"{what}: model ready", client.is_model_ready(MODEL))
    want(f"{what}: other model", not client.is_model_ready("other"))


def main():
    http, grpc, e = arguments()
    for whole in ({}, e.whole()):
        types = f"{len(whole)} columns of INT64"
        client = thttp.InferenceServerClient(http)
        about(client, thttp, "http")
        for binary in (True, False):
            given = inputs(thttp, e.columns, whole, binary_data=binary)
            check(e, f"http, {types}, binary {binary}", client.infer(MODEL, given, request_id="7"))
            outputs = [thttp.InferRequestedOutput(n, binary_data=not binary) for n in ("id", "prediction", "probability")]
            check(e, f"http, {types}, binary {binary}, answer {not binary}", client.infer(MODEL, given, outputs=outputs, request_id="7"))
        given = inputs(thttp, e.columns, whole, binary_data=True)
        check(e, f"http, {types}, gzip", client.infer(MODEL, given, request_id="7", request_compression_algorithm="gzip", response_compression_algorithm="gzip"))
        client.close()

        client = tgrpc.InferenceServerClient(grpc)
        about(client, tgrpc, "grpc")
        given = inputs(tgrpc, e.columns, whole)
        check(e, f"grpc, {types}", client.infer(MODEL, given, request_id="7"))
        outputs = [tgrpc.InferRequestedOutput(n) for n in ("probability", "prediction", "id")]
        check(e, f"grpc, {types}, gzip", client.infer(MODEL, given, outputs=outputs, request_id="7", compression_algorithm="gzip"))
        client.close()

    client = thttp.InferenceServerClient(http)
    metadata = client.get_model_metadata(MODEL)
    version = metadata["versions"][0]
    want("metadata", metadata["platform"] == "ctr_lr" and metadata["outputs"][0]["name"] == "probability")
    want("version", client.is_model_ready(MODEL, version) and client.get_model_metadata(MODEL, version) == metadata)
    want("server", client.get_server_metadata()["name"] == "ctr")
    want("index", client.get_model_repository_index() == [{"name": MODEL, "version": version, "state": "READY", "reason": ""}])
    want("refused", refused(thttp.InferenceServerException, lambda: client.infer("other", inputs(thttp, e.columns, {}))))
    client.close()
    client = tgrpc.InferenceServerClient(grpc)
    same = client.get_model_metadata(MODEL, version, as_json=True)
    want("metadata", [i["name"] for i in same["inputs"]] == [i["name"] for i in metadata["inputs"]] and same["platform"] == "ctr_lr")
    want("server", client.get_server_metadata().name == "ctr")
    want("index", client.get_model_repository_index().models[0].name == MODEL)
    want("refused", refused(tgrpc.InferenceServerException, lambda: client.infer("other", inputs(tgrpc, e.columns, {}))))
    client.close()


main()
