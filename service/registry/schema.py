"""The tables. Whoever changes them raises `VERSION`, so that no release misreads another's.

A recipe's text is kept as bytes. They come back as they were given, whatever encoding the database
was made with; its id is a hash of exactly these bytes, and neither database compares or converts
them. All other text is compared by code point in both: SQLite does so by itself.
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
"""What this release reads and writes."""

LARGEST = 2**31 - 1
"""The largest number that the databases hold in a column of integers."""

METADATA = MetaData()

_WORD = String().with_variant(String(collation="C"), "postgresql")
_MOMENT = DateTime(timezone=True)

SCHEMA = Table(
    "tensorseed_schema",
    METADATA,
    Column("version", Integer, primary_key=True, autoincrement=False),
)

RECIPES = Table(
    "recipes",
    METADATA,
    Column("id", _WORD, primary_key=True),
    Column("text", LargeBinary, nullable=False),
    Column("created", _MOMENT, nullable=False),
)

REVISIONS = Table(
    "revisions",
    METADATA,
    Column("namespace", _WORD, primary_key=True),
    Column("name", _WORD, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("recipe_id", _WORD, ForeignKey(RECIPES.c.id), nullable=False),
    Column("created", _MOMENT, nullable=False),
)

DIGESTS = Table(
    "digests",
    METADATA,
    Column("key", _WORD, primary_key=True),
    Column("document", Text, nullable=False),
)
