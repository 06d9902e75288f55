"""Compiles a `Recipe` into a `Plan`. Errors are reported with a JSON Pointer to their place."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from service.catalogue.models import DTYPES, config_of
from service.catalogue.schemes.truncated_normal import TruncatedNormal
from service.container import header as container
from service.errors import Problem, truncate
from service.limits import Limits
from service.plan.diagnostics import Diagnostics
from service.plan.layout import assign_offsets, header
from service.plan.lower import LoweredRecipe, lower
from service.plan.model import Plan, PlannedTensor
from service.plan.rules import TensorRequest, apply_include, apply_rules
from service.plan.tensor import plan_tensor
from service.plan.warnings import warnings_of
from service.recipe.model import Recipe
from service.recipe.parse import parse
from service.recipe.strictjson import pointer


def compile(recipe: Recipe, limits: Limits | None = None) -> Plan:
    """Return the plan of a recipe.

    Args:
        recipe: The recipe.
        limits: Limits on the recipe; the defaults if left out.

    Raises:
        InvalidRecipe: The recipe has errors; contains them all, up to ``max_errors``.
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
    kept = apply_include(recipe, {t.name: t for t in planned if t is not None}, diagnostics)
    diagnostics.raise_if_any()
    return _build_plan(recipe, kept, lowered, diagnostics)


RecipeLike = Plan | Recipe | bytes | str | Mapping[str, Any]
"""A recipe at any stage: its JSON text or document, a `Recipe`, or a `Plan`."""


def plan_of(recipe: RecipeLike) -> Plan:
    """Return the plan of a recipe at any stage. A plan is returned unchanged.

    Raises:
        MalformedRecipe: The text is not strict JSON.
        InvalidRecipe: The recipe has errors.
    """
    if isinstance(recipe, Plan):
        return recipe
    return compile(recipe if isinstance(recipe, Recipe) else parse(recipe))


def _check_names(requests: list[TensorRequest], diagnostics: Diagnostics) -> None:
    if not requests:
        diagnostics.add("/tensors", "the recipe has no tensors: state tensors, layers or a model")
    diagnostics.check_limit("/tensors", "tensors", len(requests), "max_tensors")
    diagnostics.raise_if_any()
    counts = Counter(request.tensor.name for request in requests)
    for request in requests:
        name = request.tensor.name
        problem = container.name_problem(name, diagnostics.limits.max_name_bytes)
        if counts[name] > 1:
            problem = f"{counts[name]} tensors are called {truncate(name)}"
        if problem:
            diagnostics.add(request.pointer_to("name"), problem)


def _check_metadata(recipe: Recipe, diagnostics: Diagnostics) -> None:
    size = sum(len(key.encode()) + len(value.encode()) for key, value in recipe.metadata.items())
    diagnostics.check_limit("/metadata", "bytes of UTF-8", size, "max_metadata_bytes")
    for key in recipe.metadata:
        if key.startswith(container.RESERVED_METADATA):
            diagnostics.add(
                pointer("metadata", key),
                "keys that begin with tensorseed. are reserved for the service: rename it",
            )


def _check_work(recipe: Recipe, requests: list[TensorRequest], diagnostics: Diagnostics) -> None:
    """Limit the work of planning: a part takes as long as a tensor."""
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
    diagnostics.check_limit(
        "/tensors", "different truncated_normal inits", truncations, "max_truncations"
    )


def _build_plan(
    recipe: Recipe,
    tensors: list[PlannedTensor],
    lowered: LoweredRecipe,
    diagnostics: Diagnostics,
) -> Plan:
    placed = assign_offsets(tensors)
    diagnostics.check_limit("/tensors", "bytes of tensors", placed[-1].end, "max_total_bytes")
    diagnostics.raise_if_any()
    metadata = recipe.metadata | {
        container.RESERVED_METADATA + name: repr(value) for name, value in lowered.forward.items()
    }
    encoded = header(placed, metadata)
    diagnostics.check_limit("/tensors", "bytes of header", len(encoded), "max_header_bytes")
    diagnostics.raise_if_any()
    return Plan(
        generator=recipe.generator,
        header=encoded,
        tensors=placed,
        metadata=metadata,
        warnings=_warnings(recipe, lowered, placed),
        forward=lowered.forward,
        recipe_order=tuple(tensor.name for tensor in tensors),
    )


def _warnings(
    recipe: Recipe, lowered: LoweredRecipe, tensors: Sequence[PlannedTensor]
) -> tuple[Problem, ...]:
    """Return warnings about what is allowed but probably not intended."""
    expanded = {request.tensor.name for request in lowered.requests if not request.is_raw}
    config = config_of(recipe.model or {})
    config_dtype = config.get("dtype", config.get("torch_dtype"))
    if config_dtype is None or config_dtype == DTYPES.get(recipe.dtype):
        return warnings_of(tensors, expanded)
    ignored = Problem(
        "/model",
        f"the config's dtype, {truncate(config_dtype)}, is ignored: the dtype of the recipe,"
        f" {recipe.dtype}, applies",
    )
    return ignored, *warnings_of(tensors, expanded)
