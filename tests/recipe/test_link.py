"""Links: decoding returns the recipe that was encoded, or raises."""

import base64
import string
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import service
from service.errors import UnreadableLink
from service.recipe.link import MAX_LINK, link_of, text_of
from tests.plan.test_layout import recipes
from tests.support import recipe_of, tensor

ALPHABET = string.ascii_letters + string.digits + "-_"
RECIPE = service.parse(recipe_of(tensor(), tensor("ones", [3], "名")))
LINK = str(link_of(RECIPE))


def packed(text: bytes) -> str:
    return base64.urlsafe_b64encode(zlib.compress(text, 9)).decode().rstrip("=")


@given(recipes())
def test_link_holds_another_recipe(recipe: dict[str, Any]) -> None:
    parsed = service.parse(recipe)
    link = link_of(parsed)
    assert link is not None
    assert set(link) <= set(ALPHABET)
    assert text_of(link) == parsed.canonical
    assert service.parse(text_of(link)).recipe_id == parsed.recipe_id


@pytest.mark.parametrize("end", range(len(LINK)))
def test_link_that_was_cut_is_read(end: int) -> None:
    with pytest.raises(UnreadableLink, match="truncated or changed"):
        text_of(LINK[:end])


@given(st.integers(0, len(LINK) - 1), st.sampled_from(ALPHABET))
def test_link_that_was_changed_holds_another_recipe(at: int, letter: str) -> None:
    """Except for the last letter, whose lowest bits may not belong to any byte."""
    changed = LINK[:at] + letter + LINK[at + 1 :]
    try:
        assert text_of(changed) == RECIPE.canonical
    except UnreadableLink:
        return
    assert changed == LINK or at == len(LINK) - 1


@given(st.text(max_size=40))
def test_what_is_no_link_raises_something_else(link: str) -> None:
    with pytest.raises(UnreadableLink):
        text_of(link)


@pytest.mark.parametrize("more", ["\n", " ", "=", "==", "====", "é", "+", "%", "\0", "\ud800"])
def test_letter_that_is_none_of_a_links_is_dropped(more: str) -> None:
    for changed in (LINK + more, more + LINK, LINK[:8] + more + LINK[8:]):
        try:
            assert text_of(changed) == RECIPE.canonical
        except UnreadableLink:
            continue
        assert set(more) == {"="}  # base64 padding, which a client may add
        assert changed.startswith(LINK)


@pytest.mark.parametrize("more", ["AAAA", LINK, "AAAAAAAAAAAAAAAA"])
def test_letters_behind_a_link_are_dropped(more: str) -> None:
    whole = packed(RECIPE.canonical + b" " * (-len(zlib.compress(RECIPE.canonical, 9)) % 3))
    with pytest.raises(UnreadableLink):
        text_of(whole + more)


def test_small_link_unpacks_to_much() -> None:
    """The longest link has three thousand bytes, which expand at most a thousandfold."""
    bomb = packed(b" " * 3_100_000)
    assert len(bomb) <= MAX_LINK
    assert len(text_of(bomb)) == 3_100_000
    raised = packed(b" " * 10**8)
    with pytest.raises(UnreadableLink, match=str(MAX_LINK)):
        text_of(raised)


def test_link_beyond_the_limit_is_given_or_read() -> None:
    longest = None
    for count in range(1, 400):
        recipe = service.parse(
            recipe_of(*(tensor(shape=[i, i * i], name=f"{i * 7919:x}") for i in range(count)))
        )
        link = link_of(recipe)
        if link is None:
            break
        longest = link
        assert len(link) <= MAX_LINK
    assert longest is not None
    assert len(longest) > MAX_LINK * 0.9
    assert link_of(recipe) is None
    with pytest.raises(UnreadableLink, match=f"{MAX_LINK} characters, not"):
        text_of(packed(recipe.canonical))


def test_same_recipe_has_two_links() -> None:
    spelt = {"tensors": [{"shape": [7], "name": "w", "init": {"std": 2e-2, "scheme": "normal"}}]}
    given_as = [
        recipe_of(tensor()),
        spelt | {"seed": "0"},
        spelt | {"seed": 0, "dtype": "F32", "metadata": {}},
    ]
    assert len({link_of(service.parse(recipe)) for recipe in given_as}) == 1
