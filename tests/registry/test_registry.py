"""Recipes, names, revisions and digests in the registry, and queries for them."""

import json
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.errors import RegistryUnavailable, UnknownRecipe
from service.registry import Registry
from tests.registry.postgres import Postgres
from tests.registry.writer import put

ODD = json.dumps({"é": "ü 漢字 😀 '\"\\ %s :x \0"}, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "text", [b"{}", ODD, b"\x00\xff", b"x" * 2**20], ids=["short", "odd", "binary", "long"]
)
def test_text_comes_back_changed(registry: Registry, text: bytes) -> None:
    assert registry.recipe("0" * 64) is None
    assert registry.put_recipe("0" * 64, text)
    assert registry.recipe("0" * 64) == text
    assert registry.recipe("1" * 64) is None


def test_recipe_is_new_twice(registry: Registry) -> None:
    assert registry.put_recipe("0" * 64, b"{}")
    assert not registry.put_recipe("0" * 64, b"{}")


def test_name_points_at_nothing(registry: Registry) -> None:
    with pytest.raises(UnknownRecipe, match="aaa"):
        registry.point("lab", "model", "a" * 64)
    assert registry.revision("lab", "model") is None
    assert registry.names(limit=10) == []


def test_same_recipe_makes_a_revision(registry: Registry) -> None:
    first, second = put(registry, b"1"), put(registry, b"2")
    made, is_new = registry.point("lab", "model", first)
    assert (made.namespace, made.name, made.number, is_new) == ("lab", "model", 1, True)
    assert registry.point("lab", "model", first) == (made, False)
    assert registry.point("lab", "model", second)[0].number == 2
    assert (
        registry.point("lab", "model", first)[0].number == 3
    )  # a return to the first recipe is a new revision


def test_time_has_another_zone_or_changes(registry: Registry) -> None:
    made, _ = registry.point("lab", "model", put(registry, b"1"))
    read = registry.revision("lab", "model")
    assert read == made
    assert read.created.tzinfo is UTC
    assert abs(datetime.now(UTC) - read.created) < timedelta(minutes=1)


def test_time_is_that_of_the_servers_zone(
    postgres: Postgres, opened: Callable[..., Registry]
) -> None:
    registry = opened(f"{postgres.database()}&options=-cTimeZone=Asia/Kathmandu")
    made, _ = registry.point("lab", "model", put(registry, b"1"))
    assert registry.revision("lab", "model") == made


def test_history_is_lost_or_in_disorder(registry: Registry) -> None:
    ids = [put(registry, b"%d" % number) for number in range(5)]
    made = [registry.point("lab", "model", each)[0] for each in ids]
    assert [each.number for each in made] == [1, 2, 3, 4, 5]
    assert registry.revision("lab", "model") == made[4]
    assert [registry.revision("lab", "model", n) for n in (0, 2, 6)] == [None, made[1], None]
    assert registry.revisions("lab", "model", limit=2) == [made[4], made[3]]
    assert registry.revisions("lab", "model", before=4, limit=2) == [made[2], made[1]]
    assert registry.revisions("lab", "model", before=1, limit=2) == []
    assert registry.revisions("lab", "other", limit=2) == []
    assert registry.revision_of("lab", "model", ids[1][:24]) == made[1]
    assert registry.revision_of("lab", "other", ids[1][:24]) is None
    assert registry.revision_of("lab", "model", "%") is None


def test_prefix_finds_an_older_revision(registry: Registry) -> None:
    ids = [put(registry, b"1"), put(registry, b"2")]
    for number in range(5):
        registry.point("lab", "model", ids[number % 2])
    found = registry.revision_of("lab", "model", ids[0][:24])
    assert found is not None
    assert found.number == 5


NAMES = [("lab", "B"), ("Lab", "z"), ("lab", "a"), ("lab", "A"), ("lab", "a.b"), ("lab", "a-b")]
NAMES += [("lab", "a_b"), ("lab-2", "x"), ("lab", "aB"), ("lab", "ab"), ("lab", "9"), ("LAB", "z")]


