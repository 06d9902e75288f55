"""The application: routes, errors, cross-origin rules, and the pools that do its work."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

import service
from service.metrics import Metrics
from service.pipeline import Pipeline
from service.settings import Settings
from service.web import catalogue, health, hub, names, openapi, plan, problems, recipes, weights
from service.web.bodies import Bodies
from service.web.drain import Drain
from service.web.gate import Gate
from service.web.library import Library
from service.web.manifests import Manifests
from service.web.planning import Planning
from service.web.visits import Visits

_DESCRIPTION = """Initial weights for every training stack: POST a JSON recipe, get a safetensors
file. The same recipe gives the same bytes on every machine, whole or in slices, always."""


_ALLOWED = [
    "Authorization",
    "Content-Type",
    "If-Match",
    "If-None-Match",
    "If-Range",
    "Range",
    "X-Api-Key",
    "X-Request-Id",
]
"""What a page in a browser may send beside what it always may."""

_EXPOSED = [
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Range",
    "ETag",
    "Location",
    "Repr-Digest",
    "Retry-After",
    "X-Error-Code",
    "X-Linked-Etag",
    "X-Linked-Size",
    "X-Repo-Commit",
    "X-Request-Id",
    "X-Tensorseed-Generator",
]
"""What a page in a browser may read of an answer."""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.drain.watch()
    yield
    app.state.manifests.close()
    app.state.library.registry.close()


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application.

    Args:
        settings: Where and how to serve; from the environment if left out.
    """
    settings = settings or Settings()
    app = FastAPI(
        title="tensorseed",
        version=service.__version__,
        description=_DESCRIPTION,
        docs_url="/docs" if settings.docs else None,
        openapi_url="/openapi.json" if settings.docs else None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.settings = settings
    # A plan is a hundred thousand small objects without cycles: looking through them as often as
    # Python does by default would take a third of the time that planning takes.
    gc.set_threshold(50_000, 20, 20)
    app.state.planning = Planning(settings.threads)
    app.state.pipeline = settings.pipeline()
    app.state.metrics = _metrics(app.state.pipeline)
    app.state.bodies = Bodies(app.state.pipeline, settings, app.state.metrics)
    app.state.drain = Drain(settings.drain_delay, app.state.metrics)
    app.state.keys = settings.known_keys()
    library = Library(settings, settings.registry(), app.state.planning)
    app.state.library = library
    app.state.manifests = Manifests(app.state.pipeline, library, settings.max_cached_tensors)
    for module in (weights, plan, recipes, names, catalogue, health, hub):  # the Hub's match much
        app.include_router(module.router)
    if settings.metrics:
        app.include_router(health.metrics_router)
    problems.install(app)
    if app.state.keys:
        app.add_middleware(Gate, keys=app.state.keys)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "HEAD", "POST", "PUT"],
            allow_headers=_ALLOWED,
            expose_headers=_EXPOSED,
        )
    app.add_middleware(Visits, metrics=app.state.metrics)
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]
    return app


def _metrics(pipeline: Pipeline) -> Metrics:
    backend = pipeline.backend
    return Metrics({"version": service.__version__, "generator": "v1", "kernel": backend.name})
