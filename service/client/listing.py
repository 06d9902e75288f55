"""What to pull: the files of one recipe, all of the same commit."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

from service.checkpoint.files import CONFIG, INDEX, RECIPE, WEIGHTS, TextFile
from service.client.remote import Remote, printable
from service.errors import RemoteError

PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?"
"""A namespace or a name. The service checks more rules."""

_REFERENCE = re.compile(
    rf"(?P<id>[0-9a-f]{{64}})|(?P<name>{PART}/{PART})(?:@(?P<revision>[A-Za-z0-9-]{{1,64}}))?"
)
_WEIGHTS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}\.safetensors")
_DIGEST = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]+):")
_ETAG = re.compile(r'"[!#-~]*"')


class Reference(NamedTuple):
    """What to pull.

    Args:
        recipe_id: Id of a stored recipe; empty for a name.
        name: ``namespace/name``; empty for a recipe.
        revision: Revision of the name.
    """

    recipe_id: str
    name: str
    revision: str

    @classmethod
    def of(cls, text: str) -> Self:
        """Parse a reference.

        Raises:
            ValueError: The text is neither a recipe id nor a name.

        >>> Reference.of("me/mlp@r3").revision
        'r3'
        """
        found = _REFERENCE.fullmatch(text)
        if found is None:
            raise ValueError(
                "is neither NAMESPACE/NAME, with @REVISION or without, nor a recipe id"
            )
        return cls(found["id"] or "", found["name"] or "", found["revision"] or "main")


class RemoteFile(NamedTuple):
    """A safetensors file of a service.

    Args:
        path: Its path at the service.
        name: Its name in the folder.
        nbytes: Its length.
        etag: Its strong entity tag.
        sha256: Its SHA-256 in hexadecimal; empty if the service does not know it.
    """

    path: str
    name: str
    nbytes: int
    etag: str
    sha256: str


@dataclass(frozen=True)
class Listing:
    """One recipe's files.

    Args:
        title: What the files belong to, including the revision.
        weights: The files of weights.
        texts: The JSON files, an index last.
    """

    title: str
    weights: tuple[RemoteFile, ...]
    texts: tuple[TextFile, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of all files."""
        return sum([*(file.nbytes for file in self.weights), *(text.nbytes for text in self.texts)])

    @property
    def names(self) -> set[str]:
        """The names of the files."""
        return {*(file.name for file in self.weights), *(text.name for text in self.texts)}


def listing(remote: Remote, reference: Reference) -> Listing:
    """Return the files to pull.

    A name is resolved to a commit once, and all files are those of that commit, even if the name
    changes meanwhile.

    Raises:
        RemoteError: There is no such recipe or name, or the service does not respond as specified.
    """
    base, title = _base(remote, reference)
    recipe = remote.text(f"{base}/{RECIPE}")
    if recipe is None:
        raise RemoteError(f"{remote.url}: no recipe {title} is stored there")
    if reference.recipe_id not in ("", hashlib.sha256(recipe).hexdigest()):
        raise RemoteError(f"{remote.url}: {RECIPE} does not match the recipe id")
    config, index = remote.text(f"{base}/{CONFIG}"), remote.text(f"{base}/{INDEX}")
    names = [WEIGHTS] if index is None else _shards(index)
    texts = {RECIPE: recipe, CONFIG: config, INDEX: index}
    return Listing(
        title=title,
        weights=tuple(_file(f"{base}/{name}", name, remote) for name in names),
        texts=tuple(TextFile(name, text) for name, text in texts.items() if text is not None),
    )


def _base(remote: Remote, reference: Reference) -> tuple[str, str]:
    """Return the path of the files at the service, and their title."""
    if reference.recipe_id:
        return f"/v1/recipes/{reference.recipe_id}", reference.recipe_id
    headers = remote.headers(f"/{reference.name}/resolve/{reference.revision}/{RECIPE}")
    commit = headers.get("X-Repo-Commit", "")
    if not re.fullmatch("[0-9a-f]{40}", commit):
        raise RemoteError(
            f"{remote.url}: the response has no commit: check that this is a tensorseed service"
        )
    return f"/{reference.name}/resolve/{commit}", f"{reference.name}@{commit}"


def _shards(index: bytes) -> list[str]:
    """Return the file names in an index. No other shards are written.

    Raises:
        RemoteError: A name is not that of a safetensors file, or contains a path.
    """
    try:
        names = sorted(set(json.loads(index)["weight_map"].values()))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise RemoteError(f"{INDEX} is not an index of safetensors files") from None
    for name in names:
        if not isinstance(name, str) or not _WEIGHTS.fullmatch(name):
            raise RemoteError(
                f"{INDEX} contains a file name that is not allowed: {printable(name)}"
            )
    return names


def _file(path: str, name: str, remote: Remote) -> RemoteFile:
    headers = remote.headers(path)
    length, etag = headers.get("Content-Length", ""), headers.get("ETag", "")
    if not length.isdecimal() or not _ETAG.fullmatch(etag):
        raise RemoteError(f"{remote.url}{path} has no Content-Length or no strong ETag")
    return RemoteFile(path, name, int(length), etag, _sha256(headers))


def _sha256(headers: Mapping[str, str]) -> str:
    """Return the SHA-256 of Repr-Digest in hexadecimal; empty if there is none."""
    found = _DIGEST.search(headers.get("Repr-Digest", ""))
    try:
        return base64.b64decode(found[1], validate=True).hex() if found else ""
    except binascii.Error:
        return ""
