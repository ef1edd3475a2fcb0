"""Asks a model server over gRPC, directly and through an agent; ends with what differs."""
import struct
import sys

import grpc
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc import dataplane_pb2_grpc as rpc


def tensor(start):
    return [((start + i) % 17) / 8.0 - 1.0 for i in range(12)]


def typed(n):
    one = pb.ModelInferRequest(model_name="loan", id=f"typed-{n}")
    put = one.inputs.add(name="predict", datatype="FP64", shape=[3, 4])
    put.contents.fp64_contents.extend(tensor(n))
    return one


def raw(n):
    one = pb.ModelInferRequest(model_name="loan", id=f"raw-{n}")
    one.inputs.add(name="predict", datatype="FP64", shape=[3, 4])
    one.raw_input_contents.append(struct.pack("<12d", *tensor(n)))
    return one


def told(call, request):
    """What a client sees of a call: bytes, metadata, code and words."""
    try:
        answer, seen = call.with_call(request, timeout=20)
        body = answer.SerializeToString(deterministic=True)
    except grpc.RpcError as error:
        body, seen = b"", error
    kept = [(m.key, m.value) for m in seen.trailing_metadata() or []]
    first = [(m.key, m.value) for m in seen.initial_metadata() or []]
    return body, first, kept, seen.code(), seen.details()


def main(ports):
    stubs = [rpc.GRPCInferenceServiceStub(grpc.insecure_channel(f"127.0.0.1:{p}")) for p in ports]
    requests = [make(n) for n in range(24) for make in (typed, raw)]
    requests.append(pb.ModelInferRequest(model_name="none", id="none"))
    calls = 0
    for request in requests:
        direct, through = [told(stub.ModelInfer, request) for stub in stubs]
        calls += 1
        if direct != through:
            sys.exit(f"{request.id}: {direct} became {through}")
    good = told(stubs[0].ModelInfer, requests[0])
    if good[3] != grpc.StatusCode.OK or not good[0]:
        sys.exit(f"the model server refuses what this test asks: {good}")
    direct, through = [told(stub.ServerLive, pb.ServerLiveRequest()) for stub in stubs]
    calls += 1
    if direct != through:
        sys.exit(f"live: {direct} became {through}")
    print(calls, "calls")


main([int(port) for port in sys.argv[1:3]])
