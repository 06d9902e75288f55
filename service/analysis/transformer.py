"""Transformers as chains: the residual stream, and what each branch adds to it.

The analysis assumes that attention attends to a single token and passes on its value. The average
of the values of several different tokens is smaller, so the result is an upper bound.

Source: Radford et al. 2019, section 2.3 (residual weights times 1/sqrt(N)):
https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from service.analysis.activation import Activation
from service.analysis.chain import Link, LinkTensor
from service.catalogue.model_schemes.role import Role, RoleName
from service.catalogue.models import config_of, model_of
from service.errors import InvalidRecipe, Problem
from service.plan import PlannedTensor
from service.recipe import Recipe

_BLOCK: list[RoleName] = ["value", "out", "ffn_in", "ffn_out"]
"""The matrices that a signal passes; queries and keys only select tokens."""

_BEFORE, _AFTER = {"gpt2", "vit"}, {"bert"}
"""Families with a norm at the beginning of each branch, and with a norm after the branch."""

_ACTIVATIONS = {"relu": "relu", "silu": "silu", "swish": "silu", "tanh": "tanh"}
"""Activations by their names in configs; all other names are variants of gelu."""

_POINTER = "/recipe/model"


def stream_of(recipe: Recipe, tensors: Mapping[str, PlannedTensor]) -> float:
    """Return the variance of the residual stream before the first block.

    It is the sum of the second moments of all embedding tables.
    """
    tables = {
        weight.tensor.name
        for weight in model_of(recipe.model or {}).weights()
        if any(role.name in ("embedding", "position") for role in weight.roles)
    }
    return math.fsum(LinkTensor(tensors[name], "").square for name in sorted(tables))


def activation_of(recipe: Recipe) -> Activation:
    """Return the activation that a model's config names."""
    config = config_of(recipe.model or {})
    named = config.get("activation_function", config.get("hidden_act", "gelu"))
    return Activation.model_validate({"name": _ACTIVATIONS.get(str(named), "gelu")})


def links_of(
    recipe: Recipe, tensors: Mapping[str, PlannedTensor], activation: Activation
) -> list[Link]:
    """Return the links of a recipe's model.

    Args:
        recipe: A recipe with a model.
        tensors: The tensors of its plan, by name.
        activation: The activation inside the blocks.

    Raises:
        InvalidRecipe: The model does not form a chain.
    """
    family = str(config_of(recipe.model or {}).get("model_type"))
    if family not in _BEFORE | _AFTER:
        known = ", ".join(sorted(_BEFORE | _AFTER))
        raise _no_chain(f"a {family} model cannot be analysed; the families that can: {known}")
    links: list[Link] = []
    for depth, block in groupby(_matrices(recipe), key=lambda matrix: matrix.role.depth):
        matrices = list(block)
        if [matrix.role.name for matrix in matrices] != _BLOCK:
            raise _no_chain(f"block {depth} is not one attention and two linear layers")
        value, out, widening, narrowing = (_link(matrix, tensors) for matrix in matrices)
        links += _branch(value, out, is_before=family in _BEFORE)
        links += _branch(
            widening, replace(narrowing, before=activation), is_before=family in _BEFORE
        )
    if not links:
        raise _no_chain("the model has no blocks")
    return links


class _Matrix(NamedTuple):
    """A matrix of a block: a tensor, or one part of a packed tensor."""

    role: Role
    name: str
    part: int | None
    parts: int


def _matrices(recipe: Recipe) -> Iterator[_Matrix]:
    for weight in model_of(recipe.model or {}).weights():
        for part, role in enumerate(weight.roles):
            if role.depth and role.name in _BLOCK:
                parts = len(weight.roles)
                yield _Matrix(role, weight.tensor.name, part if parts > 1 else None, parts)


def _link(matrix: _Matrix, tensors: Mapping[str, PlannedTensor]) -> Link:
    tensor = tensors[matrix.name]
    letters = tensor.source.regions[0].geometry.letters
    biases = tensors.get(matrix.name.removesuffix("weight") + "bias")
    outputs, inputs = (tensor.shape[letters.index(letter)] for letter in "OI")
    return Link(
        matrix.name.removesuffix(".weight"),
        _POINTER,
        "linear",
        matrix.role.name,
        inputs,
        outputs // matrix.parts,
        weight=LinkTensor(tensor, letters, matrix.part, matrix.parts),
        bias=LinkTensor(biases, "O", matrix.part, matrix.parts) if biases else None,
    )


def _branch(first: Link, last: Link, *, is_before: bool) -> list[Link]:
    name, width = f"{first.name} norm", last.outputs
    norm = Link(name, _POINTER, "normalization", "layer_norm", width, width)
    if is_before:
        return [replace(norm, opens=True), first, replace(last, closes=True)]
    return [replace(first, opens=True), replace(last, closes=True), norm]


def _no_chain(detail: str) -> InvalidRecipe:
    return InvalidRecipe([Problem(_POINTER, f"{detail}: state the layers of a chain instead")])
