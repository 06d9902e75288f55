"""The application: routes, errors, cross-origin rules, and the pools that do its work."""

import gc

from anyio import CapacityLimiter
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

import service
from service.settings import Settings
from service.web import catalogue, health, openapi, plan, problems, weights

_DESCRIPTION = """Initial weights for every training stack: POST a JSON recipe, get a safetensors
file. The same recipe gives the same bytes on every machine, whole or in slices, always."""


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
    )
    app.state.settings = settings
    # A plan is a hundred thousand small objects without cycles: looking through them as often as
    # Python does by default would take a third of the time that planning takes.
    gc.set_threshold(50_000, 20, 20)
    # Apart, so that small recipes never wait for large ones, which memory allows few of at once.
    app.state.planning_large = CapacityLimiter(settings.threads)
    app.state.planning_small = CapacityLimiter(4 * settings.threads)
    app.state.pipeline = settings.pipeline()
    for module in (weights, plan, catalogue, health):
        app.include_router(module.router)
    problems.install(app)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["Content-Type"],
            expose_headers=["ETag", "Content-Disposition", "X-Tensorseed-Generator"],
        )
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]
    return app
