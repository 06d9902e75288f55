"""Compiles a `Recipe` into a `Plan`. Every error in a recipe is found here."""

from service.plan.compile import RecipeLike, compile, plan_of
from service.plan.explain import explain
from service.plan.grow import grow
from service.plan.model import Plan, PlannedTensor

__all__ = ["Plan", "PlannedTensor", "RecipeLike", "compile", "explain", "grow", "plan_of"]
