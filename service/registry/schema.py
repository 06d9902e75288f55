"""The tables. A change increments `VERSION`, so that no release misreads another's data.

A recipe's text is stored as bytes, because its id is a hash of exactly these bytes and a database
with another encoding would convert text. All other text is compared by code point in both
databases; SQLite does so by default.
"""

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

VERSION = 1
"""The version of the schema that this release reads and writes."""

LARGEST = 2**31 - 1
"""The largest integer of a column, in both databases."""

METADATA = MetaData()

_TEXT = String().with_variant(String(collation="C"), "postgresql")
_TIMESTAMP = DateTime(timezone=True)

SCHEMA = Table(
    "tensorseed_schema",
    METADATA,
    Column("version", Integer, primary_key=True, autoincrement=False),
)

RECIPES = Table(
    "recipes",
    METADATA,
    Column("id", _TEXT, primary_key=True),
    Column("text", LargeBinary, nullable=False),
    Column("created", _TIMESTAMP, nullable=False),
)

REVISIONS = Table(
    "revisions",
    METADATA,
    Column("namespace", _TEXT, primary_key=True),
    Column("name", _TEXT, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("recipe_id", _TEXT, ForeignKey(RECIPES.c.id), nullable=False),
    Column("created", _TIMESTAMP, nullable=False),
)

DIGESTS = Table(
    "digests",
    METADATA,
    Column("key", _TEXT, primary_key=True),
    Column("document", Text, nullable=False),
)
