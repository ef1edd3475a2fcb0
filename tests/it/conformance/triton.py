"""A real Triton inference server on the processor, with a model of four numbers."""
import sys

import numpy
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

http, grpc, metrics = map(int, sys.argv[1:4])
weights = numpy.array([1.0, -0.5, 0.25, 0.0])


@batch
def answer(predict):
    return {"decision": (predict @ weights > 0).astype(numpy.int64)[:, None]}


config = TritonConfig(http_address="127.0.0.1", http_port=http, grpc_address="127.0.0.1",
                      grpc_port=grpc, metrics_port=metrics)
with Triton(config=config) as triton:
    triton.bind("loan", infer_func=answer,
                inputs=[Tensor(name="predict", dtype=numpy.float64, shape=(4,))],
                outputs=[Tensor(name="decision", dtype=numpy.int64, shape=(1,))],
                config=ModelConfig(max_batch_size=64, batching=True, batcher=DynamicBatcher()))
    triton.serve()
