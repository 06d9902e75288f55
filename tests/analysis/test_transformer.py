"""Transformers as chains, compared with modules of the transformers library on single tokens."""

import json
import math
from typing import Any

import pytest

import service
from service.analysis import analyse
from service.errors import InvalidRecipe
from service.limits import Limits
from service.stream.pipeline import shared

TINY: dict[str, Any] = {
    "model_type": "gpt2",
    "architectures": ["GPT2Model"],
    "n_layer": 6,
    "n_embd": 256,
    "n_head": 4,
    "vocab_size": 1000,
    "n_positions": 16,
}


def analysed(model: dict[str, Any], **members: Any) -> dict[str, Any]:
    text = json.dumps({"recipe": {"seed": 3, "model": model}, **members}).encode()
    return analyse(text, Limits(), shared())


def on_stream(found: dict[str, Any], kind: str, curve: str) -> list[float]:
    values = found["curves"][0][kind][curve]
    return [v for v, layer in zip(values, found["layers"], strict=True) if layer["on_stream"]]


def test_gpt2s_own_stream_is_not_what_theory_says() -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch = pytest.importorskip("torch", reason="torch is not installed")
    config = {key: value for key, value in TINY.items() if key != "architectures"}
    model = transformers.GPT2Model(transformers.GPT2Config(**config)).eval()
    weights = service.generate({"seed": 3, "model": TINY})
    model.load_state_dict({name: torch.tensor(values) for name, values in weights.items()})
    with torch.no_grad():
        states = model(torch.arange(64)[:, None], output_hidden_states=True).hidden_states
    seen = [
        math.log(float(state.pow(2).mean())) for state in states[1:-1]
    ]  # the last state includes ln_f
    theory = on_stream(analysed(TINY), "theory", "ln_q")[1::2]
    assert theory[:-1] == pytest.approx(seen, abs=0.1)


def test_stream_grows_otherwise_when_a_batch_passes_than_theory_says() -> None:
    found = analysed(TINY, measure={"batch": 32, "seeds": 2})
    for curve in ("ln_q", "ln_gradient"):
        theory, measured = (on_stream(found, kind, curve) for kind in ("theory", "measured"))
        assert measured == pytest.approx(theory, abs=0.15)
    assert found["layers"][2]["activation"] == {"name": "gelu"}


def test_unscaled_residual_branches_grow_no_more_than_scaled_ones() -> None:
    scaled = on_stream(analysed(TINY), "theory", "ln_q")[-1]
    plain = analysed(TINY, compare=[{"scheme": "normal", "std": 0.02}])["curves"][1]
    assert plain["theory"]["ln_q"][-1] > scaled + math.log(6)


@pytest.mark.parametrize("family", ["bert", "vit"])
def test_norms_leave_the_stream_other_than_it_is(family: str) -> None:
    """After a norm the variance is 1; with norms inside the branches it grows with depth."""
    sizes = {"num_hidden_layers": 4, "hidden_size": 64, "num_attention_heads": 4}
    model = {"model_type": family, **sizes, "intermediate_size": 128}
    stream = on_stream(analysed(model), "theory", "ln_q")
    if family == "bert":
        assert stream == pytest.approx(
            [0.0] * 8, abs=1e-2
        )  # slightly less, because of a norm's epsilon
    else:
        assert stream == sorted(stream)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ({"preset": "llama-3.2-1b"}, "a llama model cannot be analysed"),
        (
            {**TINY, "add_cross_attention": True},
            "block 1 is not one attention and two linear layers",
        ),
        ({**TINY, "n_layer": 0}, "the model has no blocks"),
    ],
)
def test_model_that_is_no_chain_is_taken_for_one(model: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidRecipe) as caught:
        analysed(model)
    assert [problem.pointer for problem in caught.value.problems] == ["/recipe/model"]
    assert why in caught.value.problems[0].detail


def test_list_of_activations_is_taken_for_a_model() -> None:
    with pytest.raises(InvalidRecipe, match="/activation: a model has one activation"):
        analysed(TINY, activation=["gelu", "relu"])
