"""The analysis of a recipe: curves and verdicts for its own init, and for inits to compare."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from service.analysis.chain import Chain
from service.analysis.critical import critical
from service.analysis.curves import for_json, measured_curves, theory_curves
from service.analysis.links import chain_of
from service.analysis.measure import measure, over_limit
from service.analysis.network import Weights
from service.analysis.question import Question, parse_request, within
from service.analysis.theory import theory_of
from service.analysis.verdict import Change, Usual, change_of, usual, verdict
from service.catalogue.schemes import ALIASES, AnyScheme, Critical, Zeros
from service.catalogue.schemes.scheme import canonical
from service.errors import InvalidRecipe, Problem
from service.limits import Limits
from service.plan import compile
from service.plan.patterns import matcher
from service.recipe import Recipe
from service.recipe.model import Rule
from service.stream.pipeline import Pipeline

_RANK_STEP, _RANK_CAP = 1.0, 1e6
"""For ranking by spread, in units of ln q. Spreads within one step rank equal, as do
spreads above the cap."""


@dataclass(frozen=True)
class _Candidate:
    """A chain with one init.

    Args:
        label: Its label in the response.
        init: The init; None for the recipe's own.
        recipe: The recipe with this init.
        chain: The chain of the recipe.
        theory: The chain's theoretical curves.
    """

    label: str
    init: AnyScheme | None
    recipe: Recipe
    chain: Chain
    theory: dict[str, Any]

    @property
    def change(self) -> Change:
        """How the chain changes signals and gradients."""
        return change_of(self.theory, self.chain.on_stream)


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def analyse(text: bytes, limits: Limits, pipeline: Pipeline) -> dict[str, Any]:
    """Return the body of the response to ``POST /v1/analysis``.

    Args:
        text: The request, JSON.
        limits: The limits.
        pipeline: Computes the weights of a measured pass.

    Raises:
        RecipeTooLarge: The request is longer than ``max_body_bytes``.
        MalformedRecipe: The request is not strict JSON.
        InvalidRecipe: The request or its recipe is invalid, or exceeds a limit.
    """
    question, recipe = parse_request(Question, text, limits)
    own = _candidate("recipe", None, recipe, question, limits)
    compared = [
        _compared(index, init, own, question, limits) for index, init in enumerate(question.compare)
    ]
    _check_cost(question, [own, *compared], limits)
    ranked = _ranked(own, question, limits)
    curves = [
        _curve(each, ranked, question, lambda recipe: Weights(compile(recipe, limits), pipeline))
        for each in (own, *compared)
    ]
    listed = [_listed(each, candidate) for each, candidate in ranked]
    point = critical(own.chain.last)
    return {
        "layers": _layers(own.chain),
        "curves": curves,
        "critical": point and point._asdict(),
        "usual": listed,
        "best": listed[0],
    }


def _candidate(
    label: str, init: AnyScheme | None, recipe: Recipe, question: Question, limits: Limits
) -> _Candidate:
    recipe = recipe.model_copy(update={"include": None})
    with within("/recipe"):
        plan = compile(recipe, limits)
    chain = chain_of(question, recipe, plan, limits)
    theory = theory_of(chain, question.input.correlation)
    return _Candidate(
        label, init, _without_other_tensors(recipe, chain), chain, theory_curves(chain, theory)
    )


def _without_other_tensors(recipe: Recipe, chain: Chain) -> Recipe:
    """Return a recipe without the tensors outside its chain, and without the rules for them."""
    names = [part.tensor.name for link in chain.links for part in (link.weight, link.bias) if part]
    rules = [rule for rule in recipe.rules if any(map(matcher(rule.match), names))]
    return recipe.model_copy(update={"tensors": (), "rules": tuple(rules)})


def _compared(
    index: int, init: AnyScheme, own: _Candidate, question: Question, limits: Limits
) -> _Candidate:
    try:
        recipe = _with_init(own, init, _biases(init))
        return _candidate(_name(init), init, recipe, question, limits)
    except InvalidRecipe as error:
        problems = [Problem(f"/compare/{index}", each.detail) for each in error.problems]
        raise InvalidRecipe(problems[: limits.max_errors]) from None


def _biases(init: AnyScheme) -> AnyScheme:
    if isinstance(init, Critical):
        return Critical(init.nonlinearity, init.negative_slope, bias=True)
    return Zeros()


def _with_init(own: _Candidate, init: AnyScheme, bias_init: AnyScheme) -> Recipe:
    """Return a candidate's recipe with these inits for all weights and biases of its chain."""
    rules = [
        Rule.model_construct(match=part.tensor.name, init=scheme, dtype=None, fan=None)
        for link in own.chain.layers
        for part, scheme in ((link.weight, init), (link.bias, bias_init))
        if part
    ]
    return own.recipe.model_copy(update={"rules": (*own.recipe.rules, *rules)})


