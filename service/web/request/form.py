"""A form of JSON and a file: the file is written to disk as it arrives, and deleted at the end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryFile

from anyio import to_thread
from fastapi import HTTPException, Request

from service.container.donor import DonorFile
from service.errors import TensorseedError
from service.settings import Settings
from service.web.context import RequestContext
from service.web.request.multipart import Fields, FormParser, too_large

DISCARDED = 4
"""Multiple of the limit that is read and dropped: most clients read no response before they have
sent their body."""

_FRAMING = 1 << 16
"""Bytes of a form outside its fields' contents, at most."""

_WRITTEN = 1 << 20
"""Bytes of a donor that are written to disk at once."""

_SLOWEST = 1 << 16
"""Bytes a second that have to arrive after ``body_timeout``."""


async def receive(context: RequestContext, fields: Fields) -> tuple[bytes, DonorFile]:
    """Return the text and the file of a form.

    The file has no name. It is closed when the request ends, which frees its disk space.

    Args:
        context: The request's; its body, a form, is read here.
        fields: The names of the form's fields.

    Raises:
        HTTPException: 400 for a body that is no form, 408 for one that stalls, 413 for a file that
            is too large, 415 if no files are accepted, 422 for other fields than these two, 503 if
            the disk is full.
        RecipeTooLarge: The text has more than ``max_body_bytes``.
        Busy: As many files are on disk as may be.
    """
    request, settings = context.request, context.shared.settings
    stream, most = request.stream(), _most(settings)
    declared = request.headers.get("content-length", "")
    size = int(declared[:20]) if declared.isdecimal() else 0
    is_on_its_way = "expect" not in request.headers and size <= DISCARDED * most
    try:
        parser = _parser(request, fields, settings, size)
        donor = await _file(context)
        is_on_its_way = True
        await _store(stream, settings, parser, donor)
    except (HTTPException, TensorseedError):
        if is_on_its_way:
            with suppress(HTTPException, TimeoutError):
                await _read(stream, fields, settings, DISCARDED * most, _drop)
        raise
    except TimeoutError:
        raise HTTPException(
            HTTPStatus.REQUEST_TIMEOUT,
            f"the form came slower than within {settings.body_timeout:g} s (body_timeout) and one"
            f" more for every {_SLOWEST} bytes",
            headers={"Connection": "close"},
        ) from None
    return bytes(parser.text), donor


def _most(settings: Settings) -> int:
    return settings.max_donor_bytes + settings.max_body_bytes + _FRAMING


def _parser(request: Request, fields: Fields, settings: Settings, size: int) -> FormParser:
    if not settings.max_donor_bytes:
        detail = (
            "no files are taken here (max_donor_bytes is 0): send Content-Type: application/json"
        )
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
    if size > _most(settings):
        raise too_large(fields, f"a form of {size} bytes", settings)
    return FormParser(fields, request.headers["content-type"], settings)


async def _file(context: RequestContext) -> DonorFile:
    """Return a file for a donor, once there may be one more, that exists until the request ends."""
    await context.hold_donor()
    with _unavailable_if_disk_full():
        donor = await to_thread.run_sync(_temporary_file, context.shared.settings.data_dir)
    context.at_end(donor.close)
    return donor


def _temporary_file(folder: str) -> DonorFile:
    """Return a file on disk without a name, deleted when it is closed or the process ends."""
    path = Path(folder).expanduser()
    path.mkdir(parents=True, exist_ok=True)
    return DonorFile(TemporaryFile(buffering=0, dir=path))


async def _store(
    stream: AsyncIterator[bytes], settings: Settings, parser: FormParser, donor: DonorFile
) -> None:
    async def take(piece: bytes) -> None:
        parser.take(piece)
        if len(parser.file) >= _WRITTEN:
            await write()

    async def write() -> None:
        with _unavailable_if_disk_full():
            await to_thread.run_sync(donor.append, bytes(parser.file))
        parser.file.clear()

    await _read(stream, parser.fields, settings, _most(settings), take)
    await write()
    parser.require_all()


async def _read(
    stream: AsyncIterator[bytes],
    fields: Fields,
    settings: Settings,
    most: int,
    take: Callable[[bytes], Awaitable[None]],
) -> None:
    """Pass a body on as it arrives; every byte that arrives extends the timeout.

    Raises:
        HTTPException: 413, there is more.
        TimeoutError: It came too slowly.
    """
    began, total = asyncio.get_running_loop().time(), 0
    async with asyncio.timeout(settings.body_timeout) as clock:
        async for piece in stream:
            total += len(piece)
            clock.reschedule(began + settings.body_timeout + total / _SLOWEST)
            if total > most:
                raise too_large(fields, f"a form of more than {most} bytes", settings)
            await take(piece)


async def _drop(piece: bytes) -> None:
    """Read a client's bytes and drop them, so that it goes on to read the response."""


@contextmanager
def _unavailable_if_disk_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        logging.getLogger("tensorseed").warning("a file cannot be stored: %s", error)
        detail = "the server's disk does not take the file now"
        headers = {"Retry-After": "10"}
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers) from None
