"""From a request's body to a plan, parsed and compiled outside the event loop."""

from collections.abc import Callable
from typing import TypeVar

from service.container.donor import donor_of
from service.plan import Plan, compile, grow
from service.recipe import Recipe, parse
from service.web.context import RequestContext
from service.web.request.body import BYTES_PER_TENSOR, form_body, json_body, media_type
from service.web.request.multipart import DONOR_FORM, MEDIA_TYPE

_TINY = 2_000
"""Bytes up to which planning a recipe that `_is_quick` takes about as long as changing threads."""

_QUICK = {"zeros", "ones", "constant", "uniform", "normal", "xavier", "kaiming", "lecun"}

Result = TypeVar("Result")


async def plan_body(
    context: RequestContext, use: Callable[[Recipe, Plan], Result], *, takes_donor: bool = False
) -> Result:
    """Return what is made of the recipe in a request's body and its plan.

    Args:
        context: The request's; its body is read here.
        use: Makes the result; it runs in the thread that compiles the recipe.
        takes_donor: Whether the body may be a form with a donor, from which the plan is grown.

    Raises:
        HTTPException: 415 for another media type or an encoded body, 408 for one that stalls; and
            what `form.receive` raises.
        RecipeTooLarge: Declared or sent, more than ``max_body_bytes``.
        Busy: As many tensors, or donors, are in use as may be.
        MalformedRecipe: Not strict JSON.
        InvalidRecipe: The recipe cannot be carried out.
        UnreadableFile: The donor is not a safetensors file.
    """
    settings, donor = context.shared.settings, None
    if takes_donor and media_type(context.request) == MEDIA_TYPE:
        text, donor = await form_body(context, DONOR_FORM)
        context.hold_tensors(len(text) // BYTES_PER_TENSOR)
    else:
        text = await json_body(context)

    def work() -> tuple[Result, int]:
        recipe = parse(text, settings)
        plan = compile(recipe, settings)
        if donor:
            plan = grow(plan, donor_of(donor, settings))
        return use(recipe, plan), len(plan.tensors)

    if donor is None and len(text) <= _TINY and _is_quick(recipe := parse(text, settings)):
        return use(recipe, compile(recipe, settings))
    result, tensors = await context.shared.planning.run(text, work)
    context.hold_tensors(tensors)
    return result


def _is_quick(recipe: Recipe) -> bool:
    """Return whether a tiny recipe has nothing whose plan or first bytes could take long."""
    if recipe.layers or recipe.model is not None:
        return False
    schemes = [recipe.init, *(t.init for t in recipe.tensors), *(r.init for r in recipe.rules)]
    return all(scheme is None or scheme.scheme in _QUICK for scheme in schemes) and not any(
        tensor.parts or tensor.slice or tensor.draw for tensor in recipe.tensors
    )
