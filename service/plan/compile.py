"""From a `Recipe` to a `Plan`: everything a recipe can get wrong is found here, with its place."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from service.catalogue.models import DTYPES, config_of
from service.catalogue.schemes.truncated_normal import TruncatedNormal
from service.container import header as container
from service.errors import Problem, truncate
from service.limits import Limits
from service.plan.diagnostics import Diagnostics
from service.plan.layout import header, placed
from service.plan.lower import Lowered, lower
from service.plan.model import Plan, PlannedTensor
from service.plan.rules import TensorRequest, apply_rules, included
from service.plan.tensor import plan_tensor
from service.plan.warnings import warnings_of
from service.recipe.model import Recipe
from service.recipe.parse import parse
from service.recipe.strictjson import pointer


def compile(recipe: Recipe, limits: Limits | None = None) -> Plan:
    """Return the plan of a recipe.

    Args:
        recipe: What to generate.
        limits: What it may ask for; the defaults if left out.

    Raises:
        InvalidRecipe: It cannot be carried out; holds every problem up to ``max_errors``.
    """
    diagnostics = Diagnostics(limits or Limits())
    diagnostics.check_limit("/tensors", "tensors", len(recipe.tensors), "max_tensors")
    diagnostics.check_limit("/layers", "layers", len(recipe.layers), "max_tensors")
    diagnostics.raise_if_any()
    lowered = lower(recipe, diagnostics)
    requests = lowered.requests
    _check_names(requests, diagnostics)
    _check_metadata(recipe, diagnostics)
    _check_work(recipe, requests, diagnostics)
    diagnostics.raise_if_any()
    apply_rules(recipe, requests, diagnostics)
    planned = [plan_tensor(request, recipe, diagnostics) for request in requests]
    diagnostics.raise_if_any()
    kept = included(recipe, {t.name: t for t in planned if t is not None}, diagnostics)
    diagnostics.raise_if_any()
    return _laid_out(recipe, kept, lowered, diagnostics)


RecipeLike = Plan | Recipe | bytes | str | Mapping[str, Any]
"""A recipe in any stage: its text or document, parsed, or compiled."""


def plan_of(recipe: RecipeLike) -> Plan:
    """Return the plan of a recipe in any stage.

    Raises:
        MalformedRecipe: The text is not strict JSON.
        InvalidRecipe: The recipe cannot be carried out.
    """
    if isinstance(recipe, Plan):
        return recipe
    return compile(recipe if isinstance(recipe, Recipe) else parse(recipe))


def _check_names(requests: list[TensorRequest], diagnostics: Diagnostics) -> None:
    if not requests:
        diagnostics.add("/tensors", "nothing to make: state tensors, layers or a model")
    diagnostics.check_limit("/tensors", "tensors", len(requests), "max_tensors")
    diagnostics.raise_if_any()
    counts = Counter(request.tensor.name for request in requests)
    for request in requests:
        name = request.tensor.name
        problem = container.name_problem(name, diagnostics.limits.max_name_bytes)
        if counts[name] > 1:
            problem = f"{counts[name]} tensors are called {truncate(name)}"
        if problem:
            diagnostics.add(request.place("name"), problem)


def _check_metadata(recipe: Recipe, diagnostics: Diagnostics) -> None:
    size = sum(len(key.encode()) + len(value.encode()) for key, value in recipe.metadata.items())
    diagnostics.check_limit("/metadata", "bytes of UTF-8", size, "max_metadata_bytes")
    for key in recipe.metadata:
        if key.startswith(container.RESERVED_METADATA):
            diagnostics.add(
                pointer("metadata", key), "keys that begin with tensorseed. are the service's own"
            )


def _check_work(recipe: Recipe, requests: list[TensorRequest], diagnostics: Diagnostics) -> None:
    """Refuse what would take long to plan: each part is as much work as a tensor."""
    drawn = [request.drawn for request in requests]
    parts = [part for t in drawn if t.parts for part in t.parts.of]
    diagnostics.check_limit("/tensors", "parts in all", len(parts), "max_tensors")
    inits = {
        recipe.init,
        *(tensor.init for tensor in drawn),
        *(part.init for part in parts),
        *(rule.init for rule in recipe.rules),
    }
    truncations = sum(isinstance(init, TruncatedNormal) for init in inits)
    diagnostics.check_limit("/tensors", "truncations", truncations, "max_truncations")


def _laid_out(
    recipe: Recipe,
    tensors: list[PlannedTensor],
    lowered: Lowered,
    diagnostics: Diagnostics,
) -> Plan:
    laid = placed(tensors)
    diagnostics.check_limit("/tensors", "bytes of tensors", laid[-1].end, "max_total_bytes")
    diagnostics.raise_if_any()
    metadata = recipe.metadata | {
        container.RESERVED_METADATA + name: repr(value) for name, value in lowered.forward.items()
    }
    head = header(laid, metadata)
    diagnostics.check_limit("/tensors", "bytes of header", len(head), "max_header_bytes")
    diagnostics.raise_if_any()
    return Plan(
        generator=recipe.generator,
        header=head,
        tensors=laid,
        metadata=metadata,
        warnings=_warnings(recipe, lowered, laid),
        forward=lowered.forward,
        recipe_order=tuple(tensor.name for tensor in tensors),
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
        f"the config's dtype, {truncate(asked)}, sets nothing: the recipe's, {recipe.dtype}, does",
    )
    return ignored, *warnings_of(tensors, made)
