"""Downloads a recipe's files into a folder, and resumes an interrupted pull."""

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from service.checkpoint.files import INDEX
from service.checkpoint.save import atomic_write, check_no_other_weights, save_text
from service.client.download import download
from service.client.listing import Listing, RemoteFile
from service.client.remote import Remote

RECORD = ".tensorseed.json"
"""File in which a pull records each file's entity tag, size and modification time."""


def fetch(
    remote: Remote,
    listing: Listing,
    folder: str | os.PathLike[str],
    advance: Callable[[int], object] | None = None,
) -> None:
    """Download a recipe's files into a folder, each complete or absent, and the index last.

    A file from an earlier pull is kept if it has not changed since, and the service still has it
    with the same entity tag.

    Args:
        remote: The service.
        listing: The files.
        folder: The folder to write to; created if it is missing.
        advance: Called with the number of new bytes; negative if a download starts over.

    Raises:
        FileExistsError: The folder holds weights of another checkpoint.
        RemoteError: A download fails, or a file is not what the service announced.
        OSError: A file cannot be written.
    """
    target, step = Path(folder), advance or (lambda _: None)
    target.mkdir(parents=True, exist_ok=True)
    check_no_other_weights(target, listing.names)
    record = _Record(target)
    if not all(record.has(file) for file in listing.weights):
        (target / INDEX).unlink(missing_ok=True)  # it would list old and new files
    for file in listing.weights:
        if record.has(file):
            step(file.nbytes)
            continue
        download(remote, file, target, step)
        record.add(file)
    for text in listing.texts:
        save_text(text, target)
        step(text.nbytes)


class _Record:
    """The record of earlier pulls into a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, list[object]] = {}
        with contextlib.suppress(FileNotFoundError, ValueError, RecursionError):
            known = json.loads((folder / RECORD).read_bytes())
            self._known = known if isinstance(known, dict) else {}

    def has(self, file: RemoteFile) -> bool:
        """Return whether a file exists, unchanged since it was pulled."""
        with contextlib.suppress(FileNotFoundError):
            return self._known.get(file.name) == self._entry(file)
        return False

    def add(self, file: RemoteFile) -> None:
        """Record that a file was pulled."""
        self._known[file.name] = self._entry(file)
        with atomic_write(self._folder / RECORD) as sink:
            sink.write(json.dumps(self._known, indent=0).encode())

    def _entry(self, file: RemoteFile) -> list[object]:
        found = (self._folder / file.name).stat()
        return [file.etag, file.nbytes, found.st_size, found.st_mtime_ns]
