"""A recipe as files: names, index and config.json."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import service
from service.catalogue.models.presets import presets
from service.checkpoint.files import (
    CONFIG,
    INDEX,
    RECIPE,
    WEIGHTS,
    Checkpoint,
    Cut,
    TextFile,
    checkpoint,
)
from service.limits import Limits
from tests.plan.test_layout import recipes
from tests.support import bytes_of, plan_of, recipe_of, tensor

LIMITS = Limits()
LLAMA = {
    "model_type": "llama",
    "vocab_size": 32,
    "hidden_size": 8,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
}


def made(recipe: Any, limits: Limits = LIMITS, **cut: Any) -> Checkpoint:
    parsed = service.parse(recipe)
    return checkpoint(parsed, service.compile(parsed), Cut.model_validate(cut), limits)


def text_of(files: Checkpoint, name: str) -> Any:
    file = files.find(name)
    assert isinstance(file, TextFile)
    return json.loads(file.text)


def config_of(recipe: Any) -> bytes:
    file = made(recipe).find(CONFIG)
    assert isinstance(file, TextFile)
    return file.text


def split_by_the_hub(plan: service.Plan, size: int) -> Any:
    """Return how huggingface_hub (and ``save_pretrained``) splits tensors of these sizes."""
    why = "huggingface_hub is not installed: make test-full"
    hub = pytest.importorskip("huggingface_hub.serialization._base", reason=why)
    return hub.split_state_dict_into_shards_factory(
        {tensor.name: tensor for tensor in plan.tensors},
        get_storage_size=lambda tensor: tensor.nbytes,
        filename_pattern="model{suffix}.safetensors",
        max_shard_size=size,
    )


@given(recipes(), st.integers(1, 700))
def test_shards_are_not_those_of_save_pretrained(recipe: dict[str, Any], size: int) -> None:
    """Except for tensors larger than a shard: the next test shows the difference."""
    plan = plan_of(recipe)
    size = max(size, *(tensor.nbytes for tensor in plan.tensors), 1)
    files, theirs = made(recipe, shard_size=size), split_by_the_hub(plan, size)
    names = [shard.name for shard in files.shards]
    assert names == list(theirs.filename_to_tensors)
    for shard in files.shards:
        assert [t.name for t in shard.plan.tensors] == theirs.filename_to_tensors[shard.name]
    if len(names) == 1:
        assert INDEX not in files.files
        assert files.shards == (files.whole,)
        return
    index = text_of(files, INDEX)
    assert index["weight_map"] == theirs.tensor_to_filename
    assert index["metadata"].pop("total_parameters") == plan.total_parameters
    assert index["metadata"] == theirs.metadata


def test_tensor_that_is_larger_than_a_shard_shares_one() -> None:
    """The Hub's splitter continues to fill the previous shard; ours keeps the file's order."""
    sizes = [("a", 10), ("b", 90), ("c", 10), ("d", 10)]
    recipe = recipe_of(*(tensor(shape=[count], name=name) for name, count in sizes))
    ours = [[t.name for t in shard.plan.tensors] for shard in made(recipe, shard_size=80).shards]
    theirs = list(split_by_the_hub(plan_of(recipe), 80).filename_to_tensors.values())
    assert ours == [["a"], ["b"], ["c", "d"]]
    assert theirs == [["b"], ["a", "c"], ["d"]]


@given(recipes(), st.integers(1, 700))
def test_index_names_a_shard_without_the_tensor(recipe: dict[str, Any], size: int) -> None:
    files = made(recipe, shard_size=size)
    held = {t.name: shard.name for shard in files.shards for t in shard.plan.tensors}
    assert sorted(held) == sorted(tensor.name for tensor in files.whole.plan.tensors)
    if len(files.shards) > 1:
        index = text_of(files, INDEX)
        assert index["weight_map"] == held
        count = len(files.shards)
        assert sorted(set(held.values())) == [
            f"model-{number:05}-of-{count:05}.safetensors" for number in range(1, count + 1)
        ]
        assert index["metadata"]["total_size"] == sum(
            shard.nbytes - len(shard.plan.header) for shard in files.shards
        )


@given(recipes())
def test_listing_lacks_a_file_or_has_another(recipe: dict[str, Any]) -> None:
    files = made(recipe, shard_size=100)
    names = list(files.files)
    assert names == sorted(names)
    assert set(names) == {file.name for file in files.shards} | {f.name for f in files.beside}
    assert all(files.find(name) is files.files[name] for name in names)
    for missing in ("", "manifest.json", "Recipe.json", "model-00000-of-00001.safetensors"):
        assert files.find(missing) is None
    assert files.find(WEIGHTS) == files.whole
    assert files.whole.etag == plan_of(recipe).etag
    canonical = service.parse(recipe).canonical
    assert files.files[RECIPE] == TextFile(RECIPE, canonical)
    assert files.tensors == len(recipe["tensors"])
    assert len({file.etag for file in files.files.values()}) == len(names)


def test_text_has_another_tag_or_length() -> None:
    for file in made({"seed": 1, "model": LLAMA}, shard_size=600).beside:
        assert file.nbytes == len(file.text)
        assert file.etag == f'"j1-{hashlib.sha256(file.text).hexdigest()}"'
    assert {file.name for file in made({"seed": 1, "model": LLAMA}, shard_size=600).beside} == {
        RECIPE,
        CONFIG,
        INDEX,
    }


def test_file_of_one_shard_is_split() -> None:
    """A shard's size counts tensors only, so 5 GB and a header fit in one shard."""
    billion = [50_000, 25_000]
    assert list(made(recipe_of(tensor(shape=billion))).files) == [WEIGHTS, RECIPE]
    two = made(recipe_of(tensor(shape=billion), tensor("zeros", [1], "z")))
    assert [file.nbytes - len(file.plan.header) for file in two.shards] == [5 * 10**9, 4]
    assert list(two.files) == [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        INDEX,
        RECIPE,
    ]


