"""Expands the layers and the model of a recipe to tensors, and applies its model scheme."""

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
class LoweredRecipe:
    """A recipe expanded to tensors.

    Args:
        requests: Every tensor, with the JSON Pointer to what requests it.
        forward: Constants that the forward pass needs, by name.
    """

    requests: list[TensorRequest]
    forward: dict[str, float] = field(default_factory=dict)


def lower(recipe: Recipe, diagnostics: Diagnostics) -> LoweredRecipe:
    """Return the recipe expanded to tensors.

    Args:
        recipe: The recipe. The tensors of its layers and its model follow its own tensors.
        diagnostics: Collects problems.
    """
    raw = [TensorRequest(t, f"/tensors/{index}") for index, t in enumerate(recipe.tensors)]
    expanded = itertools.chain(
        _layer_weights(recipe, diagnostics), _model_weights(recipe, diagnostics)
    )
    # One more than the limit is enough to report that it is exceeded.
    weights = list(itertools.islice(expanded, diagnostics.limits.max_tensors + 1))
    diagnostics.raise_if_any()
    diagnostics.check_limit("", "tensors", len(raw) + len(weights), "max_tensors")
    diagnostics.raise_if_any()
    lowered = LoweredRecipe(raw)
    scheme = recipe.model_scheme
    if scheme is not None and not weights:
        diagnostics.add(
            "/model_scheme", "a model scheme needs a model, or layers that declare a role"
        )
    elif scheme is not None:
        weights, lowered.forward = _apply_scheme(weights, recipe, scheme, diagnostics)
    lowered.requests += [
        TensorRequest(weight.tensor, pointer, weight.view, is_raw=False)
        for weight, pointer in weights
    ]
    return lowered


LocatedWeight = tuple[Weight, str]
"""A weight and the JSON Pointer to the layer, model or scheme that it comes from."""


def _layer_weights(recipe: Recipe, diagnostics: Diagnostics) -> Iterator[LocatedWeight]:
    for index, layer in enumerate(recipe.layers):
        try:
            for weight in layer.weights(recipe.convention, recipe.draw_convention, recipe.init):
                yield weight, f"/layers/{index}"
        except LayerError as error:
            diagnostics.add(f"/layers/{index}", str(error))


def _model_weights(recipe: Recipe, diagnostics: Diagnostics) -> Iterator[LocatedWeight]:
    if recipe.model is None:
        return
    try:
        for weight in model_of(recipe.model).weights():
            yield weight, "/model"
    except ModelError as error:
        for problem in error.problems:
            diagnostics.add(f"/model{problem.pointer}", problem.detail)


def _apply_scheme(
    weights: list[LocatedWeight], recipe: Recipe, scheme: ModelScheme, diagnostics: Diagnostics
) -> tuple[list[LocatedWeight], dict[str, float]]:
    """Return the weights with the scheme's inits and its extra tensors, and its constants."""
    parts_of_weights = [list(_scheme_parts(weight)) for weight, _ in weights]
    try:
        parts = list(itertools.chain(*parts_of_weights))
        if isinstance(scheme, Mup) and scheme.base is not None:
            parts = _pair_with_base(parts, recipe, scheme.base, diagnostics)
        arranged = scheme.arrange(Whole(tuple(parts)))
    except SchemeError as error:
        diagnostics.add("/model_scheme", str(error))
        diagnostics.raise_if_any()
        raise
    inits = iter(arranged.inits)
    changed = [
        (_replace_inits(weight, list(itertools.islice(inits, len(parts)))), pointer)
        for (weight, pointer), parts in zip(weights, parts_of_weights, strict=True)
    ]
    extras = [
        (Weight(tensor(extra.name, extra.shape, extra.init)), "/model_scheme")
        for extra in arranged.extras
    ]
    return [*changed, *extras], dict(arranged.forward)


