"""Applies the recipe's rules and include to its tensors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from service.catalogue.schemes import Scheme
from service.catalogue.tensor import StatedFan, Tensor
from service.catalogue.weight import View
from service.numerics.fans import Fans
from service.plan.diagnostics import Diagnostics
from service.plan.patterns import matching, select
from service.recipe.model import Recipe, Rule

Value = TypeVar("Value")


@dataclass(slots=True)
class TensorRequest:
    """A tensor that the recipe requests, and what rules set for it.

    Args:
        tensor: The tensor as stated in the recipe, or as expanded from a layer or model.
        pointer: JSON Pointer to the tensor, or to the layer or model that it comes from.
        view: The drawn tensor that it is a view of; None if it is drawn in its own order.
        is_raw: Whether ``pointer`` points to the tensor itself.
        rule_init: The init of the last rule that sets one, with the JSON Pointer to it.
        rule_dtype: The dtype of the last rule that sets one.
        rule_fan: The fans of the last rule that sets them.
    """

    tensor: Tensor
    pointer: str
    view: View | None = None
    is_raw: bool = True
    rule_init: tuple[Scheme, str] | None = None
    rule_dtype: str | None = None
    rule_fan: StatedFan | None = None

    @property
    def drawn(self) -> Tensor:
        """The drawn tensor, which has the random stream, the fans and the inits."""
        return self.view.tensor if self.view else self.tensor

    def pointer_to(self, field: str) -> str:
        """Return the pointer to a field of the tensor, or to the layer or model it comes from."""
        return f"{self.pointer}/{field}" if self.is_raw else self.pointer

    def apply(self, rule: Rule, pointer: str) -> None:
        """Apply the rule at ``pointer``; it overrides earlier rules."""
        if rule.init is not None:
            self.rule_init = (rule.init, f"{pointer}/init")
        self.rule_dtype = rule.dtype or self.rule_dtype
        self.rule_fan = rule.fan or self.rule_fan

    def dtype(self, recipe: Recipe) -> str:
        """Return the name of the dtype. Rules do not change I64."""
        if self.tensor.dtype == "I64":
            return "I64"
        return self.rule_dtype or self.tensor.dtype or recipe.dtype

    def fan(self, own: StatedFan | None = None) -> Fans | None:
        """Return the stated fans: those of a rule, else those of the part, else the tensor's."""
        stated = self.rule_fan or own or self.drawn.fan
        return stated.fans() if stated else None


def apply_rules(recipe: Recipe, requests: list[TensorRequest], diagnostics: Diagnostics) -> None:
    """Apply the recipe's rules to ``requests`` in order; the last match wins."""
    patterns = [*(rule.match for rule in recipe.rules), *(recipe.include or ())]
    diagnostics.check_matches("/rules", patterns, len(requests))
    by_name = {request.tensor.name: request for request in requests}
    for index, rule in enumerate(recipe.rules):
        for request in matching(rule.match, by_name, f"/rules/{index}/match", diagnostics):
            request.apply(rule, f"/rules/{index}")


def apply_include(
    recipe: Recipe, by_name: Mapping[str, Value], diagnostics: Diagnostics
) -> list[Value]:
    """Return the values whose names the recipe includes, in the order of ``by_name``."""
    if recipe.include is None:
        return list(by_name.values())
    if not recipe.include:
        diagnostics.add("/include", "the list is empty: leave include out to include every tensor")
    return select(recipe.include, by_name, diagnostics)
