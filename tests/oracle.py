"""A scalar oracle of generator v1, made from docs/generator-v1.md alone.

Plain Python: integers, binary64 floats and exact fractions, one element at a time. It shares
nothing with the service but the bytes of the quantile table, whose digest the page states.
"""

import hashlib
import math
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Literal

Words = tuple[int, int, int, int]
Law = tuple[str, *tuple[float, ...]]
Entry = tuple[str, str, Sequence[int]]
Tensor = tuple[str, str, Sequence[int], Law]

TABLE = Path(__file__).parents[1] / "service/numerics/quantile.bin"
TABLE_SHA256 = "fcf8d407c578c8e413c8c13b6478c0572ae69c0cc575551824a7cb902b9d6c41"
U32 = 0xFFFFFFFF
FEWEST_WORDS = 1 << 16
SIZES = {"F64": 8, "I64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}
ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
}
# Per narrow format: bytes, fraction bits, exponent of the least normal, largest finite code.
NARROW = {
    "BF16": (2, 7, -126, 0x7F7F),
    "F8_E4M3": (1, 3, -6, 0x7E),
    "F8_E5M2": (1, 2, -14, 0x7B),
}


def philox(counter: Words, key: tuple[int, int]) -> Words:
    """Encrypt one counter with Philox4x32-10.

    Args:
        counter: Four u32.
        key: Two u32.

    Returns:
        The four words of the block.
    """
    a, b, c, d = counter
    k0, k1 = key
    for _ in range(10):
        p0 = 0xD2511F53 * a
        p1 = 0xCD9E8D57 * c
        a, b, c, d = (p1 >> 32) ^ b ^ k0, p1 & U32, (p0 >> 32) ^ d ^ k1, p0 & U32
        k0 = (k0 + 0x9E3779B9) & U32
        k1 = (k1 + 0xBB67AE85) & U32
    return a, b, c, d


def _prefixed(data: bytes) -> bytes:
    """Return the bytes after their own length as u64."""
    return struct.pack("<Q", len(data)) + data


def stream(seed: int, name: str, purpose: str = "value") -> Words:
    """Derive a tensor's stream.

    Args:
        seed: The recipe's seed, a u64.
        name: The tensor's name.
        purpose: What the randomness is for.

    Returns:
        k0, k1, c2 and c3.
    """
    parts = (b"tensorseed/v1", purpose.encode(), struct.pack("<Q", seed), name.encode())
    digest = hashlib.sha256(b"".join(map(_prefixed, parts))).digest()
    k0, k1, c2, c3 = struct.unpack("<4I", digest[:16])
    return k0, k1, c2, c3


def word(stream: Words, index: int) -> int:
    """Return the word of one element.

    Args:
        stream: The tensor's stream.
        index: The element's row-major index in the full tensor.

    Returns:
        The u32 from which the element is made.
    """
    k0, k1, c2, c3 = stream
    block = index >> 2
    return philox((block & U32, block >> 32, c2, c3), (k0, k1))[index & 3]


@cache
def _table() -> tuple[Words, ...]:
    """Load the quantile table, one row per segment."""
    data = TABLE.read_bytes()
    if hashlib.sha256(data).hexdigest() != TABLE_SHA256:
        raise ValueError("the quantile table is not that of generator v1")
    return tuple(struct.iter_unpack("<4I", data))


def quantile(h: int) -> int:
    """Map a word to the standard normal variate in units of 2^-28.

    Args:
        h: A u32.

    Returns:
        The signed integer z.
    """
    positive = h >> 31
    tail = 2 * (h ^ U32 if positive else h) + 1
    zeros = 32 - tail.bit_length()
    rest = (tail << zeros << 1) & U32
    r0, r1, r2, r3 = _table()[(zeros << 5) | (rest >> 27)]
    t = ((rest << 5) & U32) ^ U32
    inner = r2 + (t * r3 >> 32)
    inner = r1 + (t * inner >> 32)
    size = r0 + (t * inner >> 32)
    return size if positive else -size


def _normal(mean: float, std: float, h: int) -> float:
    """Return the normal value of one word: two products and one sum, each rounded."""
    step = std * 2.0**-28
    product = float(quantile(h)) * step
    return mean + product


def _uniform(low: float, high: float, h: int) -> float:
    """Return the uniform value of one word."""
    centre = (low + high) / 2.0
    half = (high - low) / 2.0
    product = float(2 * h + 1 - 2**32) * (half * 2.0**-32)
    return min(max(centre + product, low), high)


def _least(holds: Callable[[int], bool]) -> int:
    """Return the first u32 for which a monotone condition holds, or 2^32 for none."""
    below, above = 0, 1 << 32
    while below < above:
        middle = (below + above) // 2
        if holds(middle):
            above = middle
        else:
            below = middle + 1
    return below


def bracket(
    mean: float, std: float, low: float, high: float, unit: Literal["sigma", "absolute"]
) -> tuple[int, int]:
    """Find the first and the last word whose value lies between two bounds.

    Raises:
        ValueError: If fewer than 2^16 words lie inside.
    """

    def place(h: int) -> float:
        return quantile(h) if unit == "sigma" else _normal(mean, std, h)

    scale = 2.0**28 if unit == "sigma" else 1.0
    first = _least(lambda h: place(h) >= low * scale)
    last = _least(lambda h: place(h) > high * scale) - 1
    if last - first + 1 < FEWEST_WORDS:
        raise ValueError("fewer than 2^16 words lie between the bounds")
    return first, last


