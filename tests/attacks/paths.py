"""File and repository names that lead out of a folder, where there is one. Here there is none."""

from tests.attacks.attack import Attack, request

_ID = "0" * 64
_PATHS = [
    f"/v1/recipes/{_ID}/../../../etc/passwd",
    f"/v1/recipes/{_ID}/%2e%2e/%2e%2e/etc/passwd",
    f"/v1/recipes/{_ID}/..%2f..%2fetc%2fpasswd",
    f"/v1/recipes/{_ID}/..%5c..%5cboot.ini",
    f"/v1/recipes/{_ID}/%00",
    "/v1/recipes/%2e%2e",
    "/v1/r/..%2f..%2fetc%2fpasswd",
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/resolve/main/config.json",
    "/a/b/resolve/main/../../../../etc/passwd",
    "/a/b/resolve/main/%2e%2e%2fconfig.json",
    "/a/b%5c../resolve/main/config.json",
    "/a/b/resolve/..%2fmain/config.json",
    "/api/models/../../etc/passwd",
    "/api/models/a/..",
    "/v1/names/../x",
    "/v1/names/a/%2e%2e",
    "/docs/../../etc/passwd",
]

_FILES = [path for path in _PATHS if not path.startswith(("/api", "/v1/names"))]

ATTACKS = [
    *(Attack(request("GET", path), 404) for path in _PATHS),
    *(Attack(request("HEAD", path), 404) for path in _FILES),
]
