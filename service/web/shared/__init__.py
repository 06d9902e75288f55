"""What all requests of a server share: quotas, planning threads, caches, the registry."""

from dataclasses import dataclass
from typing import Self

import service
from service.backends import backend_kind, cpu_backend
from service.backends.cupy import CupyBackend
from service.keys import Keys
from service.settings import Settings
from service.stream.pipeline import Pipeline
from service.web.metrics import Metrics
from service.web.shared.drain import Drain
from service.web.shared.library import Library
from service.web.shared.manifests import Manifests
from service.web.shared.planning import Planning
from service.web.shared.quotas import Quotas
from service.web.shared.registry import AsyncRegistry


@dataclass(frozen=True)
class Shared:
    """One of everything that requests use.

    Args:
        settings: Settings and limits.
        keys: Keys that a request needs one of; empty if it needs none.
        pipeline: Computes chunks.
        metrics: Counts for Prometheus.
        quotas: How much may be in use at once.
        planning: The threads that plan.
        registry: Stored recipes and names.
        library: The planned checkpoints of stored recipes and links.
        manifests: The digests of their files.
        drain: Whether the server is shutting down.
    """

    settings: Settings
    keys: Keys
    pipeline: Pipeline
    metrics: Metrics
    quotas: Quotas
    planning: Planning
    registry: AsyncRegistry
    library: Library
    manifests: Manifests
    drain: Drain

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what a server with these settings shares.

        Raises:
            BackendUnavailable: The settings ask for GPUs, and there is none.
            KernelUnavailable: The kernel is not available on this machine.
            OSError: ``keys_file`` cannot be read.
            ValueError: A key's entry is malformed.
        """
        pipeline, planning = settings.pipeline(), Planning(settings.threads)
        registry = AsyncRegistry(settings.registry())

        def observe() -> None:
            shared.observe()

        shared = cls(
            settings=settings,
            keys=settings.known_keys(),
            pipeline=pipeline,
            metrics=_metrics(pipeline),
            quotas=Quotas(settings, observe),
            planning=planning,
            registry=registry,
            library=Library(settings, planning),
            manifests=Manifests(pipeline, registry, settings.max_cached_tensors),
            drain=Drain(settings.drain_delay),
        )
        shared.metrics.limit.set(settings.max_bodies)
        shared.metrics.tensors_limit.set(settings.max_held_tensors)
        shared.metrics.buffered_limit.set(settings.max_buffered_bytes)
        return shared

    @property
    def backend(self) -> str:
        """Where values are computed, as responses name it: ``cupy`` or ``numpy``."""
        return backend_kind(self.pipeline.backend)

    @property
    def kernel(self) -> str:
        """Name of the kernel that computes on the processor."""
        return cpu_backend(self.pipeline.backend).name

    def observe(self) -> None:
        """Update the metrics of what is in use now."""
        self.metrics.bodies.set(self.quotas.bodies.held)
        self.metrics.waiting.set(self.quotas.bodies.waiting)
        self.metrics.tensors.set(self.quotas.tensors.held)
        self.metrics.buffered.set(self.pipeline.buffers.in_use)
        self.metrics.draining.set(self.drain.has_begun)
        backend = self.pipeline.backend
        if isinstance(backend, CupyBackend):
            self.metrics.fallbacks.inc(backend.take_fallbacks())

    def close(self) -> None:
        """Abandon what is still computed, and close the registry."""
        self.manifests.close()
        self.registry.close()


def _metrics(pipeline: Pipeline) -> Metrics:
    computes = {
        "backend": backend_kind(pipeline.backend),
        "kernel": cpu_backend(pipeline.backend).name,
    }
    return Metrics({"version": service.__version__, "generator": "v1", **computes})


__all__ = ["Shared"]
