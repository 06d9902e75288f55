"""The application: routes, errors, cross-origin rules, and the pools that do its work."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

import service
from service.backends import cpu_of, kind_of
from service.settings import Settings
from service.stream.pipeline import Pipeline
from service.web import openapi
from service.web.middleware.access_log import Visit, Visits
from service.web.middleware.authorization import Authorization
from service.web.response import problems
from service.web.response.bodies import Bodies
from service.web.routes import (
    analysis,
    catalogue,
    health,
    hub,
    names,
    plan,
    playground,
    recipes,
    weights,
)
from service.web.shared.drain import Drain
from service.web.shared.library import Library
from service.web.shared.manifests import Manifests
from service.web.shared.metrics import Metrics
from service.web.shared.planning import Planning
from service.web.shared.quota import Quota

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
    "X-Tensorseed-Backend",
    "X-Tensorseed-Generator",
]
"""What a page in a browser may read of an answer."""


_LAST = 1.0
"""Seconds for answers that were cut off to come to an end."""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.drain.watch()
    yield
    with suppress(TimeoutError):  # what was cut off is counted and logged before the process ends
        async with asyncio.timeout(_LAST):
            while app.state.visits:  # noqa: ASYNC110 - a few turns of the loop, once in a life
                await asyncio.sleep(0)
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
    app.state.analyses = Quota(settings.max_analyses, "analyses", "max_analyses")
    app.state.donors = Quota(settings.max_donors, "donors", "max_donors")
    app.state.drain = Drain(settings.drain_delay)
    app.state.visits = set[Visit]()
    app.state.keys = settings.known_keys()
    library = Library(settings, settings.registry(), app.state.planning)
    app.state.library = library
    app.state.manifests = Manifests(app.state.pipeline, library, settings.max_cached_tensors)
    routers = [m.router for m in (weights, plan, analysis, recipes, names, catalogue, health)]
    if settings.metrics:
        routers.append(health.metrics_router)
    if settings.playground:
        routers.append(playground.router)
    routers.append(hub.router)  # last, for its paths match much
    for router in routers:
        app.include_router(router)
    own = [route for route in app.routes if isinstance(route, Route)]
    app.state.routes = [*own, *(route for router in routers for route in router.routes)]
    problems.install(app)
    if app.state.keys:
        app.add_middleware(Authorization, keys=app.state.keys)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "HEAD", "POST", "PUT"],
            allow_headers=_ALLOWED,
            expose_headers=_EXPOSED,
        )
    app.add_middleware(Visits, metrics=app.state.metrics, under_way=app.state.visits)
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]
    return app


def _metrics(pipeline: Pipeline) -> Metrics:
    about = {"backend": kind_of(pipeline.backend), "kernel": cpu_of(pipeline.backend).name}
    return Metrics({"version": service.__version__, "generator": "v1", **about})
