"""Stored recipes and names, in SQLite for one server or in PostgreSQL for many.

Other folders use `Registry` only. ``database.py`` opens either database once and converts its
errors to one; ``sqlite.py`` and ``postgres.py`` have the differences between them.
"""

from service.registry.registry import Registry, Revision

__all__ = ["Registry", "Revision"]
