"""From a request to its response: the curves of a recipe, and of other inits for comparison."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from service.analysis.chain import Chain
from service.analysis.critical import critical
from service.analysis.curves import measured_curves, theory_curves, written
from service.analysis.links import chain_of
from service.analysis.measure import excess, measured
from service.analysis.network import Weights
from service.analysis.question import Question, ask, within
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

_EQUAL, _MOST = 1.0, 1e6
"""Of ln q: spreads that differ by less than the one, or pass the other, are ranked as listed."""


@dataclass(frozen=True)
class _Candidate:
    """A chain with one init.

    Args:
        label: Its name.
        init: The init; None is the recipe's own.
        recipe: The recipe with this init.
        chain: The chain of the recipe.
        theory: The chain's curves.
    """

    label: str
    init: AnyScheme | None
    recipe: Recipe
    chain: Chain
    theory: dict[str, Any]

    @property
    def change(self) -> Change:
        """How it changes signals and gradients."""
        return change_of(self.theory, self.chain.on_stream)


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def analyse(text: bytes, limits: Limits, pipeline: Pipeline) -> dict[str, Any]:
    """Return the body of the response to ``POST /v1/analysis``.

    Args:
        text: The request, JSON.
        limits: The limits.
        pipeline: Computes the weights of a measured pass.

    Raises:
        RecipeTooLarge: More text than ``max_body_bytes``.
        MalformedRecipe: Not strict JSON.
        InvalidRecipe: It cannot be carried out, or exceeds a limit.
    """
    asked, recipe = ask(Question, text, limits)
    own = _candidate("recipe", None, recipe, asked, limits)
    compared = [
        _compared(index, init, own, asked, limits) for index, init in enumerate(asked.compare)
    ]
    _check_cost(asked, [own, *compared], limits)
    rivals = _ranked(own, asked, limits)
    curves = [
        _curve(each, rivals, asked, lambda made: Weights(compile(made, limits), pipeline))
        for each in (own, *compared)
    ]
    listed = [_listed(name, rival) for name, rival in rivals]
    found = critical(own.chain.last)
    return {
        "layers": _layers(own.chain),
        "curves": curves,
        "critical": found and found._asdict(),
        "usual": listed,
        "best": listed[0],
    }


def _candidate(
    label: str, init: AnyScheme | None, recipe: Recipe, asked: Question, limits: Limits
) -> _Candidate:
    whole = recipe.model_copy(update={"include": None})
    with within("/recipe"):
        plan = compile(whole, limits)
    chain = chain_of(asked, whole, plan, limits)
    theory = theory_of(chain, asked.input.correlation)
    return _Candidate(label, init, _bare(whole, chain), chain, theory_curves(chain, theory))


def _bare(recipe: Recipe, chain: Chain) -> Recipe:
    """Return a recipe without tensors outside its chain, and without rules for those only."""
    held = [part.tensor.name for link in chain.links for part in (link.weight, link.bias) if part]
    rules = [rule for rule in recipe.rules if any(map(matcher(rule.match), held))]
    return recipe.model_copy(update={"tensors": (), "rules": tuple(rules)})


def _compared(
    index: int, init: AnyScheme, own: _Candidate, asked: Question, limits: Limits
) -> _Candidate:
    try:
        made = _with_init(own, init, _biases(init))
        return _candidate(_name(init), init, made, asked, limits)
    except InvalidRecipe as error:
        problems = [Problem(f"/compare/{index}", each.detail) for each in error.problems]
        raise InvalidRecipe(problems[: limits.max_errors]) from None


def _biases(init: AnyScheme) -> AnyScheme:
    if isinstance(init, Critical):
        return Critical(init.nonlinearity, init.negative_slope, bias=True)
    return Zeros()


def _with_init(own: _Candidate, init: AnyScheme, bias_init: AnyScheme) -> Recipe:
    """Return a candidate's recipe with other inits for all weights and biases of its chain."""
    rules = [
        Rule.model_construct(match=held.tensor.name, init=scheme, dtype=None, fan=None)
        for link in own.chain.layers
        for held, scheme in ((link.weight, init), (link.bias, bias_init))
        if held
    ]
    return own.recipe.model_copy(update={"rules": (*own.recipe.rules, *rules)})


def _ranked(own: _Candidate, asked: Question, limits: Limits) -> list[tuple[Usual, _Candidate]]:
    """Return the usual schemes with their curves, best first.

    Raises:
        InvalidRecipe: None of them fits these layers.
    """
    rivals: list[tuple[Usual, _Candidate]] = []
    refusals: list[InvalidRecipe] = []
    for each in usual(own.chain):
        recipe = _with_init(own, each.init, each.bias_init)
        try:
            rivals.append((each, _candidate(each.label, each.init, recipe, asked, limits)))
        except InvalidRecipe as error:  # a scheme that does not fit is not recommended
            refusals.append(error)
    if not rivals:
        why = refusals[0].problems[0].detail
        raise InvalidRecipe([Problem("/recipe", f"no usual scheme suits these layers: {why}")])
    return sorted(rivals, key=lambda rival: _rank(rival[1].change))


def _rank(change: Change) -> tuple[bool, float]:
    return not change.trains, min(change.spread, _MOST) // _EQUAL


def _check_cost(asked: Question, candidates: Sequence[_Candidate], limits: Limits) -> None:
    """Refuse a measured pass that would take too long.

    Raises:
        InvalidRecipe: It would.
    """
    if asked.measure is None:
        return
    for candidate in candidates:
        ways = 2 * asked.measure.seeds * len(candidates)
        found = excess(candidate.chain, asked.measure.batch, ways, limits)
        if found:
            raise InvalidRecipe([Problem(f"/measure{found[0]}", found[1])])


def _curve(
    candidate: _Candidate,
    rivals: Sequence[tuple[Usual, _Candidate]],
    asked: Question,
    weights_of: Callable[[Recipe], Weights],
) -> dict[str, Any]:
    found = None
    if asked.measure is not None:
        layers = measured(candidate.chain, candidate.recipe, asked.measure, asked.input, weights_of)
        found = written(measured_curves(layers)) | asked.measure.model_dump()
    change = candidate.change
    best, theirs = rivals[0]
    return {
        "label": candidate.label,
        "init": candidate.init and canonical(candidate.init),
        "theory": written(candidate.theory),
        "measured": found,
        "verdict": verdict(change, len(candidate.chain.layers), (best.label, theirs.change)),
        "trains": change.trains,
    }


def _listed(name: Usual, candidate: _Candidate) -> dict[str, Any]:
    spread = candidate.change.spread
    return {
        "label": name.label,
        "init": canonical(name.init),
        "bias_init": canonical(name.bias_init),
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
    """Return the short name of an init; its scheme if it has none."""
    least, most = canonical(init).items(), asdict(init).items()
    names = [name for name, given in ALIASES.items() if least <= given.items() <= most]
    return max(
        (name for name in names if name.startswith(init.scheme)), key=len, default=init.scheme
    )
