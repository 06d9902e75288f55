"""A form of JSON and a file: the file goes to disk as it arrives, and is gone at the end."""

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
from service.web.middleware.access_log import visit_of
from service.web.request.multipart import Names, Parts, too_large
from service.web.shared.quota import Quota

DISCARDED = 4
"""Times the limit that are read and dropped: most clients read no answer until they have sent."""

_FRAMING = 1 << 16
"""Bytes of a form that are in no part."""

_WRITTEN = 1 << 20
"""Bytes of a donor that are written at once."""

_SLOWEST = 1 << 16
"""Bytes of a form that have to arrive in each second after the first ones."""


async def received(request: Request, names: Names) -> tuple[bytes, DonorFile]:
    """Return the text and the file of a form.

    The file has no name, and is closed, which frees its disk, when the answer has ended.

    Args:
        request: Its body, a form, is read here.
        names: What its parts are called.

    Raises:
        HTTPException: 400 for what is no form, 408 for one that stalls, 413 for a file that is too
            large, 415 where none is taken, 422 for other parts than one of each, 503 where the disk
            takes no more.
        RecipeTooLarge: The text has more than ``max_body_bytes``.
        Busy: As many files are there as may be at once.
    """
    settings: Settings = request.app.state.settings
    stream, most = request.stream(), _most(settings)
    declared = request.headers.get("content-length", "")
    size = int(declared[:20]) if declared.isdecimal() else 0
    is_on_its_way = "expect" not in request.headers and size <= DISCARDED * most
    try:
        parts = _parts(request, names, settings, size)
        donor = await _file(request, settings)
        is_on_its_way = True
        await _store(stream, settings, parts, donor)
    except (HTTPException, TensorseedError):
        if is_on_its_way:
            with suppress(HTTPException, TimeoutError):
                await _read(stream, names, settings, DISCARDED * most, _drop)
        raise
    except TimeoutError:
        raise HTTPException(
            HTTPStatus.REQUEST_TIMEOUT,
            f"the form came slower than within {settings.body_timeout:g} s (body_timeout) and one"
            f" more for every {_SLOWEST} bytes",
            headers={"Connection": "close"},
        ) from None
    return bytes(parts.text), donor


def _most(settings: Settings) -> int:
    return settings.max_donor_bytes + settings.max_body_bytes + _FRAMING


def _parts(request: Request, names: Names, settings: Settings, size: int) -> Parts:
    if not settings.max_donor_bytes:
        detail = (
            "no files are taken here (max_donor_bytes is 0): send Content-Type: application/json"
        )
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
    if size > _most(settings):
        raise too_large(names, f"a form of {size} bytes", settings)
    return Parts(names, request.headers["content-type"], settings)


async def _file(request: Request, settings: Settings) -> DonorFile:
    """Return a file for a donor, as soon as there may be one more, until the answer has ended."""
    places: Quota = request.app.state.donors
    visit = visit_of(request.scope)
    owner = visit.owner
    await places.wait(owner, settings.queue_timeout)
    visit.finally_(lambda: places.give(owner))
    with _storing():
        donor = await to_thread.run_sync(_spool, settings.data_dir)
    visit.finally_(donor.close)
    return donor


def _spool(folder: str) -> DonorFile:
    """Return a file on disk without a name, which is gone when it is closed, or the process is."""
    path = Path(folder).expanduser()
    path.mkdir(parents=True, exist_ok=True)
    return DonorFile(TemporaryFile(buffering=0, dir=path))


async def _store(
    stream: AsyncIterator[bytes], settings: Settings, parts: Parts, donor: DonorFile
) -> None:
    async def take(piece: bytes) -> None:
        parts.take(piece)
        if len(parts.file) >= _WRITTEN:
            await write()

    async def write() -> None:
        with _storing():
            await to_thread.run_sync(donor.append, bytes(parts.file))
        parts.file.clear()

    await _read(stream, parts.names, settings, _most(settings), take)
    await write()
    parts.require_all()


async def _read(
    stream: AsyncIterator[bytes],
    names: Names,
    settings: Settings,
    most: int,
    take: Callable[[bytes], Awaitable[None]],
) -> None:
    """Pass a body on as it arrives; what has come buys time for the rest.

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
                raise too_large(names, f"a form of more than {most} bytes", settings)
            await take(piece)


async def _drop(piece: bytes) -> None:
    """Read a client's bytes so that it comes to read the answer."""


@contextmanager
def _storing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        logging.getLogger("tensorseed").warning("a file cannot be stored: %s", error)
        detail = "the server's disk does not take the file now"
        headers = {"Retry-After": "10"}
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers) from None