def value(law: Law, h: int) -> float:
    """Return the float64 that a law gives one word, before the cast to a dtype.

    Raises:
        ValueError: If the law is not one that draws from a word or a constant.
    """
    match law:
        case ("constant", float() | int() as constant):
            return float(constant)
        case ("uniform", low, high):
            return _uniform(float(low), float(high), h)
        case ("normal", mean, std):
            return _normal(float(mean), float(std), h)
        case ("truncated_normal", mean, std, first, last):
            inside = int(first) + (h * (int(last) - int(first) + 1) >> 32)
            return _normal(float(mean), float(std), inside)
    raise ValueError(f"no such law: {law!r}")


def _narrow(x: float, dtype: str) -> bytes:
    """Round a value to a narrow format by exact fractions, ties to even.

    The codes of one sign are consecutive integers in the order of their values, so the octaves
    above the least normal and the count of units in the last place add up to the code.
    """
    size, fraction_bits, least, largest = NARROW[dtype]
    magnitude = Fraction(abs(x))
    exponent = max(math.frexp(x)[1] - 1, least) if x else least
    unit = Fraction(2) ** (exponent - fraction_bits)
    code = ((exponent - least) << fraction_bits) + round(magnitude / unit)
    if code > largest:
        raise OverflowError(f"{x!r} is not finite in {dtype}")
    negative = math.copysign(1.0, x) < 0
    return (code | (negative << (8 * size - 1))).to_bytes(size, "little")


def encode(x: float, dtype: str) -> bytes:
    """Cast a law's float64 to a dtype and return its bits, little-endian.

    Raises:
        OverflowError: If the value is not finite in the dtype.
        ValueError: If the dtype is I64 and the value no whole number, or the dtype unknown.
    """
    if dtype == "F64":
        return struct.pack("<d", x)
    if dtype == "I64":
        if x != math.floor(x):
            raise ValueError(f"{x!r} is not a whole number")
        return int(x).to_bytes(8, "little", signed=True)
    single = struct.pack("<f", x)
    if dtype == "F32":
        return single
    (rounded,) = struct.unpack("<f", single)
    if dtype == "F16":
        return struct.pack("<e", rounded)
    if dtype not in NARROW:
        raise ValueError(f"no such dtype: {dtype}")
    return _narrow(rounded, dtype)


def elements(seed: int, name: str, indices: Iterable[int], law: Law, dtype: str) -> bytes:
    """Return the bytes of chosen elements of a tensor.

    Args:
        seed: The recipe's seed.
        name: The tensor's name.
        indices: Row-major indices in the full tensor.
        law: The tensor's law.
        dtype: The tensor's dtype.

    Returns:
        The elements' bits in the order of the indices.
    """
    key = stream(seed, name)
    return b"".join(encode(value(law, word(key, index)), dtype) for index in indices)


def _quoted(text: str) -> str:
    """Return a JSON string, escaped only where the page says so."""

    def escaped(character: str) -> str:
        if character in ESCAPES:
            return ESCAPES[character]
        return f"\\u{ord(character):04x}" if character < " " else character

    return '"' + "".join(map(escaped, text)) + '"'


def header(tensors: Iterable[Entry], metadata: Mapping[str, str]) -> tuple[bytes, list[str]]:
    """Build a file's header from its tensors, in any order, and all its metadata.

    Returns:
        The length field, the text and its padding; and the names in file order.
    """
    ordered = sorted(tensors, key=lambda entry: (-SIZES[entry[1]], entry[0].encode()))
    keys = sorted(metadata, key=str.encode)
    strings = ",".join(f"{_quoted(key)}:{_quoted(metadata[key])}" for key in keys)
    members = [f'"__metadata__":{{{strings}}}'] if keys else []
    end = 0
    for name, dtype, shape in ordered:
        begin, end = end, end + SIZES[dtype] * math.prod(shape)
        sizes = ",".join(map(str, shape))
        body = f'"dtype":"{dtype}","shape":[{sizes}],"data_offsets":[{begin},{end}]'
        members.append(f"{_quoted(name)}:{{{body}}}")
    text = ("{" + ",".join(members) + "}").encode()
    text += b" " * (-len(text) % 8)
    return _prefixed(text), [name for name, _, _ in ordered]


def file(seed: int, tensors: Sequence[Tensor], metadata: Mapping[str, str]) -> bytes:
    """Build a whole safetensors file of tensors without parts or slices."""
    head, order = header([tensor[:3] for tensor in tensors], metadata)
    named = {tensor[0]: tensor for tensor in tensors}
    data = bytearray(head)
    for name in order:
        _, dtype, shape, law = named[name]
        data += elements(seed, name, range(math.prod(shape)), law, dtype)
    return bytes(data)


def plan_digest(seed: int, tensors: Sequence[Tensor], metadata: Mapping[str, str]) -> str:
    """Compute the digest of the plan of a file of whole tensors, each under one law.

    Returns:
        The digest in lower-case hexadecimal, without the marks of an `ETag`.
    """
    head, order = header([tensor[:3] for tensor in tensors], metadata)
    named = {tensor[0]: tensor for tensor in tensors}
    digest = hashlib.sha256(head)
    for name in order:
        _, _, shape, (kind, *parameters) = named[name]
        listed = ",".join(struct.pack(">d", parameter).hex() for parameter in parameters)
        key = struct.pack(">4I", *stream(seed, name)).hex()
        slices = ",".join(f"0:{size}/{size}" for size in shape)
        digest.update(f"{kind}({listed}) {key} {slices}\n".encode("ascii"))
    return digest.hexdigest()
