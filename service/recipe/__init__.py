"""The wire language: strict JSON is parsed to a frozen `Recipe`, which the plan interprets."""

from service.recipe.model import Recipe
from service.recipe.parse import document_of, parse

__all__ = ["Recipe", "document_of", "parse"]
