"""A body that does not say that it is JSON, or comes packed: a bomb, or a form of another site.

A page of another site can POST forms and text without asking, but not application/json.
"""

import gzip
import json

from tests.attacks.attack import Attack, of, request, weights

_GOOD = json.dumps(of({})).encode()
_KINDS = ["", "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data"]

ATTACKS = [
    *(Attack(weights(_GOOD, Content_Type=kind), 415) for kind in _KINDS),
    *(
        Attack(weights(gzip.compress(_GOOD), Content_Encoding=coding), 415)
        for coding in ("gzip", "GZIP", "br", "identity, gzip")
    ),
    Attack(request("PUT", "/v1/names/a/b", _GOOD, Content_Type="text/plain"), 415),
]
