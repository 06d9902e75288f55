"""A connection to one service: retries transient failures, and raises others."""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Self, TypeVar

import httpx2

import service
from service.errors import InvalidRecipe, Problem, RemoteError, TensorseedError

Result = TypeVar("Result")

_ATTEMPTS = 7
"""Consecutive failures after which an operation fails."""

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 16.0
_LONGEST_RETRY_AFTER = 300.0

_MAX_TEXT = 256 * 2**20
"""Most bytes of a JSON file. An index of 200,000 tensors has a tenth of that."""

_MAX_PROBLEM = 64 * 2**10

_TRANSIENT = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}


class Refused(RemoteError):
    """The service refuses a request.

    Args:
        status: Its HTTP status.
        detail: The reason, in the service's words.
    """

    def __init__(self, status: int, detail: str) -> None:
        self.status = status
        super().__init__(detail)


class Lost(RemoteError):
    """An attempt failed, and another one may succeed.

    Args:
        detail: Why it failed.
        after: Seconds after which the service asks to retry.
    """

    def __init__(self, detail: str, after: float | None = None) -> None:
        self.after = after
        super().__init__(detail)


class Remote:
    """A service, over persistent connections.

    Args:
        url: Its URL.
        wait: Sleeps; tests replace it.
    """

    def __init__(self, url: str, wait: Callable[[float], object] = time.sleep) -> None:
        self.url = url.rstrip("/")
        self._wait = wait
        self._was_reached = False
        self._client = httpx2.Client(
            timeout=httpx2.Timeout(
                120, connect=10
            ),  # computing a large orthogonal matrix takes a while
            headers={
                "Accept-Encoding": "identity",  # ranges and lengths are those of the file
                "User-Agent": f"tensorseed/{service.__version__}",
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def persist(self, attempt: Callable[[], Result], mark: Callable[[], int] = int) -> Result:
        """Return what an attempt returns, retrying it after transient failures.

        Args:
            attempt: Raises `Lost` if another attempt may succeed.
            mark: Returns its progress; failures after progress are not counted.

        Raises:
            RemoteError: `_ATTEMPTS` consecutive attempts failed, or no service responds at the URL.
        """
        furthest, failures = mark(), 0
        while True:
            try:
                return attempt()
            except Lost as lost:
                if mark() > furthest:
                    furthest, failures = mark(), 0
                failures += 1
                if (
                    failures == _ATTEMPTS or not self._was_reached
                ):  # a wrong URL is reported at once
                    raise
                self._wait(_pause(failures) if lost.after is None else lost.after)

    @contextmanager
    def opened(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Iterator[httpx2.Response]:
        """Send one request; the caller reads the body of the response.

        Raises:
            Lost: Another attempt may succeed; also raised while the body is read.
            Refused: The service refuses.
            RemoteError: The response is malformed.
        """
        try:
            with self._client.stream(
                method,
                self.url + path,
                headers=headers,
                content=content,
                follow_redirects=content is None,  # a redirect may turn a POST into a GET
            ) as response:
                self._was_reached = True
                self._check(response)
                yield response
        except httpx2.TransportError as error:
            raise Lost(f"{self.url}: {_reason(error)}") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise RemoteError(f"{self.url}: {_reason(error)}") from error

    def headers(self, path: str) -> Mapping[str, str]:
        """Return the headers of a HEAD request.

        Raises:
            RemoteError: It fails.
        """

        def attempt() -> Mapping[str, str]:
            with self.opened("HEAD", path) as response:
                return response.headers

        return self.persist(attempt)

    def text(self, path: str) -> bytes | None:
        """Return a JSON file; None if there is no such file.

        Raises:
            RemoteError: The request fails.
        """
        try:
            return self._text("GET", path)
        except Refused as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def send(self, method: str, path: str, content: bytes) -> bytes:
        """Send a JSON document, and return the response; the request has to be idempotent.

        Raises:
            InvalidRecipe: The service reports errors, with JSON Pointers.
            RemoteError: There is no response, or the service refuses.
        """
        return self._text(method, path, content)

    def _text(self, method: str, path: str, content: bytes | None = None) -> bytes:
        headers = {} if content is None else {"Content-Type": "application/json"}

        def attempt() -> bytes:
            with self.opened(method, path, headers, content) as response:
                text = _read(response, _MAX_TEXT + 1)
            if len(text) > _MAX_TEXT:
                raise RemoteError(f"{self.url}{path} has more than {_MAX_TEXT} bytes")
            return text

        return self.persist(attempt)

    def _check(self, response: httpx2.Response) -> None:
        status = response.status_code
        if response.is_success:
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise RemoteError(
                    f"{self.url}: the response is compressed, against Accept-Encoding"
                )
            return
        if response.is_redirect:
            where = printable(response.headers.get("Location", "elsewhere"))
            raise RemoteError(f"{self.url}: the service redirects to {where}: use that URL")
        error = _refusal(response)
        after = _seconds(response.headers.get("Retry-After"))
        if status in _TRANSIENT and (after or 0) <= _LONGEST_RETRY_AFTER:
            raise Lost(str(error), after)
        raise error


def printable(text: object) -> str:
    """Return a server's text, truncated, without control characters."""
    return "".join(c if c.isprintable() else "\ufffd" for c in str(text)[:1000])


def _read(response: httpx2.Response, limit: int) -> bytes:
    """Return the first bytes of a body."""
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) >= limit:
            break
    return bytes(body[:limit])


def _refusal(response: httpx2.Response) -> TensorseedError:
    """Convert a problem document to an error."""
    problem: Any = {}
    if response.headers.get("Content-Type", "").endswith("json"):
        try:
            problem = json.loads(_read(response, _MAX_PROBLEM))
        except (ValueError, RecursionError):
            problem = {}
    problem = problem if isinstance(problem, dict) else {}
    if problems := _problems(problem.get("errors")):
        return InvalidRecipe(problems)
    phrase = f"{response.status_code} {response.reason_phrase}"
    detail = problem.get("detail") or response.headers.get("X-Error-Message") or phrase
    return Refused(response.status_code, printable(detail))


def _problems(listed: object) -> list[Problem]:
    entries = listed if isinstance(listed, list) else []
    return [
        Problem(printable(entry.get("pointer", "")), printable(entry.get("detail", "")))
        for entry in entries
        if isinstance(entry, dict)
    ]


def _seconds(header: str | None) -> float | None:
    """Return the seconds of Retry-After, which is a number of seconds or a date."""
    if not header:
        return None
    try:
        if header.strip().isdecimal():
            return float(header)
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _pause(failures: int) -> float:
    """Return the seconds to wait: exponential backoff with jitter."""
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** (failures - 1))
    return longest * random.uniform(0.5, 1)  # noqa: S311 - no secret


def _reason(error: Exception) -> str:
    return printable(error) or type(error).__name__