def check_order(registry: Registry) -> None:
    ids = [put(registry, b"1"), put(registry, b"2")]
    for recipe_id in ids:
        for name in NAMES:
            registry.point(*name, recipe_id)
    paged: list[tuple[str, str]] = []
    while page := registry.names(after=paged[-1] if paged else None, limit=5):
        assert all((each.number, each.recipe_id) == (2, ids[1]) for each in page)
        paged += [(each.namespace, each.name) for each in page]
    assert paged == sorted(NAMES)
    own = registry.names(namespace="lab", after=("lab", "a"), limit=100)
    wanted = sorted(name for space, name in NAMES if space == "lab" and name > "a")
    assert [each.name for each in own] == wanted


def test_names_are_in_disorder_or_one_is_on_no_page(registry: Registry) -> None:
    check_order(registry)


def test_names_sort_as_the_language_of_the_database_does(
    postgres: Postgres, opened: Callable[..., Registry]
) -> None:
    import psycopg

    try:
        url = postgres.database("TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'")
    except psycopg.Error as error:
        pytest.skip(f"this PostgreSQL has no ICU collations: {error}")
    check_order(opened(url))


def test_question_that_nothing_can_answer_breaks_it(registry: Registry) -> None:
    registry.point("lab", "model", put(registry, b"1"))
    assert registry.revision("lab", "model", 10**30) is None
    assert len(registry.revisions("lab", "model", before=10**30, limit=1)) == 1
    assert registry.revision("lab\0", "model") is None
    assert registry.names(namespace="\0", limit=1) == []
    assert len(registry.names(after=("lab\0", ""), limit=1)) == 0
    assert len(registry.names(after=("la\0", ""), limit=1)) == 1


def test_second_digest_replaces_the_first(registry: Registry) -> None:
    assert registry.digest("p1-0") is None
    registry.keep_digest("p1-0", '{"ü": 1}')
    registry.keep_digest("p1-0", "other")
    assert registry.digest("p1-0") == '{"ü": 1}'


def test_closed_registry_forgets(registry: Registry, url: str) -> None:
    recipe_id = put(registry, b"1")
    registry.close()
    assert registry.recipe(recipe_id) == b"1"
    registry.close()
    registry.close()


def test_making_a_registry_opens_its_database(tmp_path: Path) -> None:
    Registry(f"sqlite:///{tmp_path}/data/registry.sqlite").close()
    assert not (tmp_path / "data").exists()
    pytest.importorskip("psycopg")
    Registry("postgresql://nobody@nowhere.invalid/db").close()


def test_others_can_read_the_folder_or_a_power_failure_undoes(
    tmp_path: Path, opened: Callable[..., Registry]
) -> None:
    registry = opened(f"sqlite:///{tmp_path}/a/b/registry.sqlite")
    put(registry, b"1")
    assert stat.S_IMODE((tmp_path / "a/b").stat().st_mode) == 0o700
    with registry._database.begin() as connection:
        ask = connection.exec_driver_sql
        assert ask("PRAGMA journal_mode").scalar() == "wal"
        assert ask("PRAGMA synchronous").scalar() == 2
        assert ask("PRAGMA foreign_keys").scalar() == 1


def test_tables_of_another_release_are_misread(
    registry: Registry, url: str, opened: Callable[..., Registry]
) -> None:
    put(registry, b"1")
    with registry._database.begin() as connection:
        connection.exec_driver_sql("UPDATE tensorseed_schema SET version = 7")
    other = opened(url)
    for _ in range(2):
        with pytest.raises(RegistryUnavailable, match="schema 7, and this release needs 1"):
            other.recipe("0" * 64)


def test_tables_of_somebody_else_are_taken(opened: Callable[..., Registry], tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "theirs.sqlite") as theirs:
        theirs.execute("CREATE TABLE recipes (id TEXT, text TEXT, created TEXT)")
    theirs.close()
    with pytest.raises(RegistryUnavailable, match="recipes already exists"):
        opened(f"sqlite:///{tmp_path}/theirs.sqlite").recipe("0" * 64)


def test_library_loads_a_database() -> None:
    program = (
        "import sys, service; assert 'sqlalchemy' not in sys.modules;"
        "import service.registry; assert 'psycopg' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
