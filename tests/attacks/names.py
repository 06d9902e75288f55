"""Tensor names that are read as another, end a line of a log, or stand for the header's own."""

from tests.attacks.attack import Attack, of, weights

_NAMES = [
    "",
    "__metadata__",
    "a\0b",
    "a\nb",
    "\x1b[2J",
    "\x7f",
    "\u0085",
    "\u202e",
    "\u2066a",
    "n" * 257,
    "é" * 129,
]

ATTACKS = [
    *(Attack(weights(of({"name": name})), 422, "/tensors/0/name") for name in _NAMES),
    Attack(weights(of({}, {})), 422, "/tensors/1/name"),
]
