"""Metrics for Prometheus; those of several worker processes are added up."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
    multiprocess,
)

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable of the folder in which worker processes share their counts."""

CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The metrics of one application.

    Args:
        about: Labels of ``tensorseed_info``: version, kernel and so on.
    """

    def __init__(self, about: Mapping[str, str]) -> None:
        self._folder = os.environ.get(FOLDER)
        self._registry = CollectorRegistry()
        if not self._folder:
            ProcessCollector(registry=self._registry)
        self._gauge(
            "info", "Version, backend and kernel of the server; its value is 1.", tuple(about)
        ).labels(**about).set(1)
        self.requests = Counter(
            "tensorseed_requests",
            "Requests that got a response.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self.first_byte = Histogram(
            "tensorseed_first_byte_seconds",
            "From the head of a request to the first byte of the response's body.",
            ("route",),
            registry=self._registry,
            buckets=_SECONDS,
        )
        self.sent = self._counter("sent_bytes", "Bytes of bodies that were handed to sockets.")
        self.values = self._counter("values", "Values of tensors in the weights that were sent.")
        self.aborted = Counter(
            "tensorseed_aborted",
            "Responses that ended early, by reason.",
            ("reason",),
            registry=self._registry,
        )
        for reason in ("client", "stall", "deadline", "shutdown", "error"):
            self.aborted.labels(reason)  # a rate sees the first one only if there was a zero
        self.fallbacks = self._counter(
            "gpu_fallbacks", "Chunks that a GPU could not compute, and the processor did."
        )
        self.registry_errors = self._counter(
            "registry_errors",
            "Requests that failed because the registry's database did not respond.",
        )
        self.in_flight = self._gauge("requests_in_flight", "Requests that are being handled.")
        self.bodies = self._gauge("bodies_in_flight", "Bodies of weights that are being streamed.")
        self.waiting = self._gauge("bodies_waiting", "Bodies that wait for a free place.")
        self.limit = self._gauge("bodies_limit", "Bodies that may be streamed at once.")
        self.tensors = self._gauge("held_tensors", "Tensors of the recipes in use.")
        self.tensors_limit = self._gauge("held_tensors_limit", "Tensors that may be in use.")
        self.buffered_limit = self._gauge(
            "buffered_bytes_limit", "Bytes of chunks that may be in use."
        )
        self.buffered = self._gauge("buffered_bytes", "Bytes of chunks in use by streams.")
        self.draining = self._gauge("draining", "1 once the server is shutting down.")

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        if not self._folder:
            return generate_latest(self._registry)
        for pid in {path.stem.rpartition("_")[2] for path in Path(self._folder).glob("gauge*.db")}:
            if not _is_alive(int(pid)):
                with suppress(FileNotFoundError):  # another worker removes it, too
                    multiprocess.mark_process_dead(int(pid), self._folder)  # type: ignore[no-untyped-call]
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, self._folder)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    def _counter(self, name: str, what: str) -> Counter:
        return Counter(f"tensorseed_{name}", what, registry=self._registry)

    def _gauge(self, name: str, what: str, labels: tuple[str, ...] = ()) -> Gauge:
        mode: Literal["livemax", "livesum"] = "livesum"
        if name in {"info", "draining"}:
            mode = "livemax"
        return Gauge(
            f"tensorseed_{name}", what, labels, registry=self._registry, multiprocess_mode=mode
        )


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
