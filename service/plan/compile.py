"""From a `Recipe` to a `Plan`: everything a recipe can get wrong is found here, with its place."""

from collections import Counter
from collections.abc import Sequence

from service.catalogue.models import DTYPES, config_of
from service.catalogue.schemes.truncated_normal import TruncatedNormal
from service.container import header as container
from service.errors import Problem, shown
from service.limits import Limits
from service.plan.complaints import Complaints
from service.plan.layout import header, placed
from service.plan.lower import Lowered, lower
from service.plan.model import Plan, PlannedTensor
from service.plan.rules import TensorRequest, apply_rules, included
from service.plan.tensor import plan_tensor
from service.plan.warnings import warnings_of
from service.recipe.model import Recipe
from service.recipe.strictjson import pointer


def compile(recipe: Recipe, limits: Limits | None = None) -> Plan:
    """Return the plan of a recipe.

    Args:
        recipe: What to generate.
        limits: What it may ask for; the defaults if left out.

    Raises:
        InvalidRecipe: It cannot be carried out; holds every problem up to ``max_errors``.
    """
    complaints = Complaints(limits or Limits())
    complaints.check_limit("/tensors", "tensors", len(recipe.tensors), "max_tensors")
    complaints.check_limit("/layers", "layers", len(recipe.layers), "max_tensors")
    complaints.raise_if_any()
    lowered = lower(recipe, complaints)
    requests = lowered.requests
    _check_names(requests, complaints)
    _check_metadata(recipe, complaints)
    _check_work(recipe, requests, complaints)
    complaints.raise_if_any()
    apply_rules(recipe, requests, complaints)
    planned = [plan_tensor(request, recipe, complaints) for request in requests]
    complaints.raise_if_any()
    kept = included(recipe, {t.name: t for t in planned if t is not None}, complaints)
    complaints.raise_if_any()
    return _laid_out(recipe, kept, lowered, complaints)


def _check_names(requests: list[TensorRequest], complaints: Complaints) -> None:
    if not requests:
        complaints.add("/tensors", "nothing to make: state tensors, layers or a model")
    complaints.check_limit("/tensors", "tensors", len(requests), "max_tensors")
    complaints.raise_if_any()
    counts = Counter(request.tensor.name for request in requests)
    for request in requests:
        name = request.tensor.name
        problem = container.name_problem(name, complaints.limits.max_name_bytes)
        if counts[name] > 1:
            problem = f"{counts[name]} tensors are called {shown(name)}"
        if problem:
            complaints.add(request.place("name"), problem)


def _check_metadata(recipe: Recipe, complaints: Complaints) -> None:
    size = sum(len(key.encode()) + len(value.encode()) for key, value in recipe.metadata.items())
    complaints.check_limit("/metadata", "bytes of UTF-8", size, "max_metadata_bytes")
    for key in recipe.metadata:
        if key.startswith(container.RESERVED_METADATA):
            complaints.add(
                pointer("metadata", key), "keys that begin with tensorseed. are the service's own"
            )


def _check_work(recipe: Recipe, requests: list[TensorRequest], complaints: Complaints) -> None:
    """Refuse what would take long to plan: each part is as much work as a tensor."""
    drawn = [request.drawn for request in requests]
    parts = [part for t in drawn if t.parts for part in t.parts.of]
    complaints.check_limit("/tensors", "parts in all", len(parts), "max_tensors")
    inits = {
        recipe.init,
        *(tensor.init for tensor in drawn),
        *(part.init for part in parts),
        *(rule.init for rule in recipe.rules),
    }
    truncations = sum(isinstance(init, TruncatedNormal) for init in inits)
    complaints.check_limit("/tensors", "truncations", truncations, "max_truncations")


def _laid_out(
    recipe: Recipe,
    tensors: list[PlannedTensor],
    lowered: Lowered,
    complaints: Complaints,
) -> Plan:
    laid = placed(tensors)
    complaints.check_limit("/tensors", "bytes of tensors", laid[-1].end, "max_total_bytes")
    complaints.raise_if_any()
    metadata = recipe.metadata | {
        container.RESERVED_METADATA + name: repr(value) for name, value in lowered.forward.items()
    }
    head = header(laid, metadata)
    complaints.check_limit("/tensors", "bytes of header", len(head), "max_header_bytes")
    complaints.raise_if_any()
    return Plan(
        generator=recipe.generator,
        header=head,
        tensors=laid,
        metadata=metadata,
        warnings=_warnings(recipe, lowered, laid),
        forward=lowered.forward,
        asked=tuple(tensor.name for tensor in tensors),
    )


def _warnings(
    recipe: Recipe, lowered: Lowered, tensors: Sequence[PlannedTensor]
) -> tuple[Problem, ...]:
    """Return what of the recipe is allowed and probably not meant."""
    made = {request.tensor.name for request in lowered.requests if not request.is_raw}
    config = config_of(recipe.model or {})
    asked = config.get("dtype", config.get("torch_dtype"))
    if asked is None or asked == DTYPES.get(recipe.dtype):
        return warnings_of(tensors, made)
    ignored = Problem(
        "/model",
        f"the config's dtype, {shown(asked)}, sets nothing: the recipe's, {recipe.dtype}, does",
    )
    return ignored, *warnings_of(tensors, made)
