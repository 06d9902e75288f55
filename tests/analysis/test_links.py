"""Invalid requests: each error has its pointer, and is found before any long computation."""

from typing import Any

import pytest

import service
from service.analysis import analyse
from service.analysis.links import branch_of
from tests.analysis.support import (
    LIMITS,
    PIPELINE,
    analysed,
    calibrated,
    conv,
    dense,
    norm,
    recipe_of,
    refused,
    request_of,
)

PLAIN = recipe_of(dense(3, 8))
INVALID: list[tuple[str, dict[str, Any], str, str]] = [
    ("activation", {"activation": "rely"}, "/activation", "Input should be 'linear'"),
    ("a list", {"activation": ["relu", "tahn", "relu"]}, "/activation/1", "'tanh'"),
    ("too few", {"activation": ["relu"]}, "/activation", "1 activations for 3 layers"),
    ("none", {"activation": []}, "/activation", "at least 1"),
    ("a slope", {"activation": {"name": "tanh", "negative_slope": 0.1}}, "/activation",
     "belongs to leaky_relu"),
    ("steep", {"activation": {"name": "leaky_relu", "negative_slope": 2}},
     "/activation/negative_slope", "less than or equal to 1"),
    ("scale", {"residual_scale": -1}, "/residual_scale", "greater than or equal to 0"),
    ("text", {"residual_scale": "1"}, "/residual_scale", "number"),
    ("variance", {"input": {"variance": 0}}, "/input/variance", "greater than 0"),
    ("correlation", {"input": {"correlation": 1.5}}, "/input/correlation", "less than or equal"),
    ("size", {"input": {"size": [8, 8]}}, "/input/size", "state a size only for images"),
    ("no size", {"input": {"size": [0]}}, "/input/size/0", "greater than or equal to 1"),
    ("wide", {"input": {"size": [5000]}}, "/input/size/0", "less than or equal to 4096"),
    ("compare", {"compare": ["zeros", "xaviar"]}, "/compare/1", "did you mean xavier"),
    ("many", {"compare": ["zeros"] * 9}, "/compare", "at most 8"),
    ("no scheme", {"compare": [{"gain": 3}]}, "/compare/0", "must name its scheme"),
    ("shape", {"compare": ["zeros", "dirac"]}, "/compare/1", "dirac needs 3 to 5 axes"),
    ("batch", {"measure": {"batch": 1}}, "/measure/batch", "greater than or equal to 2"),
    ("seeds", {"measure": {"seeds": 65}}, "/measure/seeds", "less than or equal to 64"),
    ("key", {"meassure": {}}, "/meassure", "unknown key meassure: did you mean measure?"),
    ("inner key", {"measure": {"batsh": 3}}, "/measure/batsh", "did you mean batch?"),
    ("key of input", {"input": {"varianse": 3}}, "/input/varianse", "did you mean variance?"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "members", "pointer", "detail"), INVALID)
def test_wrong_member_is_taken_or_said_elsewhere(
    name: str, members: Any, pointer: str, detail: str
) -> None:
    found = refused(PLAIN, **members)
    assert set(found) - {"/activation"} == {pointer} - {"/activation"}, name
    assert detail in found[pointer]


@pytest.mark.parametrize("text", [b"", b"{", b"null", b"[]", b"3", b'{"recipe": NaN}', b"\xff"])
def test_what_is_no_question_is_answered(text: bytes) -> None:
    with pytest.raises((service.MalformedRecipe, service.InvalidRecipe)):
        analyse(text, LIMITS, PIPELINE)


@pytest.mark.parametrize("recipe", [None, 3, "x", [], True])
def test_recipe_of_another_type_is_taken(recipe: Any) -> None:
    assert list(refused(recipe)) == ["/recipe"]


def broken(at: int, **members: Any) -> Any:
    layers = dense(4, 8)
    layers[at] = {**layers[at], **members}
    return recipe_of(layers)


LSTM = {"name": "x", "type": "lstm", "input_size": 8, "hidden_size": 8}
SIDE_BY_SIDE = [
    {"name": n, "type": "linear", "in_features": 8, "out_features": o, "bias": False}
    for n, o in (("q", 4), ("k", 4), ("v", 8))
]
MODEL = {"seed": 1, "model": {"preset": "llama-3.2-1b"}}
TENSORS = {"seed": 1, "tensors": [{"name": "w", "shape": [2, 2], "init": "zeros"}]}

