"""The real libraries load our files, and their initialization matches our plans."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import service
from service.catalogue import listing
from service.catalogue.models import MODEL_TYPES, model_of
from tests.catalogue.models.support import FIXTURES, agrees, fixture_of, model_recipe, rows_of
from tools.model_fixtures import written

SMALL = {path.stem: fixture_of(path) for path in sorted(FIXTURES.glob("*.json"))}
FAMILIES = sorted({fixture["config"]["model_type"] for fixture in SMALL.values()})
TIED = {"t5": {"tie_word_embeddings": True}}
"""Changes that transformers makes to a config before it builds the model."""

# Both libraries give many warnings, which differ between releases.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def transformers() -> Any:
    return library("transformers")


def library(name: str) -> Any:
    return pytest.importorskip(name, reason=f"{name} is not installed: make test-full")


def of_family(model_type: str, source: str) -> dict[str, dict[str, Any]]:
    return {
        name: fixture
        for name, fixture in SMALL.items()
        if fixture["config"]["model_type"] == model_type and source in fixture
    }


def read(path: Path) -> dict[str, Any]:
    tensors: dict[str, Any] = library("safetensors.numpy").load_file(path)
    return tensors


def check_initialization(config: dict[str, Any], tensors: dict[str, Any]) -> None:
    """Check the moments of a fresh model against the plan."""
    rows = rows_of(config)
    assert set(rows) == set(tensors)
    for name, values in tensors.items():
        wide, row = values.astype(np.float64), rows[name]
        if row["distribution"] != "sinusoidal":
            assert agrees(row, wide.mean(), wide.std(), 1e-6), name


@pytest.mark.parametrize("model_type", FAMILIES)
def test_transformers_does_not_load_our_file(
    model_type: str, tmp_path: Path, transformers: Any
) -> None:
    for name, fixture in of_family(model_type, "transformers").items():
        folder = tmp_path / name
        folder.mkdir()
        check_loading(getattr(transformers, fixture["class"]), fixture, folder)


def check_loading(kind: Any, fixture: dict[str, Any], folder: Path) -> None:
    """Check that a class loads all of our file, saves it unchanged, and initializes as planned."""
    config, arguments = fixture["config"], fixture.get("arguments", {})
    (folder / "config.json").write_text(json.dumps(config))
    path = folder / "model.safetensors"
    service.save_file(model_recipe(config | arguments, metadata={"format": "pt"}), path)
    loaded, info = kind.from_pretrained(folder, output_loading_info=True, **arguments)
    assert not any(info.values()), (folder.name, info)
    loaded.save_pretrained(folder / "again")
    ours, theirs = read(path), read(folder / "again" / "model.safetensors")
    assert set(ours) == set(theirs)
    for name, values in ours.items():
        assert np.array_equal(values, theirs[name]), (folder.name, name)
    library("torch").manual_seed(0)
    fresh = kind(kind.config_class(**config), **arguments)
    fresh.save_pretrained(folder / "fresh")
    drawn = read(folder / "fresh" / "model.safetensors")
    check_initialization(config | arguments | TIED.get(config["model_type"], {}), drawn)
    for name in filter(lambda name: "encoder.embed_positions" in name, drawn):
        # The reference computes its sines' arguments in float32.
        assert np.allclose(ours[name], drawn[name], rtol=0, atol=1e-5)


@pytest.mark.parametrize("model_type", FAMILIES)
def test_architecture_saves_other_tensors(model_type: str, transformers: Any) -> None:
    """Compare every class of a family with every config of its fixtures, without data."""
    for fixture in of_family(model_type, "transformers").values():
        for name in MODEL_TYPES[model_type].known:
            if name == "ResNet":
                continue
            kind = getattr(transformers, name)
            with library("torch").device("meta"):
                saved = written(kind(kind.config_class(**fixture["config"])))
            config = fixture["config"] | {"architectures": [name]} | TIED.get(model_type, {})
            weights = [weight.tensor for weight in model_of(config).weights()]
            table = {t.name: (t.dtype or "F32", list(t.shape)) for t in weights}
            assert table == saved, (name, fixture["config"])


@pytest.mark.parametrize("entry", listing.models(), ids=lambda entry: entry["model_types"][0])
def test_default_is_not_the_class_default(entry: dict[str, Any], transformers: Any) -> None:
    theirs = transformers.AutoConfig.for_model(entry["model_types"][0])
    towers_and_labels = {"architectures", "num_labels", "id2label", "text_config", "vision_config"}
    compared = 0
    for name in set(entry["fields"]) - towers_and_labels:
        ours = entry["fields"][name]["default"]
        # Fields that depend on others are null here; some are constructor arguments there.
        if hasattr(theirs, name) and ours is not None:
            expected = getattr(theirs, name)
            ours = tuple(ours) if isinstance(ours, list) else ours
            assert ours in (expected, (expected, expected), tuple(np.atleast_1d(expected))), name
            compared += 1
    assert compared > 3
