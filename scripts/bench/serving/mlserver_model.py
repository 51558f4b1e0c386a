"""A runtime of MLServer with the model as a dictionary (see fastapi_app.py):
its requests are decoded and checked by MLServer, and nothing else takes time."""

import json
import math
import os

from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput


class Dictionary(MLModel):
    async def load(self):
        with open(os.environ["TABLE"]) as f:
            table = json.load(f)
        self.baseline, self.weights = table["baseline"], table["weights"]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        columns = {i.name: i.data.root for i in payload.inputs}
        n = payload.inputs[0].shape[0]
        x = [self.baseline] * n
        for column, weights in self.weights.items():
            for i, value in enumerate(columns[column]):
                x[i] += weights.get(value, 0.0)
        p = [1 / (1 + math.exp(-v)) for v in x]
        return InferenceResponse(model_name=self.name, id=payload.id, outputs=[ResponseOutput(name="probability", shape=[n], datatype="FP64", data=p)])
