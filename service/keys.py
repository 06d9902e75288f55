"""API keys: owner, scopes and hash. The service stores no key itself."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

Scope = Literal["generate", "read", "write"]
"""What a key allows: POSTs that generate weights or plans, GETs, changes of the registry."""

SCOPES: tuple[Scope, ...] = get_args(Scope)

_ENTRY = re.compile(r"(?P<name>[A-Za-z0-9._-]{1,64}) (?P<scopes>[a-z,]+) (?P<sha256>[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Key:
    """A key as the service knows it.

    Args:
        name: Its owner, for logs.
        scopes: What it allows.
        sha256: Its hash. A key has 256 random bits, so a slow hash is not needed.
    """

    name: str
    scopes: frozenset[str]
    sha256: bytes


class Keys:
    """The keys that a service accepts; without any, it accepts every request.

    Args:
        lines: Entries ``name scope,scope sha256``, and comments that begin with ``#``.

    Raises:
        ValueError: A line is malformed. The message does not repeat it: it may be a secret.

    >>> bool(Keys(["# nobody"]))
    False
    """

    def __init__(self, lines: Iterable[str]) -> None:
        entries = [(number, line.partition("#")[0].strip()) for number, line in enumerate(lines, 1)]
        self._keys = [_read(number, entry) for number, entry in entries if entry]

    def __bool__(self) -> bool:
        return bool(self._keys)

    def find(self, presented: str) -> Key | None:
        """Return the key that was presented, in constant time; None if it is unknown."""
        digest = hashlib.sha256(presented.encode()).digest()
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found


def create_key(name: str, scopes: Iterable[str]) -> tuple[str, str]:
    """Return a new key, and its entry for the service's settings.

    Raises:
        ValueError: The name or a scope is not allowed in an entry.
    """
    key = f"ts_{secrets.token_urlsafe(32)}"
    entry = f"{name} {','.join(sorted(set(scopes)))} {hashlib.sha256(key.encode()).hexdigest()}"
    _read(1, entry)
    return key, entry


def _read(number: int, entry: str) -> Key:
    found = _ENTRY.fullmatch(entry)
    scopes = frozenset(found["scopes"].split(",")) if found else frozenset()
    if not found or not scopes <= set(SCOPES):
        raise ValueError(
            f"key {number} is not written as: name scope,scope sha256."
            " The name has letters, digits, '.', '_' and '-';"
            f" scopes are {', '.join(SCOPES)}. Create entries with: tensorseed key"
        )
    return Key(found["name"], scopes, bytes.fromhex(found["sha256"]))
