"""One tensor's plan: from what is asked of it to laws, a block and a stream."""

import math
from collections.abc import Iterator, Sequence

from service.catalogue.distributions import Sparse
from service.catalogue.schemes import Scheme
from service.catalogue.tensor import Parts, Tensor
from service.errors import SchemeError, truncate
from service.limits import MAX_ELEMENTS
from service.numerics.cast import DTYPES, DType
from service.numerics.fans import Geometry
from service.numerics.keys import stream_of
from service.plan.diagnostics import Diagnostics
from service.plan.model import PlannedTensor, Region
from service.plan.rules import TensorRequest
from service.plan.view import source_of
from service.recipe.model import Recipe

Shape = tuple[int, ...]

DEMANDS = {
    "max_orthogonal_side": "rows or columns of the orthogonal matrix",
    "max_matrices": "orthogonal matrices",
    "max_whole_elements": "elements that are computed together",
    "max_chrono_elements": "units of the chrono bias",
    "max_sinusoidal_elements": "elements of the position table",
}
"""What the limits on laws that are not computed element by element count."""

_INTEGER_SCHEMES = ("zeros", "ones", "constant")

Sited = tuple[Scheme, str]
"""A scheme and the pointer to where the recipe asks for it."""


def plan_tensor(
    request: TensorRequest, recipe: Recipe, diagnostics: Diagnostics
) -> PlannedTensor | None:
    """Return the plan of one tensor, or None where it was complained of."""
    if not _shape_is_sound(request, diagnostics):
        return None
    dtype = DTYPES[request.dtype(recipe)]
    tensor = request.tensor
    if tensor.draw is not None:
        request.source = source_of(tensor, request.pointer, diagnostics)
        if request.source is None:
            return None
    found = [
        _region(request, init, geometry, dtype, diagnostics)
        for init, geometry in _inits(request, recipe, diagnostics)
    ]
    regions = tuple([region for region in found if region is not None])
    if not found or len(regions) < len(found):
        return None
    stream = stream_of(recipe.seed, request.drawn.name)
    has_mask = Sparse in [type(region.law) for region in regions]
    full_shape, block, order, shuffle = _view(request)
    return PlannedTensor(
        name=tensor.name,
        dtype=dtype,
        full_shape=full_shape,
        block=block,
        shape=_held(tensor),
        stream=stream,
        mask=stream_of(recipe.seed, request.drawn.name, "mask") if has_mask else stream,
        axis=regions[0].geometry.axis,
        regions=regions,
        order=order,
        shuffle=shuffle,
    )


def _held(tensor: Tensor) -> Shape:
    if tensor.slice is None:
        return tensor.shape
    cuts = zip(tensor.slice, tensor.shape, strict=True)
    return tuple([cut[1] - cut[0] if cut else size for cut, size in cuts])


_View = tuple[Shape, tuple[tuple[int, int], ...], Shape, tuple[int, Shape] | None]


def _view(request: TensorRequest) -> _View:
    """Return what of the drawn tensor the file holds, and how: shape, block, order, shuffle."""
    if (source := request.source) is not None:
        straight = source.shuffle is None and source.order == tuple(range(len(source.order)))
        return source.axes, source.block, () if straight else source.order, source.shuffle
    shape, cuts = request.tensor.shape, request.tensor.slice
    if cuts is None:
        return shape, tuple([(0, size) for size in shape]), (), None
    block = tuple([cut or (0, size) for cut, size in zip(cuts, shape, strict=True)])
    return shape, block, (), None


def _shape_is_sound(request: TensorRequest, diagnostics: Diagnostics) -> bool:
    tensor = request.tensor
    rank, problems = len(tensor.shape), []
    if rank > diagnostics.limits.max_rank:
        limit = diagnostics.limits.max_rank
        problems.append(("shape", f"{rank} axes; the limit (max_rank) is {limit}"))
    elif math.prod(filter(None, tensor.shape)) > MAX_ELEMENTS:
        # Zeros apart: readers multiply from the left, and overflow before they come to one.
        problems.append(("shape", "more than 2^63 - 1 elements; use smaller dimensions"))
    if tensor.layout is not None and len(tensor.layout) != rank:
        problems.append(
            (
                "layout",
                f"{truncate(tensor.layout)} has {len(tensor.layout)} letters, the shape {rank}",
            )
        )
    if tensor.slice is not None:
        problems.extend(_slice_problems(tensor.shape, tensor.slice))
    if tensor.parts is not None:
        problems.extend(_parts_problems(tensor.shape, tensor.parts, diagnostics.limits.max_parts))
    for field, detail in problems:
        diagnostics.add(request.place(field), detail)
    return not problems


