"""The requests of the analysis, as models that validate them."""

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

MAX_COMPARED = 8
"""Largest number of inits to compare in one request."""


class Input(Strict):
    """The input of the chain."""

    variance: Annotated[float, Field(gt=0)] = Field(
        1.0, description="variance of every input value"
    )
    size: tuple[Annotated[int, Field(ge=1, le=4096)], ...] | None = Field(
        None,
        description="size of images or sequences before convolutions; default: 32 for each axis",
    )


class Pairs(Input):
    """The input of the chain, and the correlation of its examples."""

    correlation: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="correlation of any two examples"
    )


class Measure(Strict):
    """A forward and backward pass of a batch through the generated weights."""

    batch: Annotated[int, Field(ge=2, le=4096)] = Field(64, description="number of examples")
    seeds: Annotated[int, Field(ge=1, le=64)] = Field(
        1, description="number of networks; their seeds are the recipe's seed and those after it"
    )


class Chain(Strict):
    """A recipe whose layers follow each other, with its input and activations."""

    recipe: dict[str, Any] = Field(description="a recipe, as for POST /v1/weights")
    activation: StatedActivation | Annotated[tuple[StatedActivation, ...], Field(min_length=1)] = (
        Field(
            Activation(name="relu"),
            description="activation after every layer; or a list, one for each layer with weights",
        )
    )
    residual_scale: Annotated[float, Field(ge=0)] = Field(
        1.0, description="factor of every residual branch (layers with branch)"
    )
    input: Input = Field(Input(), description="the input of the chain")

    @property
    def inits(self) -> int:
        """Number of inits to analyse."""
        return 1


class Question(Chain):
    """The request of ``POST /v1/analysis``."""

    input: Pairs = Field(Pairs(), description="the input of the chain")
    compare: Annotated[tuple[Init, ...], Field(max_length=MAX_COMPARED)] = Field(
        (), description="inits to compare; each is used for all weights"
    )
    measure: Measure | None = Field(None, description="what to measure; default: theory only")

    @property
    def inits(self) -> int:
        """Number of inits to analyse: the recipe's and those to compare."""
        return 1 + len(self.compare)


class Calibration(Chain):
    """The request of ``POST /v1/calibrate``."""

    batch: Annotated[int, Field(ge=2, le=4096)] = Field(256, description="number of examples")


Request = TypeVar("Request", bound=Chain)


def parse_request(kind: type[Request], text: bytes, limits: Limits) -> tuple[Request, Recipe]:
    """Parse a request and its recipe.

    Args:
        kind: The class of the request.
        text: The request, JSON.
        limits: The limits.

    Raises:
        RecipeTooLarge: The request is longer than ``max_body_bytes``.
        MalformedRecipe: The request is not strict JSON.
        InvalidRecipe: The request or its recipe is invalid.
    """
    request = document_of(kind, text, limits)
    with within("/recipe"):
        return request, parse(_text(request.recipe), limits)


def _text(recipe: dict[str, Any]) -> bytes:
    try:
        return json.dumps(recipe, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise MalformedRecipe("not Unicode: it contains a lone surrogate") from None


@contextmanager
def within(prefix: str) -> Iterator[None]:
    """Prefix the JSON Pointers of errors that are raised in the block.

    Args:
        prefix: JSON Pointer to the part of the request that the block handles.

    Raises:
        InvalidRecipe: The errors raised in the block, with prefixed pointers.
    """
    try:
        yield
    except InvalidRecipe as error:
        problems = [Problem(prefix + each.pointer, each.detail) for each in error.problems]
        raise InvalidRecipe(problems) from None
