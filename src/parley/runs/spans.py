"""A hook for OpenTelemetry: runs, episodes and calls as spans, by the conventions for generative AI (extra `otel`)."""

import json
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from parley.core.calls import ANSWERED, CACHED, NARROWED, Call
from parley.core.errors import BadInput, MissingExtra
from parley.core.said import EpisodeRecord
from parley.runs.hooks import Hook

NANO = 1_000_000_000


class Spans(Hook):
    """Runs, episodes and calls of models as OpenTelemetry spans: otel:spans.jsonl, or by OTLP (extra otel).

    Without `file`, spans go where the process's own tracer provider sends them, or by OTLP to the address in
    `OTEL_EXPORTER_OTLP_ENDPOINT`. With `content=true` they hold prompts and answers too. Names of attributes are those
    of OpenTelemetry's semantic conventions for generative AI systems.
    """

    def __init__(self, file: str = "", content: bool = False) -> None:
        self._content, self._closing = content, ExitStack()
        self._provider, self._own = _provider(file, self._closing)
        self._tracer = self._provider.get_tracer("parley")

    def begin(self, out: Path, manifest: Mapping[str, Any]) -> None:
        from opentelemetry.trace import set_span_in_context

        config = manifest["config"]
        about = {f"parley.{name}": value for name, value in config.items() if value is not None}
        about |= {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": config["planner"].partition(":")[0]}
        self._root = self._tracer.start_span(f"invoke_agent {about['gen_ai.agent.name']}", attributes=about)
        self._root.set_attribute("parley.out", str(out))
        self._within = set_span_in_context(self._root)

    def episode(self, record: EpisodeRecord, first_run: int) -> None:
        about: dict[str, Any] = {
            "parley.episode": record.episode,
            "parley.first_run": first_run,
            "parley.runs": len(record.returns),
        }
        about["parley.mean_return"] = float(record.returns.mean())
        self._span("episode", about, record.wall_s)

    def call(self, call: Call) -> None:
        if call.purpose == NARROWED:  # no call: from here on prompts are shorter
            return
        about: dict[str, Any] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": call.model,
            "gen_ai.usage.input_tokens": call.usage.prompt,
            "gen_ai.usage.cache_read.input_tokens": call.usage.cached,
            "gen_ai.usage.output_tokens": call.usage.completion,
            "parley.purpose": call.purpose,
            "parley.attempt": call.attempt,
            "parley.outcome": call.outcome,
            "parley.run": call.place.run,
            "parley.episode": call.place.episode,
            "parley.step": call.place.step,
        }
        if call.outcome not in (*ANSWERED, CACHED):
            about["error.type"] = call.outcome
        if self._content:
            about["gen_ai.input.messages"] = _message("user", call.prompt)
            about["gen_ai.output.messages"] = _message("assistant", call.answer)
        self._span(
            f"chat {call.model}", {name: value for name, value in about.items() if value is not None}, call.latency_s
        )

    def _span(self, name: str, about: Mapping[str, Any], wall_s: float) -> None:
        """A span that has just ended."""
        now = time.time_ns()
        kind = _api().SpanKind.CLIENT if "gen_ai.request.model" in about else _api().SpanKind.INTERNAL
        began = now - int(wall_s * NANO)
        span = self._tracer.start_span(name, self._within, kind, attributes=about, start_time=began)
        if "error.type" in about:
            span.set_status(_api().StatusCode.ERROR, str(about["error.type"]))
        span.end(now)

    def end(self, manifest: Mapping[str, Any]) -> None:
        self._root.set_attribute("parley.status", manifest["status"])
        if manifest["status"] != "finished":
            self._root.set_status(_api().StatusCode.ERROR, str(manifest.get("error", manifest["status"])))
        self._root.end()
        if self._own:
            self._provider.shutdown()
        self._closing.close()


def _message(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}], ensure_ascii=False)


def _provider(file: str, closing: ExitStack) -> tuple[Any, bool]:
    """A tracer provider, and whether it is ours to shut down."""
    api = _api()
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor
    except ImportError:
        raise MissingExtra("hook 'otel'", "otel") from None
    resource = Resource.create({"service.name": "parley"})
    if file:
        try:
            out = closing.enter_context(open(file, "a", encoding="utf-8"))
        except OSError as wrong:
            raise BadInput(f"otel:file={file!r} cannot be written: {wrong.strerror}") from None
        provider = TracerProvider(resource=resource)
        exporter = ConsoleSpanExporter(out=out, formatter=lambda span: span.to_json(indent=None) + "\n")
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        return provider, True
    given = api.get_tracer_provider()
    if isinstance(given, TracerProvider):
        return given, False
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise MissingExtra("hook 'otel' without file=", "otel") from None
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider, True


def _api() -> Any:
    try:
        from opentelemetry import trace
    except ImportError:
        raise MissingExtra("hook 'otel'", "otel") from None
    return trace
