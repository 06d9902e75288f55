"""What a piece of torture found, beside what was promised."""

from typing import NamedTuple


class Figure(NamedTuple):
    """One line of the report.

    Args:
        what: Was done.
        seen: Was measured, in words and numbers.
        promised: Was to be reached; empty if nothing was.
        holds: Whether it was.
    """

    what: str
    seen: str
    promised: str = ""
    holds: bool = True
