"""Every scheme against its formula, written out once more, and against the field's own code."""

import inspect
import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from service.catalogue.distributions import Delta, Normal, TruncatedNormal, Uniform
from service.catalogue.schemes import ALIASES, SCHEMES, Scheme
from service.catalogue.schemes.scheme import canonical
from service.errors import SchemeError
from service.numerics.fans import Geometry
from service.recipe import parse
from tests.support import ROOT, data_of, recipe_of, tensor

CONV = Geometry((64, 32, 3, 3))
FAN_IN, FAN_OUT = 288, 576


def scheme_of(init: Any) -> Scheme:
    made = parse(recipe_of(tensor(init))).tensors[0].init
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("init", "variance"),
    [
        ({"scheme": "variance_scaling", "scale": 3}, 3 / FAN_IN),
        ({"scheme": "variance_scaling", "mode": "fan_out"}, 1 / FAN_OUT),
        ({"scheme": "variance_scaling", "mode": "fan_avg"}, 2 / (FAN_IN + FAN_OUT)),
        ({"scheme": "variance_scaling", "mode": "fan_geo_avg"}, 1 / math.sqrt(FAN_IN * FAN_OUT)),
        ("xavier", 2 / (FAN_IN + FAN_OUT)),
        ("glorot_normal", 2 / (FAN_IN + FAN_OUT)),
        ({"scheme": "xavier", "gain": 3}, 9 * 2 / (FAN_IN + FAN_OUT)),
        ({"scheme": "xavier", "gain": "tanh"}, 25 / 9 * 2 / (FAN_IN + FAN_OUT)),
        ("kaiming_normal", 2 / FAN_IN),
        ("he_uniform", 2 / FAN_IN),
        ({"scheme": "kaiming", "mode": "fan_out"}, 2 / FAN_OUT),
        ({"scheme": "kaiming", "nonlinearity": "tanh"}, 25 / 9 / FAN_IN),
        ({"scheme": "kaiming", "nonlinearity": "selu"}, 9 / 16 / FAN_IN),
        ({"scheme": "kaiming", "nonlinearity": "linear"}, 1 / FAN_IN),
        (
            {"scheme": "kaiming", "nonlinearity": "leaky_relu", "negative_slope": 0.2},
            2 / 1.04 / FAN_IN,
        ),
        ("lecun_normal", 1 / FAN_IN),
        ("caffe_xavier", 1 / FAN_IN),
        ({"scheme": "caffe_xavier", "variance_norm": "FAN_OUT"}, 1 / FAN_OUT),
        ("msra", 2 / FAN_IN),
        ({"scheme": "msra", "variance_norm": "AVERAGE"}, 4 / (FAN_IN + FAN_OUT)),
        ({"scheme": "tf_variance_scaling", "uniform": True}, 2 / FAN_IN),
        ({"scheme": "truncated_normal", "std": 0.5, "correct_variance": True}, 0.25),
    ],
    ids=str,
)
def test_variance_is_not_the_formulas(init: Any, variance: float) -> None:
    mean, std = scheme_of(init).resolve(CONV).moments
    assert mean == pytest.approx(0.0, abs=1e-12)
    assert std**2 == pytest.approx(variance, rel=1e-7)


def test_tf_variance_scaling_corrects_otherwise_than_tensorflow() -> None:
    law = scheme_of("tf_variance_scaling").resolve(CONV)
    assert isinstance(law, TruncatedNormal)
    assert law.std == math.sqrt(1.3 * 2.0 / FAN_IN)


def test_kaiming_and_msra_reach_other_bits() -> None:
    for fan in range(1, 400):
        geometry = Geometry((3, fan))
        assert scheme_of("kaiming").resolve(geometry) == scheme_of("msra").resolve(geometry)


@pytest.mark.parametrize("alias", ALIASES)
def test_alias_gives_other_bits_than_its_object(alias: str) -> None:
    name = ALIASES[alias]["scheme"]
    required: dict[str, dict[str, Any]] = {
        "uniform": {"low": -1, "high": 1},
        "constant": {"value": 2},
        "normal": {"std": 1},
        "truncated_normal": {"std": 1},
        "sparse": {"sparsity": 0.5},
        "chrono": {"t_max": 9},
    }
    extra = required.get(name, {})
    shapes = {"dirac": (3, 3, 3), "bilinear": (2, 2, 4, 4), "delta_orthogonal": (3, 3, 3)}
    shape = (8,) if name in ("lstm_forget", "chrono") else shapes.get(name, (3, 4))
    by_object = recipe_of(tensor({**ALIASES[alias], **extra}, shape))
    by_name = recipe_of(tensor({"scheme": alias, **extra} if extra else alias, shape))
    assert data_of(by_name) == data_of(by_object)
    assert parse(by_name).recipe_id == parse(by_object).recipe_id


