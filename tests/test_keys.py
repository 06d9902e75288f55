"""Keys: only the right key is accepted, and malformed entries are reported without their text."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.keys import SCOPES, Keys, create_key

KEY, ENTRY = create_key("ci", ["read", "generate"])
HASH = ENTRY.split()[2]


def test_key_is_not_found_by_its_entry() -> None:
    other, other_entry = create_key("lab", SCOPES)
    keys = Keys(["# who", "", ENTRY, f"  {other_entry}  # the lab's"])
    assert keys
    found = keys.find(KEY)
    assert found is not None
    assert (found.name, found.scopes) == ("ci", frozenset({"generate", "read"}))
    lab = keys.find(other)
    assert lab is not None
    assert lab.name == "lab"


@pytest.mark.parametrize(
    "presented", ["", KEY[:-1], KEY + "x", KEY.upper(), HASH, ENTRY, "é", "\0"], ids=range(8)
)
def test_other_text_is_a_key(presented: str) -> None:
    assert Keys([ENTRY]).find(presented) is None
    assert Keys([]).find(presented) is None


def test_two_keys_are_alike() -> None:
    assert len({create_key("a", ["read"])[0] for _ in range(100)}) == 100
    assert len(KEY) >= 43


@pytest.mark.parametrize(
    "line",
    [
        KEY,
        f"ci {HASH}",
        f"ci read {HASH[:-1]}",
        f"ci read {HASH.upper()}",
        f"ci admin {HASH}",
        f"ci read, {HASH}",
        f"two words read {HASH}",
        f"ci\tread\t{HASH}",
        f"{'n' * 65} read {HASH}",
    ],
    ids=range(9),
)
def test_line_that_is_no_entry_is_taken_or_repeated(line: str) -> None:
    with pytest.raises(ValueError, match="key 2 is not written as") as refused:
        Keys([ENTRY, line])
    assert HASH[:20] not in str(refused.value)
    assert KEY not in str(refused.value)


@pytest.mark.parametrize(("name", "scopes"), [("a b", ["read"]), ("", ["read"]), ("a", ["all"])])
def test_entry_that_is_none_is_made(name: str, scopes: list[str]) -> None:
    with pytest.raises(ValueError, match="not written as"):
        create_key(name, scopes)


@given(st.text(max_size=90))
def test_any_text_breaks_the_reader(text: str) -> None:
    with suppress(ValueError):
        assert Keys([text]).find("x") is None
