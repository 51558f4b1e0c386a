"""MLServer's types, codecs and stub: client_mlserver.py HTTP GRPC ROWS PREDICTIONS."""

import urllib.request

import grpc
import pandas as pd
from expected import MODEL, arguments, want
from mlserver.codecs import Base64Codec, NumpyCodec, PandasCodec, StringCodec
from mlserver.grpc import converters
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub
from mlserver.types import InferenceRequest, InferenceResponse, MetadataModelResponse, MetadataServerResponse, RequestOutput


def requests(e, as_bytes):
    """Yields what they are called and requests of the same rows by each codec. gRPC wants bytes."""
    yield "str", InferenceRequest(id="7", inputs=[StringCodec.encode_input(n, v, use_bytes=as_bytes) for n, v in e.columns.items()])
    yield "base64", InferenceRequest(id="7", inputs=[Base64Codec.encode_input(n, [x.encode() for x in v], use_bytes=as_bytes) for n, v in e.columns.items()])
    whole = e.whole()
    frame = pd.DataFrame({n: pd.Series(whole.get(n, v), dtype="int64" if n in whole else "object") for n, v in e.columns.items()})
    made = PandasCodec.encode_request(frame, use_bytes=as_bytes)
    made.id = "7"
    yield "pandas", made
    yield "numpy", InferenceRequest(id="7", inputs=[
        NumpyCodec.encode_input(n, frame[n].to_numpy()) if n in whole else StringCodec.encode_input(n, v, use_bytes=as_bytes) for n, v in e.columns.items()
    ])


def check(e, what, answer):
    outputs = {o.name: o for o in answer.outputs}
    ids = StringCodec.decode_output(outputs["id"])
    e.check(f"mlserver {what}", NumpyCodec.decode_output(outputs["probability"]).ravel(), NumpyCodec.decode_output(outputs["prediction"]).ravel(), ids)
    want(f"{what}: id", answer.id == "7" and answer.model_name == MODEL)


def get(url):
    with urllib.request.urlopen(url, timeout=60) as r:
        return r.read()


def post(url, body):
    with urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"}), timeout=60) as r:
        return r.read()


def main():
    http, address, e = arguments()
    url = f"http://{http}/v2"
    want("server", MetadataServerResponse.model_validate_json(get(url)).name == "ctr")
    described = MetadataModelResponse.model_validate_json(get(f"{url}/models/{MODEL}"))
    version = described.versions[0]
    inputs = {t.name: t for t in described.inputs}
    want("inputs", inputs["site_id"].parameters.content_type == "str" and inputs["id"].datatype == "BYTES")
    stub = GRPCInferenceServiceStub(grpc.insecure_channel(address))
    same = converters.ModelMetadataResponseConverter.to_types(stub.ModelMetadata(converters.pb.ModelMetadataRequest(name=MODEL)))
    want("metadata", [t.name for t in same.inputs] == [t.name for t in described.inputs])
    want("live", stub.ServerLive(converters.pb.ServerLiveRequest()).live and stub.ServerReady(converters.pb.ServerReadyRequest()).ready)
    want("model ready", stub.ModelReady(converters.pb.ModelReadyRequest(name=MODEL, version=version)).ready)
    for as_bytes in (False, True):
        for codec, request in requests(e, as_bytes):
            body = request.model_dump_json().encode()
            what = f"{codec} as {'bytes' if as_bytes else 'text'}"
            check(e, f"REST, {what}", InferenceResponse.model_validate_json(post(f"{url}/models/{MODEL}/versions/{version}/infer", body)))
            if as_bytes:
                request.outputs = [RequestOutput(name=n) for n in ("probability", "prediction", "id")]
                message = converters.ModelInferRequestConverter.from_types(request, model_name=MODEL)
                check(e, f"gRPC, {what}", converters.ModelInferResponseConverter.to_types(stub.ModelInfer(message, timeout=60)))


main()
