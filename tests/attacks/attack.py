"""What an attack is: bytes on a socket, and the answer that they must get."""

import json
from typing import Any, NamedTuple

NORMAL = {"scheme": "normal", "std": 0.02}


class Attack(NamedTuple):
    """A request as it is sent.

    Args:
        request: All of its bytes.
        status: Of the answer.
        says: What the answer says besides.
    """

    request: bytes
    status: int
    says: str = ""


def request(method: str, path: str, body: bytes | None = None, **headers: str) -> bytes:
    """Return a request; headers replace those that belong to it."""
    lines = {"Host": "x", "Connection": "close"}
    if body is not None:
        lines |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + (body or b"")


def weights(recipe: Any, **headers: str) -> bytes:
    """Return a POST of a recipe, or of any bytes in the place of one."""
    body = recipe if isinstance(recipe, bytes) else json.dumps(recipe).encode()
    return request("POST", "/v1/weights", body, **headers)


def of(*tensors: Any, **members: Any) -> dict[str, Any]:
    """Return a recipe with tensors that lack nothing but what is given otherwise."""
    plain = {"name": "w", "shape": [4, 4], "init": NORMAL}
    return {"seed": 1, "tensors": [plain | tensor for tensor in tensors], **members}
