"""The wire language: strict JSON to a frozen `Recipe`. What it means is the plan's matter."""

from service.recipe.model import Recipe
from service.recipe.parse import parse

__all__ = ["Recipe", "parse"]
