"""Exports calls of a language model by OpenTelemetry's own gRPC exporter, and says how that went.

usage: otlp_grpc.py PORT TOKEN FIRST COUNT COMPRESSION
"""

import sys

import grpc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

# 2020-01-01T00:00:10Z.
START = 1_577_836_810_000_000_000


def main():
    port, token, first, count, compression = sys.argv[1:]
    ended = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ended))
    tracer = provider.get_tracer("test")
    for i in range(int(first), int(first) + int(count)):
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "toy",
            "gen_ai.response.id": f"r-{i}",
            "gen_ai.usage.input_tokens": 7,
            "gen_ai.usage.output_tokens": 9,
            "gen_ai.usage.reasoning.output_tokens": 1,
        }
        span = tracer.start_span("chat toy", attributes=attributes, start_time=START)
        judged = {"gen_ai.evaluation.name": "Right", "gen_ai.evaluation.score.value": 1}
        span.add_event("gen_ai.evaluation.result", judged, START + 5_000_000_000)
        span.end(START + 250_000_000)
    exporter = OTLPSpanExporter(
        endpoint=f"127.0.0.1:{port}",
        insecure=True,
        headers=(("authorization", f"Bearer {token}"),),
        compression=getattr(grpc.Compression, compression),
        timeout=20,
    )
    print(exporter.export(ended.get_finished_spans()).name)


main()
