"""tensorseed: initial weights from a recipe, the same bytes on every machine and in every release.

The pipeline: text -> `parse` -> `Recipe` -> `compile` -> `Plan` -> `stream` -> bytes.
"""

from importlib.metadata import version

from service.checkpoint import Verdict, save_file, verify
from service.container import Donor, open_donor
from service.errors import (
    InvalidRecipe,
    KernelUnavailable,
    MalformedRecipe,
    Problem,
    RecipeTooLarge,
    TensorseedError,
    UnreadableFile,
)
from service.limits import Limits
from service.plan import Plan, compile, explain
from service.plan import grow as grown
from service.recipe import Recipe, parse
from service.stream import generate, stream

__version__ = version("tensorseed")

__all__ = [
    "Donor",
    "InvalidRecipe",
    "KernelUnavailable",
    "Limits",
    "MalformedRecipe",
    "Plan",
    "Problem",
    "Recipe",
    "RecipeTooLarge",
    "TensorseedError",
    "UnreadableFile",
    "Verdict",
    "compile",
    "explain",
    "generate",
    "grown",
    "open_donor",
    "parse",
    "save_file",
    "stream",
    "verify",
]
