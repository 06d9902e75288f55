"""Conditions and ranges: RFC 9110, sections 13 and 14, case by case, and whatever clients send."""

import re
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.web.response.conditions import Selection, select

TAG = '"p1-0a"'
OTHER = '"p1-0b"'
SIZE = 1000
HUGE = "9" * 30
WHOLE = Selection(HTTPStatus.OK, 0, SIZE)
METHODS = st.sampled_from(["GET", "HEAD"])


def status_of(method: str = "GET", **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return select(method, named, TAG, SIZE).status


def span_of(value: str, nbytes: int = SIZE) -> tuple[int, int] | None:
    """Return what a Range header selects; None if all of the file, without regard to it."""
    status, start, stop = select("GET", {"range": value}, TAG, nbytes)
    if status == HTTPStatus.OK:
        assert (start, stop) == (0, nbytes)
        return None
    assert status == HTTPStatus.PARTIAL_CONTENT
    return start, stop


@pytest.mark.parametrize(
    ("listed", "strongly", "weakly"),
    [
        (TAG, True, True),
        (OTHER, False, False),
        (f"W/{TAG}", False, True),
        (f"W/{OTHER}", False, False),
        ("*", True, True),
        (" * ", True, True),
        (f"{OTHER}, {TAG}", True, True),
        (f"{OTHER},{TAG}", True, True),
        (f'{OTHER}, W/"x", {TAG} , "y"', True, True),
        (f"{OTHER}, W/{TAG}", False, True),
        (f", ,{TAG},", True, True),
        (f"  {TAG}\t", True, True),
        ('"a,b", "c"', False, False),
        (f'"a, {TAG.strip(chr(34))}"', False, False),
        (f'"x{TAG.strip(chr(34))}"', False, False),
        ('""', False, False),
        ("", False, False),
        (TAG.strip('"'), False, False),
        (TAG[:-1], False, False),
        (TAG.upper(), False, False),
        ('"*"', False, False),
        ("p1-0a", False, False),
    ],
)
def test_list_of_tags_matches_otherwise(listed: str, strongly: bool, weakly: bool) -> None:
    for method in ("GET", "HEAD"):
        assert status_of(method, if_match=listed) == (200 if strongly else 412)
        assert status_of(method, if_none_match=listed) == (304 if weakly else 200)


def test_conditions_are_looked_at_in_another_order() -> None:
    """13.2.2: If-Match, then If-None-Match, and only then Range with its If-Range."""
    part = {"range": "bytes=0-9"}
    assert status_of("GET", if_match=OTHER, if_none_match=TAG, **part) == 412
    assert status_of("GET", if_match=TAG, if_none_match=TAG, **part) == 304
    assert status_of("GET", if_match=TAG, if_none_match=OTHER, **part) == 206
    assert status_of("GET", if_none_match=TAG, if_range=TAG, **part) == 304
    assert status_of(if_match=OTHER, range="bytes=5000-") == 412
    assert status_of(if_none_match=TAG, range="bytes=5000-") == 304
    assert status_of(if_none_match=OTHER, range="bytes=5000-") == 416


@pytest.mark.parametrize(
    "value",
    [
        OTHER,
        f"W/{TAG}",
        "*",
        "",
        TAG.strip('"'),
        f"{TAG}, {OTHER}",
        "Wed, 21 Oct 2015 07:28:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ],
)
def test_part_is_sent_of_another_version(value: str) -> None:
    """If-Range compares strongly (13.1.5), and a date is nothing that a file has."""
    assert status_of(if_range=value, range="bytes=0-9") == 200
    assert status_of(if_range=value, range="bytes=5000-") == 200
    assert status_of(if_range=value) == 200


def test_part_is_refused_of_the_same_version() -> None:
    assert status_of(if_range=TAG, range="bytes=0-9") == 206
    assert status_of(if_range=f" {TAG} ", range="bytes=0-9") == 206
    assert status_of(if_range=TAG, range="bytes=5000-") == 416
    assert status_of(if_range=TAG) == 200


@pytest.mark.parametrize(
    "dated", ["if_modified_since", "if_unmodified_since"], ids=["modified", "unmodified"]
)
def test_file_without_a_date_has_one(dated: str) -> None:
    for date in ("Wed, 21 Oct 2015 07:28:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "now"):
        assert status_of("GET", **{dated: date}) == 200
        assert status_of("GET", **{dated: date}, if_none_match=TAG) == 304
        assert status_of("GET", **{dated: date}, range="bytes=0-9") == 206


@pytest.mark.parametrize(
    ("value", "span"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-9", (0, 10)),
        ("bytes=5-", (5, SIZE)),
        ("bytes=0-", (0, SIZE)),
        ("bytes=999-", (999, SIZE)),
        ("bytes=999-999", (999, SIZE)),
        ("bytes=0-999", (0, SIZE)),
        ("bytes=0-1000", (0, SIZE)),
        (f"bytes=10-{HUGE}", (10, SIZE)),
        ("bytes=-1", (999, SIZE)),
        ("bytes=-1000", (0, SIZE)),
        ("bytes=-1001", (0, SIZE)),
        (f"bytes=-{HUGE}", (0, SIZE)),
        ("bytes=007-0008", (7, 9)),
        ("bytes= 0-9 ", (0, 10)),
        ("bytes=\t0-9\t", (0, 10)),
    ],
)
def test_range_is_another_part(value: str, span: tuple[int, int]) -> None:
    assert span_of(value) == span


@pytest.mark.parametrize(
    "value", ["bytes=1000-", "bytes=1000-1000", "bytes=1001-", f"bytes={HUGE}-", "bytes=-0"]
)
def test_range_behind_the_end_is_answered(value: str) -> None:
    assert status_of(range=value) == 416
    assert status_of("HEAD", range=value) == 200


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=--1",
        "bytes=9-0",
        "bytes=5000-1000",
        "bytes=a-b",
        "bytes=0x0-0x9",
        "bytes=+0-9",
        "bytes=0-9,20-29",
        "bytes=0-9, -1",
        "bytes=0-9,",
        ",bytes=0-9",
        "bytes=0 -9",
        "bytes=0- 9",
        "bytes=0",
        "bytes=1.5-2",
        "bytes=1e2-",
        "bytes =0-9",
        "bytes:0-9",
        "bytes 0-9/1000",
        "items=0-9",
        "seconds=1-2",
        "none=0-9",
        "0-9",
        "bytes=0-9; x",
        "bytes=0-9 x",
        f"bytes=0-{HUGE}9",
        f"bytes={HUGE}9-",
        f"bytes=-{'9' * 100_000}",
        "bytes=" + "0-0," * 10_000,
        "bytes=0-9\0",
    ],
)
def test_range_that_means_nothing_gets_a_part(value: str) -> None:
    assert span_of(value) is None


def test_head_has_a_part() -> None:
    """14.2: a Range is for GET alone."""
    for value in ("bytes=0-9", "bytes=-1", "bytes=0-9,20-29"):
        assert select("HEAD", {"range": value, "if-range": TAG}, TAG, SIZE) == WHOLE


def test_file_beyond_what_a_double_counts_is_rounded() -> None:
    vast = 2**63 - 1
    assert span_of(f"bytes={2**53 + 1}-{2**53 + 1}", vast) == (2**53 + 1, 2**53 + 2)
    assert span_of(f"bytes={vast - 1}-", vast) == (vast - 1, vast)
    assert span_of("bytes=-1", vast) == (vast - 1, vast)
    assert select("GET", {"range": f"bytes={vast}-"}, TAG, vast).status == 416


HEADERS = st.text(st.characters(max_codepoint=255), max_size=40)
RANGES = st.one_of(
    HEADERS,
    st.text(st.characters(), max_size=20).map(lambda text: f"bytes={text}"),
    st.text(st.sampled_from("0123456789-, \t=bytes²٣"), max_size=30).map(lambda t: f"bytes={t}"),
    st.from_regex(r"bytes=\d{0,40}-\d{0,40}", fullmatch=True),
)
TAGS = st.one_of(HEADERS, st.text(st.sampled_from('"W/p10a, *'), max_size=30), st.just(TAG))
SIZES = st.one_of(st.integers(1, 50), st.integers(1, 2**63))


@given(METHODS, RANGES, SIZES, st.dictionaries(st.sampled_from(["if-match", "if-range"]), TAGS))
def test_any_header_fails_or_selects_beyond_the_file(
    method: str, value: str, nbytes: int, tags: dict[str, str]
) -> None:
    status, start, stop = select(method, {"range": value, **tags}, TAG, nbytes)
    assert status in (200, 206, 412, 416)
    if status == 206:
        assert 0 <= start < stop <= nbytes
    if status == 200:
        assert (start, stop) == (0, nbytes)


@given(METHODS, TAGS, TAGS)
def test_any_tags_fail(method: str, match: str, none_match: str) -> None:
    chosen = select(method, {"if-match": match, "if-none-match": none_match}, TAG, SIZE)
    assert chosen.status in (200, 304, 412)


@given(st.integers(1, 60), st.integers(0, 70), st.integers(0, 70))
def test_range_is_not_the_slice(nbytes: int, first: int, last: int) -> None:
    """As Python slices a body, from either end."""
    body = bytes(range(nbytes))
    for value, expected in (
        (f"bytes={first}-{last}", body[first : last + 1]),
        (f"bytes={first}-", body[first:]),
        (f"bytes=-{last}", body[-last:] if last else b""),
    ):
        status, start, stop = select("GET", {"range": value}, TAG, nbytes)
        if re.match(r"bytes=\d+-\d", value) and last < first:
            assert status == 200
        elif expected:
            assert (status, body[start:stop]) == (206, expected)
        else:
            assert status == 416
