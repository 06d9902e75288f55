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
"""A namespace or a name; the service has more rules."""

_SOURCE = re.compile(
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
            ValueError: Neither a recipe id nor a name.

        >>> Reference.of("me/mlp@r3").revision
        'r3'
        """
        found = _SOURCE.fullmatch(text)
        if found is None:
            raise ValueError(
                "is neither NAMESPACE/NAME, with @REVISION or without, nor a recipe id"
            )
        return cls(found["id"] or "", found["name"] or "", found["revision"] or "main")


class RemoteFile(NamedTuple):
    """A safetensors file that a service has.

    Args:
        path: Its path at the service.
        name: Its name in the folder.
        nbytes: Its length.
        etag: Its strong entity tag.
        sha256: In hexadecimal; empty if the service does not know it.
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


def listing(remote: Remote, source: Reference) -> Listing:
    """Return the files to pull.

    A name is resolved to a commit once, and all files are those of that commit, even if the name
    changes meanwhile.

    Raises:
        RemoteError: There is no such recipe or name, or the service does not respond as specified.
    """
    base, title = _base(remote, source)
    recipe = remote.text(f"{base}/{RECIPE}")
    if recipe is None:
        raise RemoteError(f"{remote.url}: no recipe {title} is stored there")
    if source.recipe_id not in ("", hashlib.sha256(recipe).hexdigest()):
        raise RemoteError(f"{remote.url}: {RECIPE} is not the recipe of that id")
    config, index = remote.text(f"{base}/{CONFIG}"), remote.text(f"{base}/{INDEX}")
    names = [WEIGHTS] if index is None else _shards(index)
    texts = {RECIPE: recipe, CONFIG: config, INDEX: index}
    return Listing(
        title=title,
        weights=tuple(_file(f"{base}/{name}", name, remote) for name in names),
        texts=tuple(TextFile(name, text) for name, text in texts.items() if text is not None),
    )


def _base(remote: Remote, source: Reference) -> tuple[str, str]:
    if source.recipe_id:
        return f"/v1/recipes/{source.recipe_id}", source.recipe_id
    headers = remote.headers(f"/{source.name}/resolve/{source.revision}/{RECIPE}")
    commit = headers.get("X-Repo-Commit", "")
    if not re.fullmatch("[0-9a-f]{40}", commit):
        raise RemoteError(f"{remote.url}: the answer names no commit: is this a tensorseed service")
    return f"/{source.name}/resolve/{commit}", f"{source.name}@{commit}"


def _shards(index: bytes) -> list[str]:
    """Return the names of files in an index; only such names are ever written.

    Raises:
        RemoteError: One is not the plain name of a safetensors file.
    """
    try:
        names = sorted(set(json.loads(index)["weight_map"].values()))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise RemoteError(f"{INDEX} is not an index of safetensors files") from None
    for name in names:
        if not isinstance(name, str) or not _WEIGHTS.fullmatch(name):
            raise RemoteError(f"{INDEX} names a file that is not to be written: {printable(name)}")
    return names


def _file(path: str, name: str, remote: Remote) -> RemoteFile:
    headers = remote.headers(path)
    length, etag = headers.get("Content-Length", ""), headers.get("ETag", "")
    if not length.isdecimal() or not _ETAG.fullmatch(etag):
        raise RemoteError(f"{remote.url}{path} is without a length or a strong tag")
    return RemoteFile(path, name, int(length), etag, _sha256(headers))


def _sha256(headers: Mapping[str, str]) -> str:
    """Return the SHA-256 in Repr-Digest, in hexadecimal; empty if there is none."""
    found = _DIGEST.search(headers.get("Repr-Digest", ""))
    try:
        return base64.b64decode(found[1], validate=True).hex() if found else ""
    except binascii.Error:
        return ""
