"""What the analysis is asked: a recipe whose layers follow each other, and what is between them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

from pydantic import Field

from service.analysis.activation import Activation, StatedActivation
from service.catalogue.tensor import Init, Strict
from service.errors import InvalidRecipe, MalformedRecipe, Problem
from service.limits import Limits
from service.recipe import Recipe, document_of, parse

MOST_COMPARED = 8


class Input(Strict):
    """What enters the chain."""

    variance: Annotated[float, Field(gt=0)] = Field(1.0, description="of every input")
    size: tuple[Annotated[int, Field(ge=1, le=4096)], ...] | None = Field(
        None, description="of images or sequences before convolutions; default: 32 an axis"
    )


class Pairs(Input):
    """What enters the chain, and how alike its examples are."""

    correlation: Annotated[float, Field(ge=0, le=1)] = Field(0.5, description="of any two examples")


class Measure(Strict):
    """A batch sent through the generated weights, forward and back."""

    batch: Annotated[int, Field(ge=2, le=4096)] = Field(64, description="examples")
    seeds: Annotated[int, Field(ge=1, le=64)] = Field(
        1, description="networks: of the recipe's seed and of those that follow it"
    )


class Chain(Strict):
    """A recipe whose layers are a chain; what is said of it is said of them all."""

    recipe: dict[str, Any] = Field(description="a recipe, as POST /v1/weights takes it")
    activation: StatedActivation | Annotated[tuple[StatedActivation, ...], Field(min_length=1)] = (
        Field(
            Activation(name="relu"),
            description="what follows every layer; or a list, one for each layer with weights",
        )
    )
    residual_scale: Annotated[float, Field(ge=0)] = Field(
        1.0, description="what a residual branch, layers that state branch, is multiplied by"
    )
    input: Input = Field(Input(), description="what enters the chain")

    @property
    def inits(self) -> int:
        """How many inits are looked at."""
        return 1


class Question(Chain):
    """The request of ``POST /v1/analysis``."""

    input: Pairs = Field(Pairs(), description="what enters the chain")
    compare: Annotated[tuple[Init, ...], Field(max_length=MOST_COMPARED)] = Field(
        (), description="inits of all weights, each with curves of its own"
    )
    measure: Measure | None = Field(None, description="what to measure; default: theory alone")

    @property
    def inits(self) -> int:
        """How many inits are looked at: the recipe's and those beside it."""
        return 1 + len(self.compare)


class Calibration(Chain):
    """The request of ``POST /v1/calibrate``."""

    batch: Annotated[int, Field(ge=2, le=4096)] = Field(256, description="examples")


Asked = TypeVar("Asked", bound=Chain)


def ask(kind: type[Asked], text: bytes, limits: Limits) -> tuple[Asked, Recipe]:
    """Return a request and its recipe.

    Args:
        kind: Which request.
        text: JSON.
        limits: What the recipe may ask for.

    Raises:
        RecipeTooLarge: More text than ``max_body_bytes``.
        MalformedRecipe: Not strict JSON.
        InvalidRecipe: JSON of another form, here or in the recipe.
    """
    asked = document_of(kind, text, limits)
    with within("/recipe"):
        return asked, parse(_text(asked.recipe), limits)


def _text(recipe: dict[str, Any]) -> bytes:
    try:
        return json.dumps(recipe, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise MalformedRecipe("not Unicode: a lone surrogate") from None


@contextmanager
def within(place: str) -> Iterator[None]:
    """Let what is wrong with a part of a document be said of that part.

    Args:
        place: JSON Pointer to the part.

    Raises:
        InvalidRecipe: What was raised inside, with longer pointers.
    """
    try:
        yield
    except InvalidRecipe as error:
        problems = [Problem(place + each.pointer, each.detail) for each in error.problems]
        raise InvalidRecipe(problems) from None