@pytest.mark.parametrize(
    ("init", "shape", "said"),
    [
        ("identity", (3,), "needs a matrix"),
        ("dirac", (3, 3), "3 to 5 axes"),
        ({"scheme": "dirac", "groups": 2}, (3, 3, 3), "equal groups"),
        ({"scheme": "uniform", "low": 1, "high": 1}, (3,), "low must be below high"),
        ({"scheme": "truncated_normal", "std": 1, "bounds": [2, -2]}, (3,), "below high"),
        (
            {
                "scheme": "truncated_normal",
                "std": 1,
                "bounds_in": "absolute",
                "correct_variance": True,
            },
            (3,),
            "needs bounds_in",
        ),
        ({"scheme": "kaiming", "negative_slope": 0.1}, (3, 3), "belongs to leaky_relu"),
        ("kaiming", (3,), "has no fans"),
        ("xavier", (0, 0), "fan_avg is 0"),
    ],
    ids=str,
)
def test_contradiction_is_resolved_silently(init: Any, shape: tuple[int, ...], said: str) -> None:
    with pytest.raises(SchemeError, match=said):
        scheme_of(init).resolve(Geometry(shape))


@pytest.mark.parametrize("layout", ["BOIK", "OOI", "KKK"])
def test_dirac_takes_a_layout_without_one_channel_axis_each(layout: str) -> None:
    with pytest.raises(SchemeError, match="one of them O, one I and none B"):
        scheme_of("dirac").resolve(Geometry((2,) * len(layout), layout=layout))


@pytest.mark.parametrize("name", SCHEMES)
def test_scheme_is_undocumented(name: str) -> None:
    kind = SCHEMES[name]
    docs = inspect.getdoc(kind) or ""
    module = inspect.getdoc(inspect.getmodule(kind)) or ""
    assert kind.formula
    assert kind.source
    assert f"## {name}\n" in (ROOT / "docs/schemes.md").read_text("utf-8")
    assert module
    for field in fields(kind):  # type: ignore[arg-type]
        if field.name != "scheme":
            assert f"{field.name}:" in docs


def test_canonical_object_loses_a_parameter() -> None:
    init = {"scheme": "kaiming", "mode": "fan_in", "nonlinearity": "selu"}
    assert canonical(scheme_of(init)) == {"scheme": "kaiming", "nonlinearity": "selu"}


def test_torch_draws_other_moments() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: make test-full")
    init = torch.nn.init
    cases = [
        ("xavier_uniform", init.xavier_uniform_),
        ("xavier_normal", init.xavier_normal_),
        ("kaiming_uniform", init.kaiming_uniform_),
        ("kaiming_normal", init.kaiming_normal_),
    ]
    torch.manual_seed(0)
    weight = torch.empty(512, 64, 3, 3)
    for name, draw in cases:
        theirs = draw(weight).double().numpy()
        law = scheme_of(name).resolve(Geometry((512, 64, 3, 3)))
        assert isinstance(law, Uniform | Normal)
        assert law.moments[1] == pytest.approx(theirs.std(), rel=5e-3)
        if isinstance(law, Uniform):
            assert law.high == pytest.approx(np.abs(theirs).max(), rel=1e-3)


def test_torch_has_another_dirac_or_eye() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: make test-full")
    for shape, groups in (((4, 2, 3), 1), ((4, 2, 3, 4), 2), ((2, 5, 3, 3, 3), 1)):
        theirs = torch.nn.init.dirac_(torch.empty(shape), groups).numpy()
        ours = data_of(recipe_of(tensor({"scheme": "dirac", "groups": groups}, shape)))
        assert (np.frombuffer(ours, dtype="<f4").reshape(shape) == theirs).all()
    theirs = torch.nn.init.eye_(torch.empty(3, 5)).numpy()
    ours = data_of(recipe_of(tensor("identity", (3, 5))))
    assert (np.frombuffer(ours, dtype="<f4").reshape(3, 5) == theirs).all()


def test_delta_of_another_layout_is_not_the_transpose() -> None:
    law = scheme_of("dirac").resolve(Geometry((3, 3, 4, 2), layout="HWIO"))
    assert isinstance(law, Delta)
    hwio = np.frombuffer(
        data_of(recipe_of(tensor("dirac", (3, 3, 4, 2), layout="HWIO"))), dtype="<f4"
    ).reshape(3, 3, 4, 2)
    oihw = np.frombuffer(data_of(recipe_of(tensor("dirac", (2, 4, 3, 3)))), dtype="<f4")
    assert (hwio.transpose(3, 2, 0, 1) == oihw.reshape(2, 4, 3, 3)).all()
