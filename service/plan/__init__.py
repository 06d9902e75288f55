"""Planning: a `Recipe` to a `Plan`, in which everything that can fail is resolved."""

from service.plan.compile import compile
from service.plan.explain import explain
from service.plan.grow import grown
from service.plan.model import Plan, PlannedTensor, Region

__all__ = ["Plan", "PlannedTensor", "Region", "compile", "explain", "grown"]
