"""Lowering: layers and models become tensors, and a scheme over them all has its say."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import AliasChoices

from service.catalogue.model_schemes import ModelScheme, Mup, Placed, Whole
from service.catalogue.models import MODEL_TYPES, config_of, model_of
from service.catalogue.schemes import Scheme
from service.catalogue.tensor import StatedFan, Tensor
from service.catalogue.weight import Weight, tensor
from service.errors import LayerError, ModelError, SchemeError, truncate
from service.numerics.fans import Geometry
from service.plan.diagnostics import Diagnostics
from service.plan.rules import TensorRequest
from service.recipe.model import Recipe


@dataclass
class Lowered:
    """A recipe as tensors.

    Args:
        requests: Every tensor, with the place that asks for it.
        forward: Constants that the forward pass needs, by name.
    """

    requests: list[TensorRequest]
    forward: dict[str, float] = field(default_factory=dict)


def lower(recipe: Recipe, diagnostics: Diagnostics) -> Lowered:
    """Return the recipe as tensors.

    Args:
        recipe: Layers and a model, if it has any, become tensors behind its own.
        diagnostics: Where to say what is wrong.
    """
    raw = [TensorRequest(t, f"/tensors/{index}") for index, t in enumerate(recipe.tensors)]
    made = itertools.chain(_of_layers(recipe, diagnostics), _of_model(recipe, diagnostics))
    # One more than the limit is enough to refuse them all.
    placed = list(itertools.islice(made, diagnostics.limits.max_tensors + 1))
    diagnostics.raise_if_any()
    diagnostics.check_limit("", "tensors", len(raw) + len(placed), "max_tensors")
    diagnostics.raise_if_any()
    lowered = Lowered(raw)
    scheme = recipe.model_scheme
    if scheme is not None and not placed:
        diagnostics.add("/model_scheme", "it needs a model, or layers that declare a role")
    elif scheme is not None:
        placed, lowered.forward = _arranged(placed, recipe, scheme, diagnostics)
    lowered.requests += [
        TensorRequest(weight.tensor, pointer, weight.view, is_raw=False)
        for weight, pointer in placed
    ]
    return lowered


Located = tuple[Weight, str]
"""A weight and the pointer to what asks for it."""


def _of_layers(recipe: Recipe, diagnostics: Diagnostics) -> Iterator[Located]:
    for index, layer in enumerate(recipe.layers):
        try:
            for weight in layer.weights(recipe.convention, recipe.draw_convention, recipe.init):
                yield weight, f"/layers/{index}"
        except LayerError as error:
            diagnostics.add(f"/layers/{index}", str(error))


def _of_model(recipe: Recipe, diagnostics: Diagnostics) -> Iterator[Located]:
    if recipe.model is None:
        return
    try:
        for weight in model_of(recipe.model).weights():
            yield weight, "/model"
    except ModelError as error:
        for problem in error.problems:
            diagnostics.add(f"/model{problem.pointer}", problem.detail)


def _arranged(
    placed: list[Located], recipe: Recipe, scheme: ModelScheme, diagnostics: Diagnostics
) -> tuple[list[Located], dict[str, float]]:
    """Return the weights with the scheme's inits and its own tensors, and its constants."""
    seen = [list(_seen(weight)) for weight, _ in placed]
    try:
        weights = list(itertools.chain(*seen))
        if isinstance(scheme, Mup) and scheme.base is not None:
            weights = _beside_base(weights, recipe, scheme.base, diagnostics)
        arranged = scheme.arrange(Whole(tuple(weights)))
    except SchemeError as error:
        diagnostics.add("/model_scheme", str(error))
        diagnostics.raise_if_any()
        raise
    inits = iter(arranged.inits)
    changed = [
        (_rearranged(weight, list(itertools.islice(inits, len(parts)))), pointer)
        for (weight, pointer), parts in zip(placed, seen, strict=True)
    ]
    extras = [
        (Weight(tensor(extra.name, extra.shape, extra.init)), "/model_scheme")
        for extra in arranged.extras
    ]
    return [*changed, *extras], dict(arranged.forward)