@given(recipes(), st.integers(1, 400), st.integers(1, 4))
def test_cut_is_not_the_cut_of_the_whole(recipe: dict[str, Any], size: int, world: int) -> None:
    first = recipe["tensors"][0]["name"]
    ranks = [made(recipe, rank=r, world=world, shard_size=size) for r in range(world)]
    names = [t.name for rank in ranks for shard in rank.shards for t in shard.plan.tensors]
    assert names == [tensor.name for tensor in plan_of(recipe).tensors]
    part = made(recipe, include=[first], rank=world - 1, world=world)
    assert [t.name for t in part.whole.plan.tensors] in ([], [first])
    alone = made({**recipe, "include": [first]})
    assert bytes_of(made(recipe, include=[first]).whole.plan) == bytes_of(alone.whole.plan)


def test_more_files_than_the_limit_are_made() -> None:
    recipe = recipe_of(*(tensor(shape=[10], name=f"t{i}") for i in range(9)))
    assert len(made(recipe, Limits(max_shards=9), shard_size=1).shards) == 9
    with pytest.raises(service.InvalidRecipe) as caught:
        made(recipe, Limits(max_shards=8), shard_size=1)
    assert "max_shards" in caught.value.problems[0].detail
    assert caught.value.problems[0].pointer == "/shard_size"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("50000000000", 50 * 10**9),
        ("5GB", 5 * 10**9),
        ("50GB", 50 * 10**9),
        ("5gb", 5 * 10**9),
        ("500MB", 500 * 10**6),
        ("1.5MB", 1_500_000),
        ("1GiB", 2**30),
        ("64kib", 2**16),
        ("7B", 7),
        (7, 7),
    ],
)
def test_size_of_a_shard_is_read_otherwise(text: Any, size: int) -> None:
    assert Cut.model_validate({"shard_size": text}).shard_size == size


