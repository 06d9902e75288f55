"""From a recipe's layers to a chain, with an error for every layer that does not follow."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from service.analysis import transformer
from service.analysis.activation import Activation
from service.analysis.chain import LINEAR, Chain, Held, Link
from service.analysis.question import Chain as Asked
from service.catalogue.layers import Layer
from service.catalogue.layers.convolution import Conv1d, Conv2d, Conv3d
from service.catalogue.layers.form import Parameter
from service.catalogue.layers.layer import SEPARATORS
from service.catalogue.layers.linear import Linear
from service.catalogue.layers.normalization import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    RmsNorm,
)
from service.errors import InvalidRecipe, Problem, truncate
from service.limits import Limits
from service.plan import Plan, PlannedTensor
from service.recipe import Recipe

CHANNELS_FIRST = ("pytorch", "caffe")
"""Conventions in which an image's channels come before its positions."""

_SIZE = 32
"""Default size of each axis of an image."""

_KNOWN = "linear, conv1d, conv2d, conv3d and normalizations over one axis"


def chain_of(asked: Asked, recipe: Recipe, plan: Plan, limits: Limits) -> Chain:
    """Return the chain of a recipe's layers.

    Args:
        asked: The request, which describes what is between the layers.
        recipe: The recipe; its layers are in the order in which a signal passes them.
        plan: The plan of the recipe, with all of its tensors.
        limits: Limits the length of the chain.

    Raises:
        InvalidRecipe: The layers are not a chain; with an error for every layer that is wrong.
    """
    problems: list[Problem] = []
    tensors = {tensor.name: tensor for tensor in plan.tensors}
    if recipe.model is not None and not recipe.layers:
        return _of_model(asked, recipe, tensors, limits)
    links = [
        _link(layer, recipe, index, tensors, problems) for index, layer in enumerate(recipe.layers)
    ]
    _raise_if_any(problems, limits)
    made = [link for link in links if link is not None]
    _raise_if_any(_check_size(asked, made, limits), limits)
    made = _branched(list(_placed(asked, made, problems)), recipe, problems)
    activations = _activations(asked, sum(link.has_weights for link in made), problems)
    _raise_if_any(problems, limits)
    activated = tuple(_activated(made, activations))
    return Chain(activated, activations[-1], asked.residual_scale, asked.input.variance)


def _of_model(
    asked: Asked, recipe: Recipe, tensors: dict[str, PlannedTensor], limits: Limits
) -> Chain:
    """Return the chain of a recipe's model, from the beginning of its residual stream.

    Raises:
        InvalidRecipe: It is not a chain.
    """
    activation, variance = asked.activation, asked.input.variance
    if "activation" not in asked.model_fields_set:
        activation = transformer.activation_of(recipe)
    if not isinstance(activation, Activation):
        raise InvalidRecipe([Problem("/activation", "a model has one activation in all blocks")])
    links = transformer.links_of(recipe, tensors, activation)
    _raise_if_any(_too_long(asked, len(links), "/recipe/model", limits), limits)
    if "variance" not in asked.input.model_fields_set:
        variance = transformer.stream_of(recipe, tensors)
    return Chain(tuple(links), LINEAR, asked.residual_scale, variance)


def _raise_if_any(problems: Sequence[Problem], limits: Limits) -> None:
    if problems:
        raise InvalidRecipe(problems[: limits.max_errors])


def _check_size(asked: Asked, links: Sequence[Link], limits: Limits) -> list[Problem]:
    """Return what is wrong with a chain's length, and with that of its images."""
    first = next((link for link in links if link.has_weights), None)
    if first is None:
        said = f"a chain is layers that follow each other: {_KNOWN}"
        return [Problem("/recipe/layers", said)]
    problems = _too_long(asked, len(links), "/recipe/layers", limits)
    problems += [
        Problem(f"{link.pointer}/name", f"{truncate(link.name)} has a *: to rules that is any name")
        for link in links
        if "*" in link.name
    ]
    stated = len(asked.input.size or first.window)
    if stated != len(first.window):
        said = f"{stated} axes, and the first layer with weights has {len(first.window)}"
        problems.append(Problem("/input/size", f"{said}: a size is of images, before convolutions"))
    places = len(links) * math.prod(_size(asked, first))
    if places > (most := limits.max_analysis_places):
        said = f"{places} places over all layers; the limit (max_analysis_places) is {most}"
        problems.append(Problem("/input/size", said))
    return problems


def _too_long(asked: Asked, length: int, place: str, limits: Limits) -> list[Problem]:
    """Return what is wrong with so many links."""
    if (count := length * asked.inits) <= (most := limits.max_analysis_layers):
        return []
    said = f"{count} layers, over all inits; the limit (max_analysis_layers) is {most}"
    return [Problem(place, said)]


def _size(asked: Asked, first: Link) -> tuple[int, ...]:
    return (asked.input.size or (_SIZE,) * len(first.window)) if first.window else ()


def _link(
    layer: Layer,
    recipe: Recipe,
    index: int,
    tensors: dict[str, PlannedTensor],
    problems: list[Problem],
) -> Link | None:
    """Return a layer as a link without positions; report a layer that cannot be one."""
    found = [p for p in layer.parameters() if p.kind in ("weight", "bias", "norm")]
    weight, bias, *_ = [*(_held(layer, p, recipe, tensors) for p in found), None, None]
    link = Link(
        layer.name,
        f"/recipe/layers/{index}",
        kind="normalization",
        type=getattr(layer, "type", ""),
        inputs=0,
        outputs=0,
        weight=weight,
        bias=bias,
        channels_first=recipe.convention in CHANNELS_FIRST,
    )
    match layer:
        case Linear(in_features=inputs, out_features=outputs):
            return replace(link, kind="linear", inputs=inputs, outputs=outputs)
        case Conv1d(groups=groups) | Conv2d(groups=groups) | Conv3d(groups=groups):
            return replace(
                link,
                kind="convolution",
                inputs=layer.in_channels,
                outputs=layer.out_channels,
                window=tuple(found[0].sizes[axis] for axis in layer.axes),
                groups=groups,
            )
    if (size := _features(layer)) is not None:
        return replace(link, inputs=size, groups=getattr(layer, "num_groups", 1))
    said = f"{link.type} is no link of a chain: {_KNOWN} are"
    problems.append(Problem(f"{link.pointer}/type", said))
    return None