def _beside_base(
    weights: list[Placed], recipe: Recipe, base: Mapping[str, Any], diagnostics: Diagnostics
) -> list[Placed]:
    """Return the weights of a model, each with the same weight of its base.

    Raises:
        SchemeError: There are layers, or the base is another model.
    """
    if recipe.model is None or recipe.layers:
        raise SchemeError(
            "base changes the config of a model: for layers, in a recipe of their own, state"
            " width_mult"
        )
    narrow: list[Placed] = []
    try:
        for weight in model_of(_base_config(recipe.model, base)).weights(as_base=True):
            narrow += _seen(weight)
    except ModelError as error:
        for problem in error.problems:
            place = problem.pointer[1:] or "model"
            diagnostics.add("/model_scheme/base", f"{place}: {problem.detail}")
        diagnostics.raise_if_any()
    pairs = list(itertools.zip_longest(weights, narrow))
    for ours, theirs in pairs:
        if not ours or not theirs or ours[:1] != theirs[:1] or ours.role[:1] != theirs.role[:1]:
            name = truncate((ours or theirs).name)
            raise SchemeError(
                f"base changes more than widths, so that {name} has no counterpart: leave depth,"
                " heads' layout and what else decides which tensors there are as in the model"
            )
    return [ours._replace(base=theirs) for ours, theirs in pairs]


def _base_config(config: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """Return the base model's config.json: each of its fields replaces all names of that field.

    Raises:
        SchemeError: The family reads no such field.
    """
    document = config_of(config)
    fields = MODEL_TYPES[document["model_type"]].model_fields
    names = [
        _names(name, field.validation_alias)
        for name, field in fields.items()
        if name not in ("model_type", "architectures")
    ]
    for key, value in base.items():
        of_field = next((choices for choices in names if key in choices), None)
        if of_field is None:
            known = ", ".join(sorted(itertools.chain(*names)))
            raise SchemeError(f"base: no tensor depends on {truncate(key)}; known are {known}")
        document = {k: v for k, v in document.items() if k not in of_field} | {key: value}
    return document


def _names(name: str, alias: object) -> set[str]:
    """Return every name under which a config.json may have a field."""
    return {str(choice) for choice in alias.choices} if isinstance(alias, AliasChoices) else {name}


def _seen(weight: Weight) -> Iterator[Placed]:
    """Yield each part of a weight as the scheme sees it."""
    asked = weight.view.tensor if weight.view else weight.tensor
    start = 0
    for index, role in enumerate(weight.roles):
        geometry, fan, init = Geometry(asked.shape, asked.layout), asked.fan, asked.init
        if asked.parts is not None:
            part = asked.parts.of[index]
            stop = start + part.size
            geometry = geometry._replace(axis=asked.parts.axis, start=start, stop=stop)
            start, fan, init = stop, part.fan or fan, part.init or init
        if init is not None:
            yield Placed(weight.tensor.name, role, *_fans(geometry, fan), init)


def _fans(geometry: Geometry, stated: StatedFan | None) -> tuple[int, int]:
    try:
        fans = stated.fans() if stated else geometry.fans
    except SchemeError:
        return 0, 0
    return fans.fan_in, fans.fan_out


def _rearranged(weight: Weight, inits: list[Scheme]) -> Weight:
    if weight.view:
        changed = _with_inits(weight.view.tensor, inits)
        return weight._replace(view=weight.view._replace(tensor=changed))
    return weight._replace(tensor=_with_inits(weight.tensor, inits))


def _with_inits(asked: Tensor, inits: list[Scheme]) -> Tensor:
    if not inits:
        return asked
    if asked.parts is None:
        return asked.model_copy(update={"init": inits[0]})
    of = tuple(
        part.model_copy(update={"init": init, "fan": part.fan if init == part.init else None})
        for part, init in zip(asked.parts.of, inits, strict=True)
    )
    return asked.model_copy(update={"parts": asked.parts.model_copy(update={"of": of})})
