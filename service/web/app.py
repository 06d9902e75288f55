"""The application: its routes, middleware and errors, over what all its requests share."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

import service
from service.settings import Settings
from service.web import openapi
from service.web.context import RequestContext
from service.web.middleware import AccessLog, Authorization
from service.web.response import problems
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
from service.web.shared import Shared

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
"""Headers that a page of another origin may send."""

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
"""Headers that a page of another origin may read."""

_LAST = 1.0
"""Seconds for responses that were cut off to end."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application.

    Args:
        settings: Settings and limits; from the environment if left out.

    Raises:
        BackendUnavailable: The settings ask for GPUs, and there is none.
        KernelUnavailable: The kernel is not available on this machine.
    """
    settings = settings or Settings()
    # A plan is a hundred thousand small objects without cycles. Searching them for cycles as often
    # as Python does by default would take a third of the time of planning.
    gc.set_threshold(50_000, 20, 20)
    shared = Shared.of(settings)
    active: set[RequestContext] = set()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        shared.drain.watch()
        yield
        with suppress(TimeoutError):  # count and log what was cut off before the process ends
            async with asyncio.timeout(_LAST):
                while active:  # noqa: ASYNC110 - a few turns of the loop, once
                    await asyncio.sleep(0)
        shared.close()

    app = FastAPI(
        title="tensorseed",
        version=service.__version__,
        description=_DESCRIPTION,
        docs_url="/docs" if settings.docs else None,
        openapi_url="/openapi.json" if settings.docs else None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.shared = shared  # for tests; routes get it with their context
    problems.install(app, _add_routes(app, settings))
    if shared.keys:
        app.add_middleware(Authorization, keys=shared.keys)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "HEAD", "POST", "PUT"],
            allow_headers=_ALLOWED,
            expose_headers=_EXPOSED,
        )
    app.add_middleware(AccessLog, shared=shared, active=active)
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]
    return app


def _add_routes(app: FastAPI, settings: Settings) -> list[Route]:
    """Add the routers to an application, and return all of its routes."""
    modules = (weights, plan, analysis, recipes, names, catalogue, health)
    routers = [module.router for module in modules]
    if settings.metrics:
        routers.append(health.metrics_router)
    if settings.playground:
        routers.append(playground.router)
    routers.append(hub.router)  # last, because its paths match many others
    for router in routers:
        app.include_router(router)
    own = [route for route in app.routes if isinstance(route, Route)]
    added = [route for router in routers for route in router.routes if isinstance(route, Route)]
    return [*own, *added]
