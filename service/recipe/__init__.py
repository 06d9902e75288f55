"""The wire language: strict JSON to a frozen `Recipe`. What it means is the plan's matter."""

from service.recipe.model import Recipe
from service.recipe.parse import document_of, parse

__all__ = ["Recipe", "document_of", "parse"]
