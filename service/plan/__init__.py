"""Planning: a `Recipe` becomes a `Plan`, in which everything that can fail is resolved."""

from service.plan.compile import RecipeLike, compile, plan_of
from service.plan.explain import explain
from service.plan.grow import grow
from service.plan.model import Plan, PlannedTensor

__all__ = ["Plan", "PlannedTensor", "RecipeLike", "compile", "explain", "grow", "plan_of"]