def _ranked(own: _Candidate, question: Question, limits: Limits) -> list[tuple[Usual, _Candidate]]:
    """Return the usual schemes with their candidates, best first.

    Raises:
        InvalidRecipe: No usual scheme fits these layers.
    """
    ranked: list[tuple[Usual, _Candidate]] = []
    refusals: list[InvalidRecipe] = []
    for each in usual(own.chain):
        recipe = _with_init(own, each.init, each.bias_init)
        try:
            ranked.append((each, _candidate(each.label, each.init, recipe, question, limits)))
        except InvalidRecipe as error:  # a scheme that does not fit is not recommended
            refusals.append(error)
    if not ranked:
        why = refusals[0].problems[0].detail
        raise InvalidRecipe([Problem("/recipe", f"no usual scheme fits these layers: {why}")])
    return sorted(ranked, key=lambda pair: _rank(pair[1].change))


def _rank(change: Change) -> tuple[bool, float]:
    return not change.trains, min(change.spread, _RANK_CAP) // _RANK_STEP


def _check_cost(question: Question, candidates: Sequence[_Candidate], limits: Limits) -> None:
    """Check that the measured passes stay within the limits.

    Raises:
        InvalidRecipe: A measured pass exceeds a limit.
    """
    if question.measure is None:
        return
    for candidate in candidates:
        passes = 2 * question.measure.seeds * len(candidates)
        over = over_limit(candidate.chain, question.measure.batch, passes, limits)
        if over:
            raise InvalidRecipe([Problem(f"/measure{over[0]}", over[1])])


def _curve(
    candidate: _Candidate,
    ranked: Sequence[tuple[Usual, _Candidate]],
    question: Question,
    weights_of: Callable[[Recipe], Weights],
) -> dict[str, Any]:
    measured = None
    if question.measure is not None:
        layers = measure(
            candidate.chain, candidate.recipe, question.measure, question.input, weights_of
        )
        measured = for_json(measured_curves(layers)) | question.measure.model_dump()
    change = candidate.change
    best, best_candidate = ranked[0]
    return {
        "label": candidate.label,
        "init": candidate.init and canonical(candidate.init),
        "theory": for_json(candidate.theory),
        "measured": measured,
        "verdict": verdict(
            change, len(candidate.chain.layers), (best.label, best_candidate.change)
        ),
        "trains": change.trains,
    }


def _listed(scheme: Usual, candidate: _Candidate) -> dict[str, Any]:
    spread = candidate.change.spread
    return {
        "label": scheme.label,
        "init": canonical(scheme.init),
        "bias_init": canonical(scheme.bias_init),
        "spread": spread if math.isfinite(spread) else None,
        "trains": candidate.change.trains,
    }


def _layers(chain: Chain) -> list[dict[str, Any]]:
    return [
        {
            "name": link.name,
            "type": link.type,
            "fan_in": link.fan_in,
            "fan_out": link.fan_out,
            "activation": activation.model_dump(exclude_none=True),
            "on_stream": is_on_stream,
        }
        for link, activation, is_on_stream in zip(
            chain.layers, chain.after, chain.on_stream, strict=True
        )
    ]


def _name(init: AnyScheme) -> str:
    """Return the longest alias of an init that starts with its scheme; else the scheme."""
    least, most = canonical(init).items(), asdict(init).items()
    names = [name for name, given in ALIASES.items() if least <= given.items() <= most]
    return max(
        (name for name in names if name.startswith(init.scheme)), key=len, default=init.scheme
    )
