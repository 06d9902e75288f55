"""More bytes than a recipe may have: announced, sent without a word, or both."""

from tests.attacks.attack import Attack, request, weights

_LIMIT = 16 << 20

ATTACKS = [
    Attack(weights(b" " * (_LIMIT + 1)), 413, "max_body_bytes"),
    Attack(request("POST", "/v1/weights", b"", Content_Length=str(10**15)), 413, "max_body_bytes"),
    Attack(request("POST", "/v1/plan", b"", Content_Length="9" * 18), 413, "max_body_bytes"),
    Attack(
        request("POST", "/v1/recipes", b"{", Content_Length=str(_LIMIT + 1), Expect="100-continue"),
        413,
        "max_body_bytes",
    ),
    Attack(
        request("POST", "/v1/weights", b"", Content_Length="", Transfer_Encoding="chunked")
        + (b"100000\r\n" + b" " * (1 << 20) + b"\r\n") * 17
        + b"0\r\n\r\n",
        413,
        "max_body_bytes",
    ),
]
