"""Recipes by their ids, and names whose revisions point to them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, Table, func, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from service.errors import RevisionConflict, UnknownRecipe, truncate
from service.registry.database import Database
from service.registry.schema import DIGESTS, LARGEST, RECIPES, REVISIONS

WAIT = 5.0
"""Seconds to wait for a connection, a response or a lock."""

_INSERT: dict[str, Callable[[Table], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision of a name: the recipe that it points to.

    Args:
        namespace: Namespace of the name.
        name: Name in the namespace.
        number: From 1, without gaps.
        recipe_id: Id of the recipe.
        created: When it was created, in UTC.
    """

    namespace: str
    name: str
    number: int
    recipe_id: str
    created: datetime


class Registry:
    """Recipes, names and digests in a database; one for all threads of a process.

    Rows are only added, never changed or deleted, so every call can be repeated after a failure.
    The database is opened at the first call, and again after it was unavailable. Every method
    raises `RegistryUnavailable` if it does not respond.

    Args:
        url: ``sqlite:////folder/file`` or ``postgresql://user:password@host/database``.
        wait: Seconds to wait for a connection, a response or a lock.

    Raises:
        ValueError: The URL names no such database, or its driver is not installed.
    """

    def __init__(self, url: str, *, wait: float = WAIT) -> None:
        self._database = Database(url, wait)

    def put_recipe(self, recipe_id: str, text: bytes) -> bool:
        """Store a recipe durably; return whether it is new."""
        if self._has_recipe(recipe_id):
            return False
        return self._add(RECIPES, id=recipe_id, text=text, created=datetime.now(UTC))

    def recipe(self, recipe_id: str) -> bytes | None:
        """Return the text of a recipe, byte for byte as it was stored."""
        text: bytes | None = self._first(select(RECIPES.c.text).where(RECIPES.c.id == recipe_id))
        return text

    def point(self, namespace: str, name: str, recipe_id: str) -> tuple[Revision, bool]:
        """Point a name to a recipe; return its latest revision, and whether it is new.

        Raises:
            UnknownRecipe: The recipe is not stored.
            RevisionConflict: Another writer made the next revision, with another recipe.
        """
        latest = self.revision(namespace, name)
        if latest is not None and latest.recipe_id == recipe_id:
            return latest, False
        if not self._has_recipe(recipe_id):
            raise UnknownRecipe(f"no recipe {truncate(recipe_id)} is stored here")
        number = 1 if latest is None else latest.number + 1
        revision = Revision(namespace, name, number, recipe_id, datetime.now(UTC))
        if self._add(REVISIONS, **asdict(revision)):
            return revision, True
        # The primary key decides between concurrent writers: the number of the second is taken.
        existing = self.revision(namespace, name, number)
        if existing is not None and existing.recipe_id == recipe_id:
            return existing, False
        raise RevisionConflict(
            f"another writer made revision {number} of {truncate(f'{namespace}/{name}')}"
        )

    def revision(self, namespace: str, name: str, number: int | None = None) -> Revision | None:
        """Return a revision of a name, the latest one if no number is given."""
        query = _history(namespace, name).limit(1)
        if number is not None:
            query = query.where(REVISIONS.c.number == min(number, LARGEST))
        return next(iter(self._revisions(query)), None)

    def revision_of(self, namespace: str, name: str, prefix: str) -> Revision | None:
        """Return the newest revision of a name whose recipe's id has the prefix."""
        matches = func.substr(REVISIONS.c.recipe_id, 1, len(prefix)) == prefix
        query = _history(namespace, name).where(matches).limit(1)
        return next(iter(self._revisions(query)), None)

    def revisions(
        self, namespace: str, name: str, *, before: int | None = None, limit: int
    ) -> list[Revision]:
        """Return revisions of a name, newest first.

        Args:
            namespace: Namespace of the name.
            name: Name in the namespace.
            before: Only those with smaller numbers.
            limit: Most revisions to return.
        """
        query = _history(namespace, name).limit(limit)
        if before is not None:
            query = query.where(REVISIONS.c.number < min(before, LARGEST))
        return self._revisions(query)

    def names(
        self,
        *,
        namespace: str | None = None,
        after: tuple[str, str] | None = None,
        limit: int,
    ) -> list[Revision]:
        """Return the latest revision of each name, by namespace and name in code point order.

        Args:
            namespace: Only names in it.
            after: Only names after this namespace and name.
            limit: Most names to return.
        """
        columns = REVISIONS.c.namespace, REVISIONS.c.name
        newest = select(*columns, func.max(REVISIONS.c.number)).group_by(*columns)
        if namespace is not None:
            newest = newest.where(REVISIONS.c.namespace == _without_nul(namespace))
        if after is not None:
            newest = newest.where(
                tuple_(*columns) > (_without_nul(after[0]), _without_nul(after[1]))
            )
        keys = newest.order_by(*columns).limit(limit).subquery()
        chosen = tuple_(*columns, REVISIONS.c.number).in_(select(keys))
        return self._revisions(select(REVISIONS).where(chosen).order_by(*columns))

    def digest(self, key: str) -> str | None:
        """Return the document stored under a key."""
        document: str | None = self._first(select(DIGESTS.c.document).where(DIGESTS.c.key == key))
        return document

    def keep_digest(self, key: str, document: str) -> None:
        """Store a document under a key, unless there is one already."""
        if self.digest(key) is None:
            self._add(DIGESTS, key=key, document=document)

    def close(self) -> None:
        """Close the connections; a later call opens the database again."""
        self._database.close()

    def _has_recipe(self, recipe_id: str) -> bool:
        found = select(RECIPES.c.id).where(RECIPES.c.id == recipe_id)
        return self._first(found) is not None

    def _first(self, query: Select[Any]) -> Any:
        with self._database.begin() as connection:
            return connection.scalar(query)

    def _add(self, table: Table, **values: object) -> bool:
        """Insert and commit a row; return whether it is new."""
        with self._database.begin() as connection:
            row = _INSERT[connection.dialect.name](table).values(**values).on_conflict_do_nothing()
            counted = connection.execute(row, execution_options={"preserve_rowcount": True})
            return counted.rowcount == 1

    def _revisions(self, query: Select[Any]) -> list[Revision]:
        with self._database.begin() as connection:
            rows = connection.execute(query).all()
        return [
            Revision(namespace, name, number, recipe_id, _utc(created))
            for namespace, name, number, recipe_id, created in rows
        ]


def _history(namespace: str, name: str) -> Select[Any]:
    return (
        select(REVISIONS)
        .where(
            REVISIONS.c.namespace == _without_nul(namespace), REVISIONS.c.name == _without_nul(name)
        )
        .order_by(REVISIONS.c.number.desc())
    )


def _utc(time: datetime) -> datetime:
    """Return a time in UTC. SQLite returns times without a zone, PostgreSQL in its session's."""
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _without_nul(word: str) -> str:
    """Replace NUL, which PostgreSQL does not accept, by U+0001, which also sorts before names."""
    return word.replace("\0", "\x01")
