"""Range headers that cost more than what they ask for, or that are not to be read."""

import json

from service.recipe import parse
from service.recipe.link import link_of
from tests.attacks.attack import Attack, of, request

_PATH = f"/v1/r/{link_of(parse(json.dumps(of({}))))}"

ATTACKS = [
    *(
        Attack(request("GET", _PATH, Range=asked), 200)
        for asked in (
            "bytes=" + ",".join(["0-"] * 1_000),
            "bytes=0-,0-,0-",
            "bytes=5-1",
            "bytes=-",
            "bytes=" + "9" * 1_000 + "-",
            "bytes=0-" + "9" * 1_000,
            "bytes=0-0, -1",
            "bytes=\u00b2-",
            "lines=0-1",
            "bytes",
        )
    ),
    *(
        Attack(request("GET", _PATH, Range=asked), 416)
        for asked in ("bytes=99999-", "bytes=-0", "bytes=123456789012345678901234567890-")
    ),
]
