"""Text that parsers read differently, or not at all."""

import pytest

from service import Limits, MalformedRecipe, RecipeTooLarge, parse
from service.recipe.strictjson import pointer, read

VALID = '{"seed":1,"tensors":[{"name":"w","shape":[2],"init":"zeros"}]}'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "line 1, column 1"),
        (b"   ", "column 4"),
        (VALID[:-1].encode(), "not JSON"),
        (VALID.encode() + b"x", "Extra data"),
        (VALID.encode() + VALID.encode(), "Extra data"),
        (VALID.encode("utf-16"), "not UTF-8"),
        (VALID.encode("utf-16-le"), "not JSON"),
        (b"\xef\xbb\xbf" + VALID.encode(), "byte order mark"),
        (b'{"a":"\xff"}', "not UTF-8"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":Infinity}', "Infinity"),
        (b'{"a":-Infinity}', "Infinity"),
        (b"{'a':1}", "not JSON"),
        (b'{"a":1,}', "not JSON"),
        (b'{"a":01}', "not JSON"),
        (b'{"a":.5}', "not JSON"),
        (b'{"a":"\x01"}', "control character"),
        (b'{"a":"\x00"}', "control character"),
        (b'{"seed":1,"seed":2}', "/seed"),
        (b'{"a":[{},{"b":{"c":1,"d":2,"c":3}}]}', "/a/1/b/c"),
        (b'{"a":{"b":1,"b":2},"a":3}', "duplicate key"),
        (b'{"a":' + b"1" * 5000 + b"}", "digits"),
        (b"[" * 33 + b"]" * 33, "32 levels"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "32 levels"),
        (b"[" * 100_000, "32 levels"),
        (VALID.replace("w", "\\ud800").encode(), "not JSON"),
        (VALID.replace('"w"', '"w" /* x */').encode(), "not JSON"),
    ],
    ids=lambda value: value[:24] if isinstance(value, bytes) else None,
)
def test_text_that_is_not_strict_json_is_read(text: bytes, message: str) -> None:
    with pytest.raises(MalformedRecipe, match=message):
        parse(text)


def test_nesting_at_the_limit_is_refused() -> None:
    read(b"[" * 32 + b"]" * 32, Limits())


def test_brackets_in_strings_count_as_nesting() -> None:
    read(b'{"a":"' + b"[" * 100 + b'"}', Limits())


def test_text_over_the_limit_is_read() -> None:
    with pytest.raises(RecipeTooLarge, match=r"max_body_bytes\) is 10"):
        parse(VALID, Limits(max_body_bytes=10))


def test_lone_surrogate_in_a_document_is_encoded() -> None:
    with pytest.raises(MalformedRecipe, match="surrogate"):
        parse(VALID.replace("w", "\ud800"))


def test_pointer_does_not_escape() -> None:
    assert pointer("a/b", "c~d", 0) == "/a~1b/c~0d/0"
    assert pointer() == ""
