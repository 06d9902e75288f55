"""The application: routes, errors, cross-origin rules, and the pools that do its work."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

import service
from service.settings import Settings
from service.web import catalogue, health, hub, names, openapi, plan, problems, recipes, weights
from service.web.library import Library
from service.web.manifests import Manifests
from service.web.planning import Planning

_DESCRIPTION = """Initial weights for every training stack: POST a JSON recipe, get a safetensors
file. The same recipe gives the same bytes on every machine, whole or in slices, always."""


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
    "X-Tensorseed-Generator",
]
"""What a page in a browser may read of an answer."""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
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
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.settings = settings
    # A plan is a hundred thousand small objects without cycles: looking through them as often as
    # Python does by default would take a third of the time that planning takes.
    gc.set_threshold(50_000, 20, 20)
    app.state.planning = Planning(settings.threads)
    app.state.pipeline = settings.pipeline()
    library = Library(settings, settings.registry(), app.state.planning)
    app.state.library = library
    app.state.manifests = Manifests(app.state.pipeline, library, settings.max_cached_tensors)
    for module in (weights, plan, recipes, names, catalogue, health, hub):  # the Hub's match much
        app.include_router(module.router)
    problems.install(app)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "HEAD", "POST", "PUT"],
            allow_headers=["Content-Type", "If-Match", "If-None-Match", "If-Range", "Range"],
            expose_headers=_EXPOSED,
        )
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]
    return app
