"""Every model against files of transformers and torchvision, measured once (tools/)."""

from pathlib import Path

import pytest

from service.catalogue.models import FAMILIES, MODEL_TYPES
from service.catalogue.models.presets import presets
from tests.catalogue.models.support import FIXTURES, agrees, fixture_of, rows_of
from tests.support import ROOT, plan_of

SMALL = sorted(FIXTURES.glob("*.json"))
PRESETS = sorted((FIXTURES / "presets").glob("*.json"))
DIGITS = 5.1e-4
"""Relative error of a fixture's numbers, which have four digits."""

COUNTS = {
    "bert-base-uncased": 109_514_298,
    "clip-vit-base-patch32": 151_277_313,
    "gpt2": 124_439_808,
    "gpt2-xl": 1_557_611_200,
    "llama-3.1-8b": 8_030_261_248,
    "llama-3.2-1b": 1_235_814_400,
    "qwen3-0.6b": 596_049_920,
    "resnet18": 11_699_132,
    "resnet34": 21_814_732,
    "resnet50": 25_610_205,
    "resnet101": 44_654_608,
    "resnet152": 60_344_387,
    "t5-small": 60_506_624,
    "vit-base-patch16-224": 86_567_656,
    "whisper-tiny": 37_760_640,
}
"""Elements of the published files; a ResNet's BatchNorm moments and counters included."""


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_small_model_is_not_what_is_saved(path: Path) -> None:
    fixture = fixture_of(path)
    rows = rows_of(fixture["config"] | fixture.get("arguments", {}))
    table = {name: [row["dtype"], list(row["shape"])] for name, row in rows.items()}
    assert table == fixture["tensors"]
    for name, (mean, std, low, high) in fixture["stds"].items():
        row = rows[name]
        # A table of sines has no moments in the plan: test_transformers.py checks it.
        if row["distribution"] != "sinusoidal":
            assert agrees(row, mean, std, DIGITS), (name, row, mean, std)
        assert row["low"] - DIGITS * abs(row["low"]) <= low
        assert high <= row["high"] + DIGITS * abs(row["high"])


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_preset_is_not_what_is_published(path: Path) -> None:
    fixture = fixture_of(path)
    plan = plan_of({"seed": 1, "model": {"preset": fixture["preset"]}})
    table = {t.name: [t.dtype.name, list(t.shape)] for t in plan.tensors}
    assert table == fixture["tensors"]
    assert plan.total_parameters == COUNTS[path.stem]


def test_preset_or_family_has_no_fixture() -> None:
    assert set(presets()) == {path.stem for path in PRESETS} == set(COUNTS)
    built = {fixture_of(path)["config"]["model_type"] for path in SMALL}
    assert built == set(MODEL_TYPES)


def test_page_leaves_out_an_architecture_or_a_preset() -> None:
    page = (ROOT / "docs/models.md").read_text("utf-8")
    for family in FAMILIES:
        for model_type in family.model_types:
            assert f"| `{model_type}` | {', '.join(family.known)} |" in page
    for name, count in COUNTS.items():
        assert f"| `{name}` | {count:,} |" in page
