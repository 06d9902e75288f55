"""A body that never ends: it would hold a connection, and what of it has come, for ever."""

from tests.attacks.attack import Attack, request

FLAGS = ("--body-timeout", "0.3")

ATTACKS = [
    Attack(request("POST", path, b'{"seed":', Content_Length="1000"), 408, "body_timeout")
    for path in ("/v1/weights", "/v1/plan", "/v1/recipes", "/api/models/a/b/paths-info/main")
] + [
    Attack(
        request("POST", "/v1/weights", b"", Content_Length="", Transfer_Encoding="chunked")
        + b"5\r\n{",
        408,
        "body_timeout",
    )
]
