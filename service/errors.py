"""What can go wrong, as one tree that knows nothing of HTTP: ``web/problems.py`` has statuses.

::

    TensorseedError
    ├── MalformedRecipe     the bytes are not the strict JSON that a recipe is written in
    ├── RecipeTooLarge      more bytes than the limit allows were sent
    ├── InvalidRecipe       JSON, but it means nothing: every problem with its place
    ├── SchemeError         one initialization cannot be made for one tensor
    │   ├── MissingFan          a scheme needs fans and the tensor states none
    │   ├── DegenerateFan       the fan that divides the variance is zero
    │   ├── UnsuitableShape     identity and dirac need axes that the tensor lacks
    │   ├── EmptyTruncation     too few of the 2^32 words fall between the bounds
    │   └── LawOverflow         a value of the law does not fit float64 or the dtype
    ├── LayerError          a layer cannot be made in the convention that is asked for
    ├── ModelError          a model's config.json says nothing that can be made
    ├── BackendUnavailable  GPUs are to compute, and none answers
    ├── KernelUnavailable   the kernel that was asked for is not on this machine
    ├── UnreadableFile      a file that should be safetensors is not
    ├── UnreadableLink      a self-contained URL was cut or changed on its way
    ├── UnknownRecipe       a name is to point at a recipe that nobody stored
    ├── RevisionConflict    another writer made a name's next revision
    ├── RegistryUnavailable the database does not answer
    ├── Busy                everything that may be under way at once is; it says when to try again
    └── RemoteError         a service elsewhere cannot be reached, refuses or breaks its promises
"""

from collections.abc import Sequence
from dataclasses import dataclass

TRUNCATED_TO = 100
"""Characters of a client's input that a message may repeat."""


def truncate(value: object) -> str:
    """Return ``value`` as text that an error may carry: at most `TRUNCATED_TO` characters.

    >>> truncate("w" * 500) == "w" * 99 + "…"
    True
    """
    text = str(value)
    return text if len(text) <= TRUNCATED_TO else text[: TRUNCATED_TO - 1] + "…"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a recipe.

    Args:
        pointer: RFC 6901 JSON Pointer to the place; ``""`` is the whole document.
        detail: What is wrong, what the limit is and what would be valid.
    """

    pointer: str
    detail: str


class TensorseedError(Exception):
    """Anything this package raises on purpose."""


class MalformedRecipe(TensorseedError):
    """The bytes are not strict JSON: not UTF-8, truncated, a duplicate key, NaN, too deep."""


class RecipeTooLarge(TensorseedError):
    """The recipe's text is longer than ``max_body_bytes``."""


class InvalidRecipe(TensorseedError):
    """The recipe is JSON but cannot be carried out.

    Args:
        problems: At least one; in the order in which they were found.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"{first.pointer or '/'}: {first.detail}{more}")


class SchemeError(TensorseedError):
    """An initialization cannot be made for this tensor; the plan adds where it was asked."""


class MissingFan(SchemeError):
    """A scheme divides by a fan, and neither shape, ``layout`` nor ``fan`` gives one."""


class DegenerateFan(SchemeError):
    """The selected fan is zero, so no variance exists."""


class UnsuitableShape(SchemeError):
    """The scheme is defined for other ranks or axes than the tensor has."""


class EmptyTruncation(SchemeError):
    """Fewer than 2^16 of the 2^32 words lie between the bounds of a truncated law."""


class LawOverflow(SchemeError):
    """A value that the law can take is not finite in float64 or in the tensor's dtype."""


class BackendUnavailable(TensorseedError):
    """GPUs were asked for, and CuPy is not installed or finds none."""


class KernelUnavailable(TensorseedError):
    """The kernel that was asked for was not built, or this processor cannot run it."""


class UnreadableFile(TensorseedError):
    """A file to be verified, or a donor, is not a safetensors file."""


class UnreadableLink(TensorseedError):
    """The recipe in a self-contained URL cannot be read: the URL was cut or changed."""


class UnknownRecipe(TensorseedError):
    """A name was to point at a recipe that is not in the registry."""


class RevisionConflict(TensorseedError):
    """Another writer made this revision of the name first."""


class RegistryUnavailable(TensorseedError):
    """The registry's database cannot be reached, or is busy for longer than is waited."""


class Busy(TensorseedError):
    """As much is under way as may be at once.

    Args:
        detail: Of what, the limit and what was asked for.
        after: Seconds after which to try again.
    """

    def __init__(self, detail: str, after: int) -> None:
        self.after = after
        super().__init__(detail)


class RemoteError(TensorseedError):
    """A service elsewhere cannot be reached, refuses, or does not answer as it promises."""


class LayerError(TensorseedError):
    """A layer cannot be made as asked; the plan adds where it was asked."""


class ModelError(TensorseedError):
    """A model's config cannot be carried out.

    Args:
        problems: At least one; pointers are relative to the config.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.detail for problem in problems))
