"""Planning: a `Recipe` becomes a `Plan`, in which everything that can fail is resolved."""

from service.plan.compile import compile
from service.plan.explain import explain
from service.plan.grow import grow
from service.plan.model import Plan, PlannedTensor

__all__ = ["Plan", "PlannedTensor", "compile", "explain", "grow"]
