"""Lowering: layers and models become tensors, and a scheme over them all has its say."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from service.errors import LayerError, ModelError, SchemeError
from service.model_schemes import ModelScheme, Placed, Whole
from service.models import model_of
from service.numerics.fans import Geometry
from service.plan.complaints import Complaints
from service.plan.rules import TensorRequest
from service.recipe.model import Recipe
from service.schemes import Scheme
from service.tensor import Part, Parts, Tensor
from service.weight import Weight, tensor


@dataclass
class Lowered:
    """A recipe as tensors.

    Args:
        requests: Every tensor, with the place that asks for it.
        forward: Constants that the forward pass needs, by name.
    """

    requests: list[TensorRequest]
    forward: dict[str, float] = field(default_factory=dict)


def lower(recipe: Recipe, complaints: Complaints) -> Lowered:
    """Return the recipe as tensors.

    Args:
        recipe: Layers and a model, if it has any, become tensors behind its own.
        complaints: Where to say what is wrong.
    """
    raw = [TensorRequest(t, f"/tensors/{index}") for index, t in enumerate(recipe.tensors)]
    placed = [*_of_layers(recipe, complaints), *_of_model(recipe, complaints)]
    complaints.raise_if_any()
    lowered = Lowered(raw)
    scheme = recipe.model_scheme
    if scheme is not None:
        if not placed:
            complaints.add("/model_scheme", "it needs a model, or layers that declare a role")
        placed, lowered.forward = _arranged(placed, scheme, complaints)
    lowered.requests += [
        TensorRequest(weight.tensor, pointer, weight.source, is_raw=False)
        for weight, pointer in placed
    ]
    return lowered


Sited = tuple[Weight, str]
"""A weight and the pointer to what asks for it."""


def _of_layers(recipe: Recipe, complaints: Complaints) -> Iterator[Sited]:
    for index, layer in enumerate(recipe.layers):
        try:
            for weight in layer.weights(recipe.convention, recipe.draw_convention, recipe.init):
                yield weight, f"/layers/{index}"
        except LayerError as error:
            complaints.add(f"/layers/{index}", str(error))


def _of_model(recipe: Recipe, complaints: Complaints) -> Iterator[Sited]:
    if recipe.model is None:
        return
    try:
        for weight in model_of(recipe.model).weights():
            yield weight, "/model"
    except ModelError as error:
        for problem in error.problems:
            complaints.add(f"/model{problem.pointer}", problem.detail)


def _arranged(
    placed: list[Sited], scheme: ModelScheme, complaints: Complaints
) -> tuple[list[Sited], dict[str, float]]:
    """Return the weights with the scheme's inits and its own tensors, and its constants."""
    whole = Whole.of(seen for weight, _ in placed for seen, _ in _seen(weight))
    try:
        arranged = [(_rearranged(weight, scheme, whole), pointer) for weight, pointer in placed]
        extras = [
            (Weight(tensor(extra.name, extra.shape, extra.init)), "/model_scheme")
            for extra in scheme.extras(whole)
        ]
        return [*arranged, *extras], scheme.forward(whole)
    except SchemeError as error:
        complaints.add("/model_scheme", str(error))
        complaints.raise_if_any()
        raise


def _seen(weight: Weight) -> Iterator[tuple[Placed, Scheme]]:
    """Yield each part of a weight as the scheme sees it, with its init."""
    asked = weight.source.tensor if weight.source else weight.tensor
    start = 0
    for index, role in enumerate(weight.roles):
        geometry = Geometry(asked.shape, asked.layout, asked.fan.fans() if asked.fan else None)
        init = asked.init
        if asked.parts is not None:
            part = asked.parts.of[index]
            stop = start + part.size
            geometry = geometry._replace(axis=asked.parts.axis, start=start, stop=stop)
            start, init = stop, part.init or init
        if init is not None:
            yield Placed(weight.tensor.name, role, *_fans(geometry)), init


def _fans(geometry: Geometry) -> tuple[int, int]:
    try:
        return geometry.fans.fan_in, geometry.fans.fan_out
    except SchemeError:
        return 0, 0


def _rearranged(weight: Weight, scheme: ModelScheme, whole: Whole) -> Weight:
    inits = [scheme.init(seen, own, whole) for seen, own in _seen(weight)]
    if weight.source:
        changed = _with_inits(weight.source.tensor, inits)
        return weight._replace(source=weight.source._replace(tensor=changed))
    return weight._replace(tensor=_with_inits(weight.tensor, inits))


def _with_inits(asked: Tensor, inits: list[Scheme]) -> Tensor:
    if not inits:
        return asked
    if asked.parts is None:
        return asked.model_copy(update={"init": inits[0]})
    of = tuple(
        Part.model_construct(size=part.size, init=init, fan=part.fan)
        for part, init in zip(asked.parts.of, inits, strict=True)
    )
    return asked.model_copy(update={"parts": Parts.model_construct(axis=asked.parts.axis, of=of)})
