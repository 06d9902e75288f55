"""The error tree. It knows nothing of HTTP: ``web/response/problems.py`` maps errors to statuses.

::

    TensorseedError
    ├── MalformedRecipe     the bytes are not strict JSON
    ├── RecipeTooLarge      more bytes than the limit allows were sent
    ├── InvalidRecipe       JSON that cannot be carried out: all errors, with pointers
    ├── SchemeError         an initialization does not fit a tensor
    │   ├── MissingFan          a scheme needs fans and the tensor has none
    │   ├── DegenerateFan       the fan that divides the variance is zero
    │   ├── UnsuitableShape     identity and dirac need axes that the tensor lacks
    │   ├── EmptyTruncation     too few of the 2^32 random words fall between the bounds
    │   └── LawOverflow         a value of the law does not fit float64 or the dtype
    ├── LayerError          a layer does not exist in the requested convention
    ├── ModelError          a model's config.json cannot be carried out
    ├── BackendUnavailable  GPUs were requested, and none is available
    ├── KernelUnavailable   the requested kernel is not available here
    ├── UnreadableFile      a file is not a safetensors file
    ├── UnreadableLink      a self-contained URL was truncated or changed
    ├── UnknownRecipe       a recipe that is not stored
    ├── RevisionConflict    another writer made a name's next revision
    ├── RegistryUnavailable the database does not respond
    ├── Busy                a limit of concurrent use is reached; says when to retry
    └── RemoteError         a remote service is unreachable, refuses or misbehaves
"""

from collections.abc import Sequence
from dataclasses import dataclass

TRUNCATED_TO = 100
"""Most characters of a client's input that an error message repeats."""


def truncate(value: object) -> str:
    """Return ``value`` as text for an error message, truncated to `TRUNCATED_TO` characters.

    >>> truncate("w" * 500) == "w" * 99 + "…"
    True
    """
    text = str(value)
    return text if len(text) <= TRUNCATED_TO else text[: TRUNCATED_TO - 1] + "…"


@dataclass(frozen=True, slots=True)
class Problem:
    """One error in a recipe.

    Args:
        pointer: RFC 6901 JSON Pointer to the place; ``""`` is the whole document.
        detail: What is wrong, the limit, and how to fix it.
    """

    pointer: str
    detail: str


class TensorseedError(Exception):
    """Base of all errors that this package raises on purpose."""


class MalformedRecipe(TensorseedError):
    """The bytes are not strict JSON: not UTF-8, truncated, a duplicate key, NaN, too deep."""


class RecipeTooLarge(TensorseedError):
    """The recipe's text is longer than ``max_body_bytes``."""


class InvalidRecipe(TensorseedError):
    """The recipe is JSON but cannot be carried out.

    Args:
        problems: At least one, in the order in which they were found.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"{first.pointer or '/'}: {first.detail}{more}")


class SchemeError(TensorseedError):
    """An initialization does not fit a tensor; planning adds the JSON Pointer."""


class MissingFan(SchemeError):
    """A scheme divides by a fan, and neither shape, ``layout`` nor ``fan`` gives one."""


class DegenerateFan(SchemeError):
    """The selected fan is zero, so no variance exists."""


class UnsuitableShape(SchemeError):
    """The scheme is defined for other ranks or axes than the tensor has."""


class EmptyTruncation(SchemeError):
    """Fewer than 2^16 of the 2^32 random words lie between the bounds of a truncated law."""


class LawOverflow(SchemeError):
    """A value that the law can take is not finite in float64 or in the tensor's dtype."""


class BackendUnavailable(TensorseedError):
    """GPUs were requested, and CuPy is not installed or finds none."""


class KernelUnavailable(TensorseedError):
    """The requested kernel was not built, or this processor cannot run it."""


class UnreadableFile(TensorseedError):
    """A file to be verified, or a donor, is not a safetensors file."""


class UnreadableLink(TensorseedError):
    """The recipe in a self-contained URL cannot be read: the URL was truncated or changed."""


class UnknownRecipe(TensorseedError):
    """A recipe is not in the registry."""


class RevisionConflict(TensorseedError):
    """Another writer made this revision of the name first."""


class RegistryUnavailable(TensorseedError):
    """The registry's database is unreachable, or busy for longer than the timeout."""


class Busy(TensorseedError):
    """A limit of concurrent use is reached.

    Args:
        detail: What is in use, the limit, and what was requested.
        after: Seconds after which to retry.
    """

    def __init__(self, detail: str, after: int) -> None:
        self.after = after
        super().__init__(detail)


class RemoteError(TensorseedError):
    """A remote service cannot be reached, refuses, or does not respond as specified."""


class LayerError(TensorseedError):
    """A layer cannot be made as requested; planning adds the JSON Pointer."""


class ModelError(TensorseedError):
    """A model's config cannot be carried out.

    Args:
        problems: At least one; pointers are relative to the config.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.detail for problem in problems))
