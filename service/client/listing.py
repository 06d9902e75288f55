"""What there is to pull: one recipe's files, all of them at one moment."""

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
"""A namespace, or a name; the service knows more rules."""

_SOURCE = re.compile(
    rf"(?P<id>[0-9a-f]{{64}})|(?P<name>{PART}/{PART})(?:@(?P<revision>[A-Za-z0-9-]{{1,64}}))?"
)
_WEIGHTS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}\.safetensors")
_DIGEST = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]+):")
_ETAG = re.compile(r'"[!#-~]*"')


class Source(NamedTuple):
    """What to pull.

    Args:
        recipe_id: A stored recipe's; empty if it is a name.
        name: ``namespace/name``.
        revision: Of the name.
    """

    recipe_id: str
    name: str
    revision: str

    @classmethod
    def of(cls, text: str) -> Self:
        """Return what a text means.

        Raises:
            ValueError: Neither a recipe id nor a name.

        >>> Source.of("me/mlp@r3").revision
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
        path: Where.
        name: What it is to be called here.
        nbytes: Its length.
        etag: The same tag is the same bytes.
        sha256: In hexadecimal, where the service knows it; else empty.
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
        title: What they are called, the revision included.
        weights: Those with weights.
        texts: The others as they are, an index last.
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
        """What the files are called."""
        return {*(file.name for file in self.weights), *(text.name for text in self.texts)}


def listing(remote: Remote, source: Source) -> Listing:
    """Return what there is to pull.

    A name is looked up once, and everything asked for at the commit that it means then: if it comes
    to mean something else in between, nothing is mixed.

    Raises:
        RemoteError: Nothing is called so, or the service does not answer as it promises.
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


def _base(remote: Remote, source: Source) -> tuple[str, str]:
    if source.recipe_id:
        return f"/v1/recipes/{source.recipe_id}", source.recipe_id
    headers = remote.headers(f"/{source.name}/resolve/{source.revision}/{RECIPE}")
    commit = headers.get("X-Repo-Commit", "")
    if not re.fullmatch("[0-9a-f]{40}", commit):
        raise RemoteError(f"{remote.url}: the answer names no commit: is this a tensorseed service")
    return f"/{source.name}/resolve/{commit}", f"{source.name}@{commit}"


def _shards(index: bytes) -> list[str]:
    """Return the names in an index. Nothing else is ever written, nor anywhere else.

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
    """Return what Repr-Digest says of SHA-256, in hexadecimal."""
    found = _DIGEST.search(headers.get("Repr-Digest", ""))
    try:
        return base64.b64decode(found[1], validate=True).hex() if found else ""
    except binascii.Error:
        return ""
