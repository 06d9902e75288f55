"""Named recipes, in SQLite for one server or in PostgreSQL for many.

`Registry` is all that others use. ``database.py`` opens either database once and makes its troubles
one error; ``sqlite.py`` and ``postgres.py`` have what differs between them.
"""

from service.registry.registry import Registry, Revision

__all__ = ["Registry", "Revision"]