def _slice_problems(shape: Shape, cuts: Sequence[Shape | None]) -> Iterator[tuple[str, str]]:
    if len(cuts) != len(shape):
        yield "slice", f"{len(cuts)} entries for {len(shape)} axes: one an axis, null for all of it"
        return
    for axis, (cut, size) in enumerate(zip(cuts, shape, strict=True)):
        if cut is not None and not cut[0] <= cut[1] <= size:
            yield f"slice/{axis}", f"needs 0 <= start <= stop <= {size}"


def _parts_problems(shape: Shape, parts: Parts, most: int) -> Iterator[tuple[str, str]]:
    if not 1 <= len(parts.of) <= most:
        yield "parts/of", f"{len(parts.of)} parts; at least 1, and the limit (max_parts) is {most}"
    elif parts.axis >= len(shape):
        yield "parts/axis", f"axis {parts.axis} of a shape of {len(shape)} axes; they count from 0"
    elif (total := sum(part.size for part in parts.of)) != shape[parts.axis]:
        yield "parts/of", f"the sizes sum to {total}, and axis {parts.axis} is {shape[parts.axis]}"


def _inits(
    request: TensorRequest, recipe: Recipe, diagnostics: Diagnostics
) -> Iterator[tuple[Sited, Geometry]]:
    """Yield each region's init and geometry; complain where one has no init."""
    tensor = request.drawn
    whole = Geometry(tensor.shape, tensor.layout, request.fan())
    own = (tensor.init, request.place("init")) if tensor.init else None
    default = own or ((recipe.init, "/init") if recipe.init else None)
    if request.rule_init or tensor.parts is None:
        if init := request.rule_init or default:
            yield init, whole
        else:
            diagnostics.add(
                request.pointer, f"{truncate(tensor.name)} has no init, and the recipe no default"
            )
        return
    start = 0
    for index, part in enumerate(tensor.parts.of):
        place = request.place(f"parts/of/{index}")
        stop = start + part.size
        geometry = Geometry(
            tensor.shape, tensor.layout, request.fan(part.fan), tensor.parts.axis, start, stop
        )
        if init := (part.init, request.place(f"parts/of/{index}/init")) if part.init else default:
            yield init, geometry
        else:
            diagnostics.add(
                place, "the part has no init, and neither the tensor nor the recipe one"
            )
        start = stop


def _region(
    request: TensorRequest, init: Sited, geometry: Geometry, dtype: DType, diagnostics: Diagnostics
) -> Region | None:
    scheme, pointer = init
    try:
        law = scheme.resolve(geometry)
    except SchemeError as error:
        diagnostics.add(pointer, f"{truncate(request.tensor.name)}: {error}")
        return None
    for setting, actual in law.demands.items():
        what = DEMANDS[setting]
        diagnostics.check_limit(
            pointer, f"{what} in {truncate(request.tensor.name)}", actual, setting
        )
    if dtype.name == "I64" and scheme.scheme not in _INTEGER_SCHEMES:
        name = truncate(request.tensor.name)
        diagnostics.add(pointer, f"{name}: I64 serves zeros, ones and constant only")
    elif not all(dtype.holds(value) for value in law.extremes):
        low, high = law.extremes
        diagnostics.add(
            pointer,
            f"{truncate(request.tensor.name)}: values from {low:g} to {high:g} do not all fit"
            f" {dtype.name}",
        )
    else:
        stop = geometry.stop
        if stop is None:
            stop = geometry.shape[geometry.axis] if geometry.shape else 1
        return Region(geometry.start, stop, law, scheme, geometry)
    return None
