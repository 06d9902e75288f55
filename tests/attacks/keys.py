"""Requests without a key where one is needed, with half of one, or with one for something else."""

import json

from service.keys import create_key
from tests.attacks.attack import Attack, of, request, weights

_READ, _ENTRY = create_key("reader", ["read"])
FLAGS = ("--keys", _ENTRY)

_WRONG = [
    "",
    "Bearer",
    "Bearer ",
    f"Bearer {_READ[:-1]}",
    f"Bearer {_READ}x",
    f"Bearer {_ENTRY.split()[2]}",
    f"Basic {_READ}",
    _READ,
    "Bearer " + "x" * 10_000,
    "Bearer é",
    "Bearer null",
]
_RIGHT = f"Bearer {_READ}"

ATTACKS = [
    *(Attack(weights(of({}), Authorization=wrong), 401, "X-Api-Key") for wrong in _WRONG),
    Attack(request("GET", "/v1/schemes"), 401),
    Attack(request("GET", "/nothing"), 401),
    Attack(request("GET", "/livez/../v1/schemes"), 401),
    Attack(weights(of({}), Authorization=_RIGHT), 403, "generate"),
    Attack(
        request("POST", "/v1/recipes", json.dumps(of({})).encode(), Authorization=_RIGHT),
        403,
        "write",
    ),
    Attack(request("PUT", "/v1/names/a/b", b"{}", Authorization=_RIGHT), 403, "write"),
]
