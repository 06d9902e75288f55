"""Conditional and range requests: RFC 9110, sections 13 and 14."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

_RANGE = re.compile(r"bytes=\s*(?:(\d{1,30})-(\d{0,30})|-(\d{1,30}))\s*")
_TAG = re.compile(r'(?:W/)?"[^"]*"')


class Selection(NamedTuple):
    """What to respond with.

    Args:
        status: 200, 206, 304, 412 or 416.
        start: First requested byte of the file.
        stop: Byte after the last.
    """

    status: HTTPStatus
    start: int
    stop: int


def select(method: str, headers: Mapping[str, str], etag: str, nbytes: int) -> Selection:
    """Return which part of a file a request gets, with conditions in the standard's order (13.2.2).

    Several ranges, another unit and an unreadable header get the whole file, as the standard
    allows. So does a condition on a date, because files have none.

    Args:
        method: GET or HEAD.
        headers: The request's, lower-case.
        etag: The file's strong entity tag.
        nbytes: Its length.

    >>> select("GET", {"range": "bytes=-3"}, '"a"', 10)[1:]
    (7, 10)
    """
    whole = Selection(HTTPStatus.OK, 0, nbytes)
    if "if-match" in headers and not _matches(headers["if-match"], etag, weak=False):
        return whole._replace(status=HTTPStatus.PRECONDITION_FAILED)
    if "if-none-match" in headers and _matches(headers["if-none-match"], etag, weak=True):
        return whole._replace(status=HTTPStatus.NOT_MODIFIED)
    if method != "GET" or headers.get("if-range", etag).strip() != etag:
        return whole
    span = _span(headers.get("range", ""), nbytes)
    if span is None:
        return whole
    if span[0] >= span[1]:
        return Selection(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, 0, 0)
    return Selection(HTTPStatus.PARTIAL_CONTENT, *span)


def _span(header: str, nbytes: int) -> tuple[int, int] | None:
    """Return the range that a Range header asks for, [start, stop); None if it asks for none."""
    found = _RANGE.fullmatch(header)
    if found is None:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        return max(0, nbytes - int(suffix)), nbytes
    if last and int(last) < int(first):
        return None
    return int(first), min(nbytes, int(last) + 1 if last else nbytes)


def _matches(listed: str, etag: str, *, weak: bool) -> bool:
    if listed.strip() == "*":
        return True
    return any(tag.removeprefix("W/" if weak else "") == etag for tag in _TAG.findall(listed))