def _features(layer: Layer) -> int | None:
    """Return the features of a norm; None for another layer, or for several axes."""
    match layer:
        case BatchNorm() | InstanceNorm():
            return layer.num_features
        case GroupNorm():
            return layer.num_channels
        case LayerNorm(normalized_shape=shape) | RmsNorm(normalized_shape=shape):
            sizes = (shape,) if isinstance(shape, int) else shape
            return sizes[0] if len(sizes) == 1 else None
    return None


def _held(
    layer: Layer, parameter: Parameter, recipe: Recipe, tensors: dict[str, PlannedTensor]
) -> Held | None:
    held = parameter.tensors.get(recipe.convention, ())
    if not held:
        return None
    name = layer.name + SEPARATORS[recipe.convention] + held[0].name
    return Held(tensors[name], parameter.layout(held[0]))


def _placed(asked: Asked, links: Sequence[Link], problems: list[Problem]) -> Iterator[Link]:
    """Yield links with their positions; report links that do not fit the one before."""
    first = next(link for link in links if link.has_weights)
    channels, places = first.inputs, _size(asked, first)
    for link in links:
        placed = replace(link, places=places)
        if detail := _misfit(placed, channels):
            problems.append(Problem(link.pointer, detail))
        if link.kind == "linear":
            places = ()
        if link.has_weights:
            channels = link.outputs
        else:
            placed = replace(placed, inputs=channels, outputs=channels)
        yield placed


def _misfit(link: Link, channels: int) -> str:
    """Return why a link cannot follow one with these channels and positions."""
    places = link.places
    if link.kind == "convolution" and len(places) != len(link.window):
        return (
            f"a {link.type} needs {len(link.window)} axes of places, and there are {len(places)}:"
            " convolutions come first, all of one rank (/input/size)"
        )
    given = channels * math.prod(places) if link.kind == "linear" else channels
    if link.inputs == given:
        return ""
    flat = f", {channels} channels at {' x '.join(map(str, places))} places flattened"
    return (
        f"it takes {link.inputs} inputs, and what comes before gives {given}"
        f"{flat if places and link.kind == 'linear' else ''}"
    )


def _branched(links: Sequence[Link], recipe: Recipe, problems: list[Problem]) -> list[Link]:
    """Return links with the beginnings and ends of residual branches."""
    made = list(links)
    for start, stop in _branches(links, recipe, problems):
        first, last = made[start], made[stop]
        shape_in = first.inputs, first.places
        if (last.outputs, last.places if last.kind != "linear" else ()) != shape_in:
            problems.append(
                Problem(
                    last.pointer,
                    f"its branch begins with {first.inputs} and ends with {last.outputs} features:"
                    " what a branch is added to is as wide as it",
                )
            )
        made[start] = replace(made[start], opens=True)
        made[stop] = replace(made[stop], closes=True)
    return made


def _branches(
    links: Sequence[Link], recipe: Recipe, problems: list[Problem]
) -> Iterator[tuple[int, int]]:
    """Yield the first and the last index of each residual branch."""
    start, place, of = 0, 0, 0
    for index, (link, layer) in enumerate(zip(links, recipe.layers, strict=True)):
        stated = branch_of(layer)
        begins = stated is not None and stated[0] == 1 and (not of or place == of)
        if of and (stated is None or begins):
            if place < of:
                problems.append(
                    Problem(link.pointer, f"the branch before it ends at place {place} of {of}")
                )
            yield start, index - 1
            place = of = 0
        if stated is None:
            continue
        if begins:
            start, of = index, stated[1]
        expected = (place + 1,) if link.has_weights else (place, place + 1)
        if stated[0] not in expected or stated[1] != of:
            problems.append(
                Problem(
                    f"{link.pointer}/branch",
                    f"{list(stated)} cannot follow {[place, of]}: the layers of a branch are"
                    " [1, m] to [m, m], one after the other",
                )
            )
        place = stated[0] if link.has_weights else place
    if of:
        yield start, len(links) - 1


def branch_of(layer: Layer) -> tuple[int, int] | None:
    """Return a layer's place in its branch, stated or by its role; None outside branches."""
    if layer.branch is not None:
        return layer.branch
    role = layer.role_of(layer.role) if layer.role else None
    return (role.place, role.of) if role and role.of else None


def _activations(asked: Asked, count: int, problems: list[Problem]) -> list[Activation]:
    if isinstance(asked.activation, Activation):
        return [asked.activation] * count
    if len(asked.activation) != count:
        problems.append(
            Problem(
                "/activation",
                f"{len(asked.activation)} activations for {count} layers with weights: one for"
                " each, what follows it; or a single one for all",
            )
        )
    return list(asked.activation)


def _activated(links: Sequence[Link], after: Sequence[Activation]) -> Iterator[Link]:
    """Yield links with the activation that comes before each; there is none before the first.

    A residual branch at the very beginning has the activation of the other branches: the last one.
    """
    done, first = 0, LINEAR
    for link in links:
        if link.opens and not done:
            first = after[-1]
        if link.has_weights:
            yield replace(link, before=after[done - 1] if done else first)
            done += 1
        else:
            yield link
