"""What each picture shows: lines, each of them a question to ``POST /v1/analysis``."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

MEASURE = {"batch": 64, "seeds": 8}
"""Of the points that stand beside every line."""

Layers = list[dict[str, Any]]


@dataclass(frozen=True)
class Line:
    """One line of a picture.

    Args:
        label: What the legend calls it.
        question: To the analysis, without what is to be measured.
    """

    label: str
    question: dict[str, Any]


@dataclass(frozen=True)
class Picture:
    """A picture, `docs/pictures/<name>.svg`.

    Args:
        name: Of the file.
        title: What stands above it.
        lines: What it shows.
        along: What its layers are called.
    """

    name: str
    title: str
    lines: tuple[Line, ...]
    along: str = "layer"


def dense(widths: Sequence[int], init: Any = None, **members: Any) -> Layers:
    """Return linear layers that follow each other, without biases unless ``bias`` is stated.

    Args:
        widths: Features that enter the first one, then those that leave each.
        init: Of their weights; the convention's own if left out.
        members: More of every layer's.
    """
    stated = {} if init is None else {"init": init}
    return [
        {
            "name": f"fc{place}",
            "type": "linear",
            "in_features": inputs,
            "out_features": outputs,
            "bias": False,
            **stated,
            **members,
        }
        for place, (inputs, outputs) in enumerate(pairwise(widths), 1)
    ]


def deep(init: Any = None, width: int = 512, **members: Any) -> Layers:
    """Return 50 linear layers of one width."""
    return dense([width] * 51, init, **members)


def before(norm: dict[str, Any], layers: Layers) -> Layers:
    """Return layers with a norm before each, in its branch where it is in one."""
    return [each for pair in zip(_norms(norm, layers), layers, strict=True) for each in pair]


def after(norm: dict[str, Any], layers: Layers) -> Layers:
    """Return layers with a norm after each."""
    return [each for pair in zip(layers, _norms(norm, layers), strict=True) for each in pair]


def _norms(norm: dict[str, Any], layers: Layers) -> Layers:
    branches = [{"branch": layer["branch"]} if "branch" in layer else {} for layer in layers]
    return [{"name": f"norm{place}", **norm, **one} for place, one in enumerate(branches, 1)]


def question(layers: Layers, activation: Any = "relu", **members: Any) -> dict[str, Any]:
    """Return a question about layers, under seed 1."""
    return {"recipe": {"seed": 1, "layers": layers}, "activation": activation, **members}


def _gained(gain: Any) -> dict[str, Any]:
    return {"scheme": "xavier", "gain": gain, "distribution": "normal"}


def _scaled(mode: str) -> dict[str, Any]:
    return {"scheme": "variance_scaling", "mode": mode, "distribution": "normal"}


def _critical(name: str, *, bias: bool = False) -> dict[str, Any]:
    return {"scheme": "critical", "nonlinearity": name, "bias": bias}


def _compared(activation: str, *inits: tuple[str, Any]) -> tuple[Line, ...]:
    return tuple(Line(label, question(deep(init), activation)) for label, init in inits)


_TAPERED = [round(2048 * 2 ** (-place / 4)) for place in range(21)]

_LAYER_NORM = {"type": "layer_norm", "normalized_shape": 512}
_BATCH_NORM = {"type": "batch_norm", "num_features": 512}

_BRANCHES = deep("kaiming_normal", branch=[1, 1])
_NORMED = before(_LAYER_NORM, _BRANCHES)
_SMALL = {"residual_scale": 1 / math.sqrt(50)}


def _language_model(std: float) -> dict[str, Any]:
    """Return 12 branches of GPT-2's width and spread, between a table and a head of one spread."""
    normal = {"scheme": "normal", "std": 0.02}
    norm = {"type": "layer_norm", "normalized_shape": 768}
    layers = before(norm, dense([768] * 13, normal, branch=[1, 1]))
    head = {"type": "linear", "in_features": 768, "out_features": 4096, "bias": False}
    layers += [{"name": "norm", **norm}, {"name": "head", "init": normal | {"std": std}, **head}]
    # The first branch, too, is behind a GELU; the head is not.
    activations = [*["gelu"] * 11, "linear", "gelu"]
    return question(layers, activations, input={"variance": std**2})


PICTURES = (
    Picture(
        "relu",
        "50 ReLU layers: Xavier or He",
        _compared("relu", ("He, 2/n", "kaiming_normal"), ("Xavier, 1/n", "xavier_normal")),
    ),
    Picture(
        "fans",
        "20 linear layers that narrow from 2048 to 64",
        tuple(
            Line(label, question(dense(_TAPERED, _scaled(mode)), "linear"))
            for label, mode in (
                ("variance 1/n_in", "fan_in"),
                ("2/(n_in + n_out)", "fan_avg"),
                ("1/n_out", "fan_out"),
            )
        ),
    ),
    Picture(
        "tanh",
        "50 tanh layers",
        _compared(
            "tanh",
            ("gain 1", "xavier_normal"),
            ("gain √2 (He)", "kaiming_normal"),
            ("gain 5/3", _gained("tanh")),
        ),
    ),
    Picture(
        "default",
        "What PyTorch's default does over 50 layers",
        (
            Line("He, ReLU", question(deep("kaiming_normal"))),
            Line("default, ReLU", question(deep(bias=True))),
            Line("default, tanh", question(deep(bias=True), "tanh")),
        ),
    ),
    Picture(
        "sigmoid",
        "50 sigmoid layers",
        _compared(
            "sigmoid",
            ("Xavier", "xavier_normal"),
            ("He", "kaiming_normal"),
            ("Xavier, gain 4", _gained(4)),
            ("Xavier, gain 10", _gained(10)),
        ),
    ),
    Picture(
        "selu",
        "50 SELU layers",
        _compared(
            "selu",
            ("LeCun, gain 1", "lecun_normal"),
            ("gain 3/4", _gained("selu")),
            ("He", "kaiming_normal"),
        ),
    ),
    Picture(
        "gelu",
        "50 GELU layers",
        (
            *_compared("gelu", ("Xavier", "xavier_normal"), ("He", "kaiming_normal")),
            Line(
                "critical, with biases",
                question(
                    deep(_critical("gelu"), bias=True, bias_init=_critical("gelu", bias=True)),
                    "gelu",
                ),
            ),
        ),
    ),
    Picture(
        "residual",
        "50 residual branches under He",
        (
            Line("h + f(h)", question(_BRANCHES)),
            Line("h + f(h) / √50", question(_BRANCHES, **_SMALL)),
            Line("h + f(norm h)", question(_NORMED)),
            Line("h + f(norm h) / √50", question(_NORMED, **_SMALL)),
        ),
        "branch",
    ),
    Picture(
        "normalization",
        "50 ReLU layers under Xavier, with and without norms",
        (
            Line("none", question(deep("xavier_normal"))),
            Line("layer norm", question(after(_LAYER_NORM, deep("xavier_normal")))),
            Line("batch norm", question(after(_BATCH_NORM, deep("xavier_normal")))),
        ),
    ),
    Picture(
        "embedding",
        "12 pre-norm branches, then a head tied to the embedding",
        tuple(
            Line(label, _language_model(std))
            for label, std in (("std 1", 1.0), ("std 1/√768", 768**-0.5), ("std 0.02", 0.02))
        ),
        "branch (12: behind the last norm; 13: the head)",
    ),
    Picture(
        "width",
        "50 ReLU layers under He, by width",
        tuple(
            Line(f"width {width}", question(deep("kaiming_normal", width=width)))
            for width in (32, 128, 512)
        ),
    ),
)
"""Every picture of the documentation."""
