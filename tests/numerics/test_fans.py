"""Fans and gains, by hand and against torch."""

import math

import pytest

from service.errors import DegenerateFan, MissingFan
from service.numerics.fans import Fans, Geometry, Nonlinearity, gain_squared, variance_of


@pytest.mark.parametrize(
    ("shape", "layout", "fans"),
    [
        ((10, 784), None, (784, 10)),
        ((64, 3, 7, 7), None, (147, 3136)),
        ((7, 7, 3, 64), "HWIO", (147, 3136)),
        ((784, 10), "IO", (784, 10)),
        ((768, 12, 64), "IOO", (768, 768)),
        ((12, 64, 768), "OOI", (768, 768)),
        ((8, 768, 3072), "BIO", (768, 3072)),
        ((3, 3, 1, 32), "HWIO", (9, 288)),
        ((5,), "I", (5, 1)),
        ((0, 4), None, (4, 0)),
    ],
)
def test_fans_differ_from_the_field(
    shape: tuple[int, ...], layout: str | None, fans: tuple[int, int]
) -> None:
    assert Geometry(shape, layout).fans == Fans(*fans)


def test_stated_fan_loses_to_the_shape() -> None:
    assert Geometry((2304, 768), fan=Fans(768, 768)).fans == Fans(768, 768)


def test_part_takes_the_whole_tensors_fans() -> None:
    assert Geometry((2304, 768), axis=0, start=768, stop=1536).fans == Fans(768, 768)


@pytest.mark.parametrize("shape", [(), (7,)])
def test_vector_without_layout_gets_fans(shape: tuple[int, ...]) -> None:
    with pytest.raises(MissingFan, match="state"):
        _ = Geometry(shape).fans


def test_zero_fan_divides() -> None:
    with pytest.raises(DegenerateFan, match="fan_in is 0"):
        variance_of(1.0, 1.0, Fans(0, 3), "fan_in")


def test_modes_select_otherwise() -> None:
    fans = Fans(2, 8)
    modes = [fans.select(m) for m in ("fan_in", "fan_out", "fan_avg", "fan_geo_avg")]
    assert modes == [2.0, 8.0, 5.0, 4.0]


def test_torch_has_other_fans_or_gains() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: make test-full")
    for shape in ((10, 784), (64, 3, 7, 7), (8, 4, 3), (5, 4, 3, 2, 2)):
        theirs = torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
        assert Fans(*theirs) == Geometry(shape).fans
    names: list[Nonlinearity] = ["linear", "sigmoid", "tanh", "relu", "selu"]
    for name in names:
        theirs = torch.nn.init.calculate_gain(name)
        assert math.sqrt(gain_squared(name)) == pytest.approx(theirs, rel=1e-15)
    theirs = torch.nn.init.calculate_gain("leaky_relu", 0.2)
    assert math.sqrt(gain_squared("leaky_relu", 0.2)) == pytest.approx(theirs, rel=1e-15)
