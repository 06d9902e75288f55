"""Downloads one large file: resumes after failures, verifies, then renames."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from io import BufferedRandom
from pathlib import Path

from service.client.listing import RemoteFile
from service.client.remote import Lost, Remote, printable
from service.errors import RemoteError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def download(
    remote: Remote, file: RemoteFile, folder: Path, advance: Callable[[int], object]
) -> None:
    """Download a file into a folder; it gets its name only when it is complete.

    A partial file is kept under a hidden name that contains a hash of its entity tag. The next
    attempt, in this or a later process, resumes it.

    Args:
        remote: The service.
        file: The file.
        folder: The folder to write to.
        advance: Called with the number of new bytes; negative if the download starts over.

    Raises:
        RemoteError: The download fails, or the file is not what the service announced.
        OSError: The file cannot be written.
    """
    tag = hashlib.sha256(file.etag.encode()).hexdigest()[:16]
    part = folder / f".{file.name}.{tag}.part"
    with _locked(part) as sink:
        transfer = _Transfer(remote, file, sink, advance)
        remote.persist(transfer.attempt, transfer.position)
        sink.flush()
        if file.sha256 and file.sha256 != _digest(sink):
            part.unlink()
            raise RemoteError(
                f"{file.name} does not have the announced SHA-256, {file.sha256}: pull again"
            )
        os.fsync(sink.fileno())
    part.replace(folder / file.name)
    for other in folder.glob(f".{file.name}.*.part"):
        other.unlink(missing_ok=True)


class _Transfer:
    """One download, in one or more attempts."""

    def __init__(
        self,
        remote: Remote,
        file: RemoteFile,
        sink: BufferedRandom,
        advance: Callable[[int], object],
    ) -> None:
        self._remote = remote
        self._file = file
        self._sink = sink
        self._advance = advance
        self._at = sink.seek(0, os.SEEK_END)
        if self._at > file.nbytes:
            self._restart()
        advance(self._at)

    def position(self) -> int:
        """Return how many bytes have arrived."""
        return self._at

    def attempt(self) -> None:
        """Download the rest.

        Raises:
            Lost: The connection broke; the bytes that arrived are kept.
            RemoteError: The service sends something other than the requested bytes.
        """
        if self._at == self._file.nbytes:
            return
        conditions = {"Range": f"bytes={self._at}-", "If-Range": self._file.etag}
        headers = conditions if self._at else None
        with self._remote.opened("GET", self._file.path, headers) as response:
            self._seek(response.status_code, response.headers)
            for chunk in response.iter_raw():
                if self._at + len(chunk) > self._file.nbytes:
                    raise RemoteError(
                        f"{self._file.name} is longer than announced, {self._file.nbytes} bytes"
                    )
                self._sink.write(chunk)
                self._at += len(chunk)
                self._advance(len(chunk))
        if self._at < self._file.nbytes:
            raise Lost(f"{self._file.name} ended after {self._at} of {self._file.nbytes} bytes")

    def _seek(self, status: int, headers: Mapping[str, str]) -> None:
        """Seek to where the response begins, after checking that it is about this file."""
        file = self._file
        if headers.get("ETag") != file.etag:
            now = printable(headers.get("ETag"))
            raise RemoteError(f"{file.name} changed from {file.etag} to {now}: pull again")
        if status == HTTPStatus.OK:
            self._advance(-self._at)
            self._restart()
        elif status != HTTPStatus.PARTIAL_CONTENT or not self._at:
            raise RemoteError(f"{file.name}: the service sent an unexpected status, {status}")
        elif headers.get("Content-Range") != f"bytes {self._at}-{file.nbytes - 1}/{file.nbytes}":
            raise RemoteError(f"{file.name}: the service sent another range than requested")
        length = headers.get("Content-Length")
        if length is not None and length != str(file.nbytes - self._at):
            raise RemoteError(
                f"{file.name}: the service announced {printable(length)} bytes, not the"
                f" {file.nbytes - self._at} that are missing"
            )

    def _restart(self) -> None:
        self._sink.seek(0)
        self._sink.truncate()
        self._at = 0


@contextlib.contextmanager
def _locked(part: Path) -> Iterator[BufferedRandom]:
    """Open and lock a partial file; fail if another process is writing it."""
    with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as sink:
        if fcntl is not None:
            try:
                fcntl.flock(sink, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RemoteError(f"another process is writing {part}") from None
            except OSError:  # a file system without locks
                pass
        yield sink


def _digest(sink: BufferedRandom) -> str:
    sink.seek(0)
    return hashlib.file_digest(sink, "sha256").hexdigest()