def _pair_with_base(
    parts: list[Placed], recipe: Recipe, base: Mapping[str, Any], diagnostics: Diagnostics
) -> list[Placed]:
    """Return the parts of a model's weights, each with the same part of the base model.

    Raises:
        SchemeError: The recipe has layers, or the base differs in more than widths.
    """
    if recipe.model is None or recipe.layers:
        raise SchemeError(
            "base only works with a model: for layers, state width_mult in a recipe without a model"
        )
    base_parts: list[Placed] = []
    try:
        for weight in model_of(_base_config(recipe.model, base)).weights(as_base=True):
            base_parts += _scheme_parts(weight)
    except ModelError as error:
        for problem in error.problems:
            field = problem.pointer[1:] or "model"
            diagnostics.add("/model_scheme/base", f"{field}: {problem.detail}")
        diagnostics.raise_if_any()
    pairs = list(itertools.zip_longest(parts, base_parts))
    for ours, other in pairs:
        if not ours or not other or ours.name != other.name or ours.role.name != other.role.name:
            name = truncate((ours or other).name)
            raise SchemeError(
                f"base changes more than widths: {name} has no counterpart there; keep the depth,"
                " the layout of the heads and every other field that determines which tensors exist"
            )
    return [ours._replace(base=other) for ours, other in pairs]


def _base_config(config: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """Return the base model's config.json: the model's, changed by the fields of ``base``.

    A field replaces the model's field under any of its names.

    Raises:
        SchemeError: The model's family has no such field.
    """
    document = config_of(config)
    fields = MODEL_TYPES[document["model_type"]].model_fields
    aliases = [
        _names(name, field.validation_alias)
        for name, field in fields.items()
        if name not in ("model_type", "architectures")
    ]
    for key, value in base.items():
        replaced = next((names for names in aliases if key in names), None)
        if replaced is None:
            known = ", ".join(sorted(itertools.chain(*aliases)))
            raise SchemeError(f"base: no tensor depends on {truncate(key)}; known are {known}")
        document = {k: v for k, v in document.items() if k not in replaced} | {key: value}
    return document


def _names(name: str, alias: object) -> set[str]:
    """Return every name that a field may have in a config.json."""
    return {str(choice) for choice in alias.choices} if isinstance(alias, AliasChoices) else {name}


def _scheme_parts(weight: Weight) -> Iterator[Placed]:
    """Yield the parts of a weight in the form that model schemes take."""
    drawn = weight.view.tensor if weight.view else weight.tensor
    start = 0
    for index, role in enumerate(weight.roles):
        geometry, fan, init = Geometry(drawn.shape, drawn.layout), drawn.fan, drawn.init
        if drawn.parts is not None:
            part = drawn.parts.of[index]
            stop = start + part.size
            geometry = geometry._replace(axis=drawn.parts.axis, start=start, stop=stop)
            start, fan, init = stop, part.fan or fan, part.init or init
        if init is not None:
            yield Placed(weight.tensor.name, role, *_fans(geometry, fan), init)


def _fans(geometry: Geometry, stated: StatedFan | None) -> tuple[int, int]:
    try:
        fans = stated.fans() if stated else geometry.fans
    except SchemeError:
        return 0, 0
    return fans.fan_in, fans.fan_out


def _replace_inits(weight: Weight, inits: list[Scheme]) -> Weight:
    """Return the weight with an init for each of its parts; unchanged if ``inits`` is empty."""
    if weight.view:
        changed = _with_inits(weight.view.tensor, inits)
        return weight._replace(view=weight.view._replace(tensor=changed))
    return weight._replace(tensor=_with_inits(weight.tensor, inits))


def _with_inits(tensor: Tensor, inits: list[Scheme]) -> Tensor:
    if not inits:
        return tensor
    if tensor.parts is None:
        return tensor.model_copy(update={"init": inits[0]})
    of = tuple(
        part.model_copy(update={"init": init, "fan": part.fan if init == part.init else None})
        for part, init in zip(tensor.parts.of, inits, strict=True)
    )
    return tensor.model_copy(update={"parts": tensor.parts.model_copy(update={"of": of})})
