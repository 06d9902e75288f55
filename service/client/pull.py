"""A recipe's files from a service into a folder; a pull that ended early goes on where it was."""

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
"""Which files of a folder were pulled: for each the entity tag, the length and when it changed."""


def fetch(
    remote: Remote,
    listing: Listing,
    folder: str | os.PathLike[str],
    advance: Callable[[int], object] | None = None,
) -> None:
    """Bring a recipe's files into a folder, each whole or absent, and the index last.

    A file that an earlier pull brought is left as it is where the service still has it under the
    same entity tag and nothing has written to it since.

    Args:
        remote: Who has them.
        listing: Which.
        folder: Where to; made if it is missing.
        advance: Called with how many bytes more there are; fewer than none where one starts over.

    Raises:
        FileExistsError: The folder holds weights of another checkpoint.
        RemoteError: A file did not come, or is not what was promised.
        OSError: A file cannot be written.
    """
    target, step = Path(folder), advance or (lambda _: None)
    target.mkdir(parents=True, exist_ok=True)
    check_no_other_weights(target, listing.names)
    record = _Record(target)
    if not all(record.has(file) for file in listing.weights):
        (target / INDEX).unlink(missing_ok=True)  # or it would speak of files old and new
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
    """What earlier pulls brought into a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, list[object]] = {}
        with contextlib.suppress(FileNotFoundError, ValueError, RecursionError):
            known = json.loads((folder / RECORD).read_bytes())
            self._known = known if isinstance(known, dict) else {}

    def has(self, file: RemoteFile) -> bool:
        """Return whether a file is there, as it was when it was pulled."""
        with contextlib.suppress(FileNotFoundError):
            return self._known.get(file.name) == self._entry(file)
        return False

    def add(self, file: RemoteFile) -> None:
        """Keep in mind that a file has come."""
        self._known[file.name] = self._entry(file)
        with atomic_write(self._folder / RECORD) as sink:
            sink.write(json.dumps(self._known, indent=0).encode())

    def _entry(self, file: RemoteFile) -> list[object]:
        found = (self._folder / file.name).stat()
        return [file.etag, file.nbytes, found.st_size, found.st_mtime_ns]