NO_CHAINS: list[tuple[str, Any, dict[str, Any], str, str]] = [
    ("no layers", TENSORS, {}, "/recipe/layers", "needs layers that follow each other"),
    ("nothing", {"seed": 1}, {}, "/recipe/tensors", "the recipe has no tensors"),
    ("a model", MODEL, {}, "/recipe/model", "a llama model cannot be analysed"),
    ("norms", recipe_of([norm("rms_norm", 8)]), {}, "/recipe/layers", "follow each other"),
    ("lstm", recipe_of([*dense(1, 8), LSTM]), {}, "/recipe/layers/1/type",
     "lstm cannot be analysed"),
    ("width", broken(2, in_features=9), {}, "/recipe/layers/2",
     "takes 9 inputs, but the layers before it give 8"),
    ("side by side", recipe_of(SIDE_BY_SIDE), {}, "/recipe/layers/1", "takes 8 inputs"),
    ("unknown key", broken(1, in_feature=8), {}, "/recipe/layers/1/in_feature", "did you mean"),
    ("bad init", broken(1, init="xaviar"), {}, "/recipe/layers/1/init", "did you mean xavier"),
    ("conv last", recipe_of([*dense(1, 8), *conv(1, 8)]), {}, "/recipe/layers/1",
     "put convolutions first"),
    ("ranks", recipe_of([*conv(1, 8), {**conv(1, 8, rank=1)[0], "name": "z"}]), {},
     "/recipe/layers/1", "needs 1 axes of positions, but its input has 2"),
    ("size's rank", recipe_of(conv(2, 8)), {"input": {"size": [8]}}, "/input/size", "1 axes"),
    ("flattened", recipe_of([*conv(1, 8), *dense(1, 8)]), {}, "/recipe/layers/1",
     "8 channels at 32 x 32 positions flattened"),
    ("norm's width", recipe_of([*dense(1, 8), norm("batch_norm", 9)]), {}, "/recipe/layers/1",
     "takes 9 inputs"),
    ("no scales", recipe_of([*dense(1, 8), norm("batch_norm", 9, affine=False)]), {},
     "/recipe/layers/1", "takes 9 inputs"),
    ("groups", recipe_of([*dense(1, 8), norm("group_norm", 6, num_groups=3, affine=False)]), {},
     "/recipe/layers/1", "takes 6 inputs"),
    ("axes", recipe_of([*dense(1, 8), norm("layer_norm", 8, normalized_shape=[2, 4])]), {},
     "/recipe/layers/1/type", "over one axis"),
    ("star", broken(1, name="a*"), {}, "/recipe/layers/1/name", "has a *"),
    ("branch's end", broken(1, branch=[1, 2]), {}, "/recipe/layers/2",
     "ends at [1, 2] instead of [2, 2]"),
    ("branch's order", broken(1, branch=[2, 2]), {}, "/recipe/layers/1/branch", "cannot follow"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "recipe", "more", "pointer", "detail"), NO_CHAINS)
def test_recipe_that_is_no_chain_is_taken_for_one(
    name: str, recipe: Any, more: Any, pointer: str, detail: str
) -> None:
    found = refused(recipe, **more)
    assert pointer in found, (name, found)
    assert detail in found[pointer]
    if recipe.get("layers") and not more:
        assert refused(recipe, calibrated) == found


def test_branch_that_changes_its_width_is_added() -> None:
    layers = dense(2, 8)
    layers[0] |= {"branch": [1, 2], "out_features": 6}
    layers[1] |= {"branch": [2, 2], "in_features": 6, "out_features": 9}
    assert "need the same shape" in refused(recipe_of(layers))["/recipe/layers/1"]
    three = recipe_of([{**e, "branch": [1 + i, 3]} for i, e in enumerate(dense(3, 8))])
    assert refused(three) == {}
    skipped = [{**e, "branch": [[1, 3], [3, 3], [3, 3]][i]} for i, e in enumerate(dense(3, 8))]
    assert "/recipe/layers/1/branch" in refused(recipe_of(skipped))


def test_branch_of_a_layer_is_not_where_it_is_stated() -> None:
    parsed = service.parse(recipe_of(dense(1, 8, branch=[1, 1])))
    assert [branch_of(layer) for layer in parsed.layers] == [(1, 1)]


@pytest.mark.parametrize(
    ("recipe", "more", "limits", "pointer"),
    [
        (recipe_of(dense(1001, 2)), {}, {}, "/recipe/layers"),
        (recipe_of(dense(126, 2)), {"compare": ["zeros"] * 7}, {}, "/recipe/layers"),
        (recipe_of(conv(2, 2)), {"input": {"size": [1024, 1024]}}, {}, "/input/size"),
        (recipe_of(conv(40, 2, rank=3)), {}, {}, "/input/size"),
        (recipe_of(dense(5, 2)), {}, {"max_analysis_layers": 4}, "/recipe/layers"),
        (recipe_of(conv(5, 2)), {}, {"max_analysis_places": 5000}, "/input/size"),
    ],
)
def test_limit_is_passed_before_it_is_seen(
    recipe: Any, more: Any, limits: Any, pointer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.analysis.theory.squares", None)
    found = refused(recipe, limits=LIMITS.model_copy(update=limits), **more)
    assert list(found) == [pointer]
    assert "the limit (max_analysis_" in found[pointer]


def test_long_chain_within_the_limits_is_refused() -> None:
    assert refused(recipe_of(dense(1000, 2))) == {}


def test_seed_that_weights_take_is_refused() -> None:
    for seed in (0, 2**53, 2**64 - 1):
        found = analysed(PLAIN | {"seed": seed}, measure={"batch": 2})
        assert found["curves"][0]["measured"]
        assert calibrated(PLAIN | {"seed": seed})["recipe"]["seed"] == seed
    assert "/recipe/seed" in refused(PLAIN | {"seed": 2**64})


def test_include_or_tensors_beside_a_chain_change_it() -> None:
    alone = analysed(PLAIN, measure={"batch": 4})
    beside = [{"name": "w", "shape": [3, 3], "init": "ones"}]
    rules = [{"match": "w", "init": "zeros"}]
    more = PLAIN | {"tensors": beside, "rules": rules, "include": ["fc2*"]}
    assert analysed(more, measure={"batch": 4}, compare=[]) == alone


def test_question_of_many_bytes_is_read() -> None:
    small = LIMITS.model_copy(update={"max_body_bytes": 100})
    with pytest.raises(service.RecipeTooLarge):
        analyse(request_of(PLAIN), small, PIPELINE)
