"""Authorization: which requests need a key, and with which scope."""

from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from service.keys import Keys
from service.keys import Scope as KeyScope
from service.web.context import context_of
from service.web.response.problems import problem

OPEN = frozenset(
    {
        "/",
        "/livez",
        "/readyz",
        "/health",
        "/healthz",
        "/ping",
        "/version",
        "/info",
        "/metrics",
        "/docs",
        "/openapi.json",
    }
)
"""Paths that need no key."""

STATIC = "/static"
"""Folder whose files need no key; files of folders in it do."""

_GENERATING = {"/v1/weights", "/v1/plan", "/v1/analysis", "/v1/calibrate"}
"""Paths whose POST needs the scope ``generate``."""


class Authorization:
    """Middleware that requires a key.

    Args:
        app: The application.
        keys: The keys that the service knows.
    """

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it: 401 without a key, 403 with one of another scope."""
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or _is_open(path):
            await self._app(scope, receive, send)
            return
        needed = _needed(scope["method"], path)
        key = self._keys.find(_presented(scope))
        if key is None:
            response = problem(
                HTTPStatus.UNAUTHORIZED,
                "a key is needed, as Authorization: Bearer KEY or X-Api-Key: KEY, and this is none",
                headers={"WWW-Authenticate": 'Bearer realm="tensorseed"'},
            )
        elif needed not in key.scopes:
            response = problem(
                HTTPStatus.FORBIDDEN,
                f"this needs a key with the scope {needed}; {key.name} has"
                f" {', '.join(sorted(key.scopes))}",
            )
        else:
            context_of(scope).key = key.name
            await self._app(scope, receive, send)
            return
        await response(scope, receive, send)


def _is_open(path: str) -> bool:
    folder, _, _ = path.rpartition("/")
    return path in OPEN or folder == STATIC


def _needed(method: str, path: str) -> KeyScope:
    """Return the scope that a request needs."""
    if method == "POST" and path in _GENERATING:
        return "generate"
    changes = method not in {"GET", "HEAD", "POST"} or (path == "/v1/recipes" and method == "POST")
    return "write" if changes else "read"


def _presented(scope: Scope) -> str:
    """Return the key that a request presents; empty without one."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    kind, _, key = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if kind.lower() == "bearer":
        return key.strip()
    return headers.get(b"x-api-key", b"").decode("latin-1").strip()