@pytest.mark.parametrize(
    "cut",
    [
        *({"shard_size": size} for size in ("0", "-1", "", "GB", "5XB", "1e9", "nan", "infGB")),
        *({"shard_size": size} for size in ("51GB", "50000000001", "9" * 5000, "9" * 400 + "GB")),
        {"rank": 0},
        {"world": 2},
        {"rank": 2, "world": 2},
        {"rank": -1, "world": 2},
        {"rank": 0, "world": 0},
        {"rank": 0, "world": 2**31},
        {"rank": "x", "world": 2},
        {"ranks": 0},
    ],
    ids=lambda cut: str(cut)[:40],
)
def test_cut_that_means_nothing_is_made(cut: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Cut.model_validate(cut)


@given(st.one_of(st.text(max_size=12), st.from_regex(r"\d{1,12}(\.\d+)? ?[kKMGT]i?[Bb]")))
def test_size_of_a_shard_leaves_its_bounds_or_fails(text: str) -> None:
    try:
        size = Cut.model_validate({"shard_size": text}).shard_size
    except ValidationError:
        return
    assert 1 <= size <= 50 * 10**9


@pytest.mark.parametrize(
    ("typed", "same"),
    [
        ({"rms_norm_eps": 1.0}, {"rms_norm_eps": 1}),
        ({"rope_theta": 10000.0}, {"rope_theta": 10000}),
        ({"attention_dropout": 0.0}, {"attention_dropout": -0.0}),
        ({"initializer_range": 1.0}, {"initializer_range": 1}),
        ({"x": [1.0, {"y": 2.0}]}, {"x": [1, {"y": 2}]}),
        ({"rope_scaling": {"factor": 8.0}}, {"rope_scaling": {"factor": 8}}),
    ],
    ids=str,
)
def test_same_recipe_has_two_configs(typed: dict[str, Any], same: dict[str, Any]) -> None:
    one, other = ({"seed": 1, "model": LLAMA | changes} for changes in (typed, same))
    assert service.parse(one).recipe_id == service.parse(other).recipe_id
    assert config_of(one) == config_of(other) == config_of(service.parse(one).canonical)


@pytest.mark.parametrize("name", sorted(presets()))
def test_preset_has_another_config_once_stored(name: str) -> None:
    for model in ({"preset": name}, presets()[name]):
        recipe = {"seed": 1, "model": model, "dtype": "BF16"}
        stored = service.parse(recipe).canonical
        assert config_of(recipe) == config_of(stored)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # they differ by release
@pytest.mark.parametrize("name", sorted(presets()))
def test_transformers_reads_another_config(name: str, tmp_path: Path) -> None:
    """AutoConfig reads the same from our config.json and from the published preset."""
    why = "transformers is not installed: make test-full"
    transformers = pytest.importorskip("transformers", reason=why)
    read = []
    recipe = service.parse({"seed": 1, "model": {"preset": name}, "dtype": "BF16"})
    typed = json.dumps(presets()[name]).encode()
    for folder, text in (("ours", config_of(recipe.canonical)), ("theirs", typed)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / CONFIG).write_bytes(text)
        read.append(transformers.AutoConfig.from_pretrained(tmp_path / folder).to_dict())
    ours, theirs = read
    assert str(ours["dtype"]).endswith("bfloat16")
    assert len(ours["architectures"]) == 1
    for config in read:
        for key in ("dtype", "architectures", "_name_or_path", "transformers_version"):
            config.pop(key, None)
    assert ours == theirs


@pytest.mark.parametrize(
    ("dtype", "named"), [("F32", "float32"), ("F64", "float64"), ("F8_E5M2", None)]
)
def test_config_has_another_dtype_than_the_weights(dtype: str, named: str | None) -> None:
    model = LLAMA | {"torch_dtype": "float16", "dtype": "float16"}
    config = json.loads(config_of({"seed": 1, "model": model, "dtype": dtype}))
    assert config.get("dtype") == named
    assert "torch_dtype" not in config
    assert config["architectures"] == ["LlamaForCausalLM"]
