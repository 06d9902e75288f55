"""Requests whose end two readers see in two places: what follows would be another's request."""

from tests.attacks.attack import Attack

_HEAD = b"POST /v1/weights HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

ATTACKS = [
    Attack(_HEAD + lines + b"\r\n\r\n{}GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", 400)
    for lines in (
        b"Content-Length: 2\r\nContent-Length: 30",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked",
        b"Content-Length: +2",
        b"Content-Length: 2 2",
        b"Content-Length: 0x2",
        b"Content-Length: -2",
        b"Transfer-Encoding: chunked, identity",
        b"Content-Length : 2",
    )
] + [
    Attack(b"GARBAGE\r\n\r\n", 400),
    Attack(b"\x16\x03\x01\x02\x00\x01\x00", 400),
    Attack(b"GET /livez HTTP/9.9\r\nHost: x\r\n\r\n", 400),
    Attack(b"GET /livez HTTP/1.1\r\nHo\x00st: x\r\n\r\n", 400),
    Attack(b"GET /livez\r\n HTTP/1.1\r\nHost: x\r\n\r\n", 400),
]
