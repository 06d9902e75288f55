"""Plans one tensor: checks its request and resolves its laws, block and random stream."""

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
from service.plan.model import PlannedTensor
from service.plan.rules import TensorRequest
from service.plan.view import view_of
from service.recipe.model import Recipe
from service.sources import Drawn, Region, Transposed

Shape = tuple[int, ...]

DEMANDS = {
    "max_orthogonal_side": "rows or columns of the orthogonal matrix",
    "max_matrices": "orthogonal matrices",
    "max_whole_elements": "elements that are computed together",
    "max_chrono_elements": "units of the chrono bias",
    "max_sinusoidal_elements": "elements of the position table",
}
"""What each limit counts. These limits apply to laws that are not computed element by element."""

_INTEGER_SCHEMES = ("zeros", "ones", "constant")

LocatedInit = tuple[Scheme, str]
"""A scheme and the JSON Pointer to where the recipe states it."""


def plan_tensor(
    request: TensorRequest, recipe: Recipe, diagnostics: Diagnostics
) -> PlannedTensor | None:
    """Return the plan of one tensor; None if it has problems, which go to ``diagnostics``."""
    if not _check_shape(request, diagnostics):
        return None
    dtype = DTYPES[request.dtype(recipe)]
    tensor = request.tensor
    if tensor.draw is not None:
        request.view = view_of(tensor, request.pointer, diagnostics)
        if request.view is None:
            return None
    resolved = [
        _region(request, init, geometry, dtype, diagnostics)
        for init, geometry in _inits(request, recipe, diagnostics)
    ]
    regions = tuple([region for region in resolved if region is not None])
    if not resolved or len(regions) < len(resolved):
        return None
    source = _source(request, dtype, regions, recipe.seed)
    return PlannedTensor(tensor.name, dtype, _sliced_shape(tensor), source)


def _sliced_shape(tensor: Tensor) -> Shape:
    if tensor.slice is None:
        return tensor.shape
    cuts = zip(tensor.slice, tensor.shape, strict=True)
    return tuple([cut[1] - cut[0] if cut else size for cut, size in cuts])


def _source(
    request: TensorRequest, dtype: DType, regions: tuple[Region, ...], seed: int
) -> Drawn | Transposed:
    """Return the source of the tensor's values: drawn, and transposed if its order differs."""
    stream = stream_of(seed, request.drawn.name)
    has_mask = Sparse in [type(region.law) for region in regions]
    mask = stream_of(seed, request.drawn.name, "mask") if has_mask else stream
    axis = regions[0].geometry.axis
    view = request.view
    if view is None:
        shape, cuts = request.tensor.shape, request.tensor.slice or ()
        block = tuple([(0, size) for size in shape])
        if cuts:
            block = tuple([cut or full for cut, full in zip(cuts, block, strict=True)])
        return Drawn(dtype, shape, block, stream, mask, axis, regions)
    drawn = Drawn(dtype, view.axes, view.block, stream, mask, axis, regions)
    if view.shuffle is None and view.order == tuple(range(len(view.order))):
        return drawn
    return Transposed(drawn, view.order, view.shuffle)


def _check_shape(request: TensorRequest, diagnostics: Diagnostics) -> bool:
    tensor = request.tensor
    rank, problems = len(tensor.shape), []
    if rank > diagnostics.limits.max_rank:
        limit = diagnostics.limits.max_rank
        problems.append(("shape", f"{rank} axes; the limit (max_rank) is {limit}"))
    elif math.prod(filter(None, tensor.shape)) > MAX_ELEMENTS:
        # Zeros are left out: readers multiply from the left and overflow before they reach one.
        problems.append(("shape", "more than 2^63 - 1 elements; use smaller dimensions"))
    if tensor.layout is not None and len(tensor.layout) != rank:
        letters = f"{truncate(tensor.layout)} has {len(tensor.layout)} letters"
        problems.append(("layout", f"{letters}, but the shape has {rank} axes"))
    if tensor.slice is not None:
        problems.extend(_slice_problems(tensor.shape, tensor.slice))
    if tensor.parts is not None:
        problems.extend(_parts_problems(tensor.shape, tensor.parts, diagnostics.limits.max_parts))
    for field, detail in problems:
        diagnostics.add(request.pointer_to(field), detail)
    return not problems


