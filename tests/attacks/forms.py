"""Forms that are none, lack a part, have one too many, are too large, or bring no donor."""

import json
import struct

from tests.attacks.attack import Attack, of, request

FLAGS = ("--max-donor-bytes", "100000", "--max-body-bytes", "10000")

RECIPE = json.dumps(of({})).encode()
ENTRY = b'{"dtype":"F32","shape":[4,4],"data_offsets":[0,64]}'


def donor(text: bytes = b'{"w":%s}' % ENTRY, data: bytes = bytes(64)) -> bytes:
    return struct.pack("<Q", len(text)) + text + data


def part(name: str, body: bytes, **more: str) -> bytes:
    heads = f'Content-Disposition: form-data; name="{name}"; filename="f"\r\n'
    heads += "".join(f"{key}: {value}\r\n" for key, value in more.items())
    return b"--b\r\n%s\r\n%s\r\n" % (heads.encode(), body)


def form(
    *parts: bytes, path: str = "/v1/weights", end: bytes = b"--b--\r\n", **headers: str
) -> bytes:
    kind = {"Content_Type": "multipart/form-data; boundary=b"}
    return request("POST", path, b"".join(parts) + end, **kind | headers)


GIVEN, DONOR = part("recipe", RECIPE), part("donor", donor())

ATTACKS = [
    Attack(form(GIVEN, DONOR, path="/v1/plan"), 200, '"tensors_copied": 1'),
    Attack(form(DONOR, GIVEN, b"", end=b"--b--"), 200),
    Attack(form(GIVEN, DONOR, path="/v1/recipes"), 415, "application/json"),
    Attack(form(GIVEN, DONOR, path="/v1/analysis"), 415, "application/json"),
    Attack(form(GIVEN, DONOR, Content_Encoding="gzip"), 415, "Content-Encoding"),
    # no form
    Attack(form(GIVEN, DONOR, Content_Type="multipart/form-data"), 415, "needs a boundary"),
    Attack(form(GIVEN, DONOR, Content_Type="multipart/form-data; boundary=c"), 400, "no"),
    Attack(form(GIVEN, DONOR, Content_Type="multipart/form-data; boundary=" + "b" * 999), 400),
    Attack(form(GIVEN, DONOR, Content_Type="multipart/mixed; boundary=b"), 415, "json"),
    Attack(form(GIVEN, DONOR, end=b""), 400, "before its last boundary"),
    Attack(form(end=b""), 400, "before its last boundary"),
    Attack(form(end=RECIPE), 400, "curl -F recipe="),
    Attack(form(part("recipe", RECIPE, X="y" * 9999), DONOR), 400, "header size"),
    Attack(form(b"--b\r\n" + b"A: b\r\n" * 999, GIVEN), 400, "header count"),
    Attack(form(b"\r\n" * 40_000), 422, "no recipe and no donor came"),
    # other parts
    Attack(form(), 422, "no recipe and no donor came"),
    Attack(form(GIVEN), 422, "no donor came"),
    Attack(form(DONOR), 422, "no recipe came"),
    Attack(form(GIVEN, DONOR, DONOR), 422, "two parts called donor came"),
    Attack(form(GIVEN, GIVEN, DONOR), 422, "two parts called recipe came"),
    Attack(form(GIVEN, DONOR, part("x", b"1")), 422, "a part of another name came"),
    Attack(form(b"--b\r\n\r\n1\r\n", GIVEN, DONOR), 422, "a part of another name came"),
    Attack(form(*[part("donor", b"")] * 900), 422, "two parts called donor came"),
    # too large
    Attack(form(part("recipe", b" " * 10_001), DONOR), 413, "max_body_bytes"),
    Attack(form(GIVEN, part("donor", bytes(100_001))), 413, "max_donor_bytes"),
    Attack(form(GIVEN, DONOR, end=b"--b--" + b" " * 200_000), 413, "max_donor_bytes"),
    Attack(form(GIVEN, DONOR, Content_Length="99999999999"), 413, "max_donor_bytes"),
    # no recipe, no donor
    Attack(form(part("recipe", b"{"), DONOR), 400, "malformed-recipe"),
    Attack(form(part("recipe", b'{"seed": "\xff"}'), DONOR), 400, "malformed-recipe"),
    Attack(form(part("recipe", b"{}"), DONOR), 422, "/seed"),
    Attack(form(GIVEN, part("donor", b"")), 422, "the file of the form: no safetensors header"),
    Attack(form(GIVEN, part("donor", RECIPE)), 422, "the file of the form: no safetensors header"),
    Attack(form(GIVEN, part("donor", donor(data=bytes(63)))), 422, "the file has 63"),
    Attack(form(GIVEN, part("donor", donor(b'{"x":%s}' % ENTRY))), 422, "no tensor of the donor"),
    Attack(form(GIVEN, part("donor", donor(b'{"\\ud800":%s}' % ENTRY))), 422, "surrogate"),
    Attack(form(GIVEN, part("donor", donor(b"[" * 90_000, b""))), 422, "not one JSON object"),
]
