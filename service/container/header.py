"""Writes and reads the safetensors header. Its bytes depend on names, dtypes and shapes only.

Source: https://github.com/huggingface/safetensors#format; docs/generator-v1.md, "The file".
"""

import json
import re
import struct
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from service.errors import UnreadableFile

RESERVED_METADATA = "tensorseed."
"""Prefix of metadata keys that are reserved for the service."""

# C0 and C1 control characters, and marks that change the direction of text.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Entry(NamedTuple):
    """One tensor as the header lists it.

    Args:
        name: Its name.
        dtype: safetensors spelling.
        shape: Dimensions of the block that the file holds.
        begin: Offset of its first byte from the end of the header.
        end: Offset after its last byte.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def name_problem(name: str, max_bytes: int) -> str | None:
    """Return why ``name`` is not a valid tensor name; None if it is.

    >>> name_problem("", 256)
    'the name is empty'
    """
    if not name:
        return "the name is empty"
    if name == "__metadata__":
        return "the name __metadata__ is reserved by the file format"
    if len(name.encode()) > max_bytes:
        return f"the name is {len(name.encode())} bytes of UTF-8; the limit is {max_bytes}"
    if found := _FORBIDDEN.search(name):
        return f"the name contains U+{ord(found[0]):04X}, a control or bidirectional character"
    return None


def file_order(size: int, name: str) -> tuple[int, bytes]:
    """Return the sort key of a tensor in the file: wide dtypes first, then by UTF-8 name.

    Args:
        size: Bytes of one element. The decreasing order aligns every tensor.
        name: The tensor's name.
    """
    return -size, name.encode()


def encode_header(entries: Iterable[Entry], metadata: Mapping[str, str]) -> bytes:
    """Return the header: its length as u64, JSON without spaces, padding to a multiple of 8.

    Args:
        entries: Tensors in file order.
        metadata: Strings for ``__metadata__``, which is left out if there are none.
    """
    members: list[str] = []
    if metadata:
        ordered = {key: metadata[key] for key in sorted(metadata, key=str.encode)}
        members.append(f'"__metadata__":{_json(ordered)}')
    members.extend(
        f'{_json(name)}:{{"dtype":"{dtype}","shape":[{",".join(map(str, shape))}],'
        f'"data_offsets":[{begin},{end}]}}'
        for name, dtype, shape, begin, end in entries
    )
    text = f"{{{','.join(members)}}}".encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


class Readable(Protocol):
    """A binary file."""

    def read(self, size: int, /) -> bytes | None:
        """Return up to ``size`` bytes."""


def read_header(file: Readable, max_bytes: int) -> tuple[dict[str, Any], int]:
    """Return the header's entries by name, and the offset at which the tensors begin.

    Only the offsets of an entry are checked: two nonnegative integers in order.

    Args:
        file: Any file, at its beginning.
        max_bytes: Most bytes that the header may have.

    Raises:
        UnreadableFile: The file is not a safetensors file.
    """
    length = file.read(8) or b""
    size = struct.unpack("<Q", length)[0] if len(length) == 8 else 0
    if not 2 <= size <= max_bytes:
        raise UnreadableFile(
            f"no safetensors header: its length, {size}, is not 2 to {max_bytes} bytes"
        )
    text = file.read(size) or b""
    try:
        document: dict[str, Any] = json.loads(text if len(text) == size else b"")
        document.pop("__metadata__", None)
        spans = [tuple(entry["data_offsets"]) for entry in document.values()]
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
        raise UnreadableFile("no safetensors header: it is not one JSON object") from None
    if not all(
        len(s) == 2 and type(s[0]) is type(s[1]) is int and 0 <= s[0] <= s[1] for s in spans
    ):
        raise UnreadableFile("no safetensors header: data_offsets are not two integers in order")
    return document, 8 + size


def layout_problem(spans: Iterable[list[int]], nbytes: int) -> str | None:
    """Return why tensors do not fill the file without gap or overlap; None if they do.

    The official reader refuses such a file, too.

    Args:
        spans: Offsets of each tensor's first byte, and after its last.
        nbytes: Bytes of the file after the header.
    """
    expected = 0
    for begin, end in sorted(spans):
        if begin != expected:
            return f"the tensors have a gap or an overlap at byte {min(begin, expected)}"
        expected = end
    if expected != nbytes:
        return f"the header lists {expected} bytes of tensors; the file has {nbytes}"
    return None
