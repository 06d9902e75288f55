"""Building a chain from a recipe's layers, with an error for every layer that does not fit."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from service.analysis import transformer
from service.analysis.activation import Activation
from service.analysis.chain import LINEAR, Chain, Link, LinkTensor
from service.analysis.question import Chain as ChainRequest
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
"""Conventions in which the channel axis of an image comes before its position axes."""

_SIZE = 32
"""Default size of each axis of an image."""

_KNOWN = "linear, conv1d, conv2d, conv3d and normalizations over one axis"


def chain_of(request: ChainRequest, recipe: Recipe, plan: Plan, limits: Limits) -> Chain:
    """Return the chain of a recipe's layers.

    Args:
        request: The request, which describes the input and what is between the layers.
        recipe: The recipe; a signal passes its layers in their order.
        plan: The plan of the recipe, with all of its tensors.
        limits: The limits on the length of the chain.

    Raises:
        InvalidRecipe: The layers do not form a chain; with an error for every layer that is wrong.
    """
    problems: list[Problem] = []
    tensors = {tensor.name: tensor for tensor in plan.tensors}
    if recipe.model is not None and not recipe.layers:
        return _of_model(request, recipe, tensors, limits)
    links = [
        _link(layer, recipe, index, tensors, problems) for index, layer in enumerate(recipe.layers)
    ]
    _raise_if_any(problems, limits)
    known = [link for link in links if link is not None]
    _raise_if_any(_check_size(request, known, limits), limits)
    branched = _branched(list(_placed(request, known, problems)), recipe, problems)
    activations = _activations(request, sum(link.has_weights for link in branched), problems)
    _raise_if_any(problems, limits)
    activated = tuple(_activated(branched, activations))
    return Chain(activated, activations[-1], request.residual_scale, request.input.variance)


def _of_model(
    request: ChainRequest, recipe: Recipe, tensors: dict[str, PlannedTensor], limits: Limits
) -> Chain:
    """Return the chain of a recipe's model, from the beginning of its residual stream.

    Raises:
        InvalidRecipe: The model does not form a chain.
    """
    activation, variance = request.activation, request.input.variance
    if "activation" not in request.model_fields_set:
        activation = transformer.activation_of(recipe)
    if not isinstance(activation, Activation):
        detail = "a model has one activation for all blocks: send one, not a list"
        raise InvalidRecipe([Problem("/activation", detail)])
    links = transformer.links_of(recipe, tensors, activation)
    _raise_if_any(_too_long(request, len(links), "/recipe/model", limits), limits)
    if "variance" not in request.input.model_fields_set:
        variance = transformer.stream_of(recipe, tensors)
    return Chain(tuple(links), LINEAR, request.residual_scale, variance)


def _raise_if_any(problems: Sequence[Problem], limits: Limits) -> None:
    if problems:
        raise InvalidRecipe(problems[: limits.max_errors])


def _check_size(request: ChainRequest, links: Sequence[Link], limits: Limits) -> list[Problem]:
    """Return the problems of a chain's length, its names and the size of its images."""
    first = next((link for link in links if link.has_weights), None)
    if first is None:
        detail = f"an analysis needs layers that follow each other: {_KNOWN}"
        return [Problem("/recipe/layers", detail)]
    problems = _too_long(request, len(links), "/recipe/layers", limits)
    problems += [
        Problem(
            f"{link.pointer}/name",
            f"{truncate(link.name)} has a *, which matches any text in rules: rename the layer",
        )
        for link in links
        if "*" in link.name
    ]
    stated = len(request.input.size or first.window)
    if stated != len(first.window):
        detail = (
            f"it has {stated} axes, but the first layer with weights has {len(first.window)}: state"
            " a size only for images or sequences before convolutions"
        )
        problems.append(Problem("/input/size", detail))
    places = len(links) * math.prod(_size(request, first))
    if places > (limit := limits.max_analysis_places):
        detail = f"{places} positions over all layers; the limit (max_analysis_places) is {limit}"
        problems.append(Problem("/input/size", detail))
    return problems


def _too_long(request: ChainRequest, length: int, pointer: str, limits: Limits) -> list[Problem]:
    """Return a problem if there are too many links, counted once for each init."""
    if (count := length * request.inits) <= (limit := limits.max_analysis_layers):
        return []
    detail = f"{count} layers over all inits; the limit (max_analysis_layers) is {limit}"
    return [Problem(pointer, detail)]


def _size(request: ChainRequest, first: Link) -> tuple[int, ...]:
    return (request.input.size or (_SIZE,) * len(first.window)) if first.window else ()


