"""KServe's own Python server, with a model of four numbers: version 1, version 2, CloudEvents."""
import sys

import numpy
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer

weights = numpy.array([1.0, -0.5, 0.25, 0.0])


class Loan(Model):
    def __init__(self):
        super().__init__("loan")
        self.load()

    def load(self):
        self.ready = True
        return self.ready

    def predict(self, payload, headers=None, response_headers=None):
        if isinstance(payload, InferRequest):
            rows = payload.inputs[0].as_numpy()
        else:
            rows = numpy.array(payload["instances"])
        decided = (rows.reshape(-1, 4) @ weights > 0).astype(numpy.int64)
        if isinstance(payload, InferRequest):
            told = InferOutput(name="decision", shape=list(decided.shape), datatype="INT64")
            told.set_data_from_numpy(decided, binary_data=False)
            return InferResponse(model_name="loan", infer_outputs=[told], response_id=payload.id)
        return {"predictions": decided.tolist()}


http, grpc = map(int, sys.argv[1:3])
ModelServer(http_port=http, grpc_port=grpc, workers=1, enable_docs_url=False).start([Loan()])