def _slice_problems(shape: Shape, cuts: Sequence[Shape | None]) -> Iterator[tuple[str, str]]:
    if len(cuts) != len(shape):
        counts = f"{len(cuts)} entries for {len(shape)} axes"
        yield "slice", f"{counts}: give one for each axis; null keeps the whole axis"
        return
    for axis, (cut, size) in enumerate(zip(cuts, shape, strict=True)):
        if cut is not None and not cut[0] <= cut[1] <= size:
            yield f"slice/{axis}", f"needs 0 <= start <= stop <= {size}"


def _parts_problems(shape: Shape, parts: Parts, max_parts: int) -> Iterator[tuple[str, str]]:
    count, axis = len(parts.of), parts.axis
    if not 1 <= count <= max_parts:
        yield "parts/of", f"{count} parts; at least 1, and the limit (max_parts) is {max_parts}"
    elif axis >= len(shape):
        yield "parts/axis", f"there is no axis {axis}: the shape has {len(shape)}, counted from 0"
    elif (total := sum(part.size for part in parts.of)) != shape[axis]:
        yield "parts/of", f"the sizes sum to {total}, but axis {axis} has size {shape[axis]}"


def _inits(
    request: TensorRequest, recipe: Recipe, diagnostics: Diagnostics
) -> Iterator[tuple[LocatedInit, Geometry]]:
    """Yield the init and the geometry of each region; report regions without an init."""
    tensor = request.drawn
    whole = Geometry(tensor.shape, tensor.layout, request.fan())
    own = (tensor.init, request.pointer_to("init")) if tensor.init else None
    default = own or ((recipe.init, "/init") if recipe.init else None)
    if request.rule_init or tensor.parts is None:
        if init := request.rule_init or default:
            yield init, whole
        else:
            diagnostics.add(
                request.pointer,
                f"{truncate(tensor.name)} has no init, and the recipe has no default: add one",
            )
        return
    start = 0
    for index, part in enumerate(tensor.parts.of):
        pointer = request.pointer_to(f"parts/of/{index}")
        stop = start + part.size
        geometry = Geometry(
            tensor.shape, tensor.layout, request.fan(part.fan), tensor.parts.axis, start, stop
        )
        own = (part.init, f"{pointer}/init" if request.is_raw else pointer) if part.init else None
        if init := own or default:
            yield init, geometry
        else:
            diagnostics.add(
                pointer,
                "the part has no init, and neither the tensor nor the recipe has one: add one",
            )
        start = stop


def _region(
    request: TensorRequest,
    init: LocatedInit,
    geometry: Geometry,
    dtype: DType,
    diagnostics: Diagnostics,
) -> Region | None:
    """Return the region that an init resolves to; None if it has problems."""
    scheme, pointer = init
    try:
        law = scheme.resolve(geometry)
    except SchemeError as error:
        diagnostics.add(pointer, f"{truncate(request.tensor.name)}: {error}")
        return None
    name = truncate(request.tensor.name)
    for setting, actual in law.demands.items():
        diagnostics.check_limit(pointer, f"{DEMANDS[setting]} in {name}", actual, setting)
    if dtype.name == "I64" and scheme.scheme not in _INTEGER_SCHEMES:
        diagnostics.add(pointer, f"{name}: I64 tensors can only be zeros, ones or constant")
    elif not all(dtype.holds(value) for value in law.extremes):
        low, high = law.extremes
        diagnostics.add(
            pointer,
            f"{name}: values from {low:g} to {high:g} do not all fit {dtype.name}",
        )
    else:
        stop = geometry.stop
        if stop is None:
            stop = geometry.shape[geometry.axis] if geometry.shape else 1
        return Region(geometry.start, stop, law, scheme, geometry)
    return None
