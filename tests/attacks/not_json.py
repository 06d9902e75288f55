"""Bytes that are not the JSON of RFC 8259, or more than its strict reading allows.

Parsers differ over each of these, so a proxy or another service could read another recipe. All are
refused before anything is planned.
"""

import json

from tests.attacks.attack import Attack, of, weights

_GOOD = json.dumps(of({})).encode()

ATTACKS = [
    Attack(weights(body), 400)
    for body in (
        b"",
        b" ",
        _GOOD[:-1],
        _GOOD + b"}",
        _GOOD + _GOOD,
        _GOOD.decode().encode("utf-16"),
        _GOOD.decode().encode("utf-32"),
        b"\xef\xbb\xbf" + _GOOD,
        b"\xff" + _GOOD,
        _GOOD.replace(b'"w"', b'"\xed\xa0\x80"'),
        b"[" * 33 + b"]" * 33,
        b"[" * 1_000_000,
        b'{"a":' * 100_000,
        _GOOD.replace(b"0.02", b"NaN"),
        _GOOD.replace(b"0.02", b"Infinity"),
        _GOOD.replace(b"0.02", b"-Infinity"),
        _GOOD.replace(b'"seed": 1', b'"seed": 1, "seed": 1'),
        _GOOD.replace(b'"std": 0.02', b'"std": 0.02, "std": 3'),
        _GOOD.replace(b'"w"', b'"\\ud800"'),
        _GOOD.replace(b'"w"', b'"\\udc00\\ud800"'),
        _GOOD.replace(b'"seed": 1', b'"seed": ' + b"9" * 5_000),
        _GOOD.replace(b'"seed": 1', b'"seed": 01'),
        _GOOD.replace(b'"seed": 1', b'"seed": 1,'),
        _GOOD.replace(b'"seed": 1', b'"seed": .1'),
        _GOOD.replace(b'"seed": 1', b'"seed": 0x1'),
        _GOOD.replace(b"{", b"{/**/", 1),
        _GOOD.replace(b'"', b"'"),
        _GOOD.replace(b'"w"', b'"\x00"'),
        _GOOD.replace(b'"w"', b'"a\nb"'),
    )
]