def _link(
    layer: Layer,
    recipe: Recipe,
    index: int,
    tensors: dict[str, PlannedTensor],
    problems: list[Problem],
) -> Link | None:
    """Return a layer as a link without positions; add a problem for a layer that cannot be one."""
    parameters = [p for p in layer.parameters() if p.kind in ("weight", "bias", "norm")]
    weight, bias, *_ = [*(_tensor(layer, p, recipe, tensors) for p in parameters), None, None]
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
                window=tuple(parameters[0].sizes[axis] for axis in layer.axes),
                groups=groups,
            )
    if (size := _features(layer)) is not None:
        return replace(link, inputs=size, groups=getattr(layer, "num_groups", 1))
    detail = f"{link.type} cannot be analysed; the types that can: {_KNOWN}"
    problems.append(Problem(f"{link.pointer}/type", detail))
    return None


def _features(layer: Layer) -> int | None:
    """Return the number of features of a norm over one axis; None for any other layer."""
    match layer:
        case BatchNorm() | InstanceNorm():
            return layer.num_features
        case GroupNorm():
            return layer.num_channels
        case LayerNorm(normalized_shape=shape) | RmsNorm(normalized_shape=shape):
            sizes = (shape,) if isinstance(shape, int) else shape
            return sizes[0] if len(sizes) == 1 else None
    return None


def _tensor(
    layer: Layer, parameter: Parameter, recipe: Recipe, tensors: dict[str, PlannedTensor]
) -> LinkTensor | None:
    layouts = parameter.tensors.get(recipe.convention, ())
    if not layouts:
        return None
    name = layer.name + SEPARATORS[recipe.convention] + layouts[0].name
    return LinkTensor(tensors[name], parameter.layout(layouts[0]))


def _placed(
    request: ChainRequest, links: Sequence[Link], problems: list[Problem]
) -> Iterator[Link]:
    """Yield links with their positions; add a problem for a link that does not fit its input."""
    first = next(link for link in links if link.has_weights)
    channels, places = first.inputs, _size(request, first)
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
    """Return why a link cannot take an input with these channels; an empty string if it can."""
    places = link.places
    if link.kind == "convolution" and len(places) != len(link.window):
        return (
            f"a {link.type} needs {len(link.window)} axes of positions, but its input has"
            f" {len(places)}: put convolutions first, all of the same rank (/input/size)"
        )
    given = channels * math.prod(places) if link.kind == "linear" else channels
    if link.inputs == given:
        return ""
    flat = f", {channels} channels at {' x '.join(map(str, places))} positions flattened"
    return (
        f"it takes {link.inputs} inputs, but the layers before it give {given}"
        f"{flat if places and link.kind == 'linear' else ''}"
    )


def _branched(links: Sequence[Link], recipe: Recipe, problems: list[Problem]) -> list[Link]:
    """Return links with the beginnings and ends of residual branches marked."""
    marked = list(links)
    for start, stop in _branches(links, recipe, problems):
        first, last = marked[start], marked[stop]
        shape_in = first.inputs, first.places
        if (last.outputs, last.places if last.kind != "linear" else ()) != shape_in:
            problems.append(
                Problem(
                    last.pointer,
                    f"its branch begins with {first.inputs} and ends with {last.outputs} features:"
                    " a branch and the stream it is added to need the same shape",
                )
            )
        marked[start] = replace(marked[start], opens=True)
        marked[stop] = replace(marked[stop], closes=True)
    return marked


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
                    Problem(
                        link.pointer,
                        f"the branch before it ends at [{place}, {of}] instead of [{of}, {of}]",
                    )
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
                    f"{list(stated)} cannot follow {[place, of]}: number the m layers of a branch"
                    " [1, m] to [m, m], in order",
                )
            )
        place = stated[0] if link.has_weights else place
    if of:
        yield start, len(links) - 1


def branch_of(layer: Layer) -> tuple[int, int] | None:
    """Return a layer's place in its branch, as stated or from its role; None outside branches."""
    if layer.branch is not None:
        return layer.branch
    role = layer.role_of(layer.role) if layer.role else None
    return (role.place, role.of) if role and role.of else None


def _activations(request: ChainRequest, count: int, problems: list[Problem]) -> list[Activation]:
    if isinstance(request.activation, Activation):
        return [request.activation] * count
    if len(request.activation) != count:
        problems.append(
            Problem(
                "/activation",
                f"{len(request.activation)} activations for {count} layers with weights: send one"
                " for each layer, or a single one for all",
            )
        )
    return list(request.activation)


def _activated(links: Sequence[Link], after: Sequence[Activation]) -> Iterator[Link]:
    """Yield links with the activation before each; there is none before the first layer.

    If the chain begins with a residual branch, that branch starts with the last activation.
    """
    count, first = 0, LINEAR
    for link in links:
        if link.opens and not count:
            first = after[-1]
        if link.has_weights:
            yield replace(link, before=after[count - 1] if count else first)
            count += 1
        else:
            yield link
