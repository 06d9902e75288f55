"""The wire language: strict JSON is parsed to a frozen `Recipe`. Planning gives it a meaning."""

from service.recipe.model import Recipe
from service.recipe.parse import document_of, parse

__all__ = ["Recipe", "document_of", "parse"]
