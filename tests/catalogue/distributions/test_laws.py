"""Laws: their moments in large samples, their bounds, their bits against the oracle."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.catalogue.distributions import (
    Constant,
    Delta,
    Distribution,
    Normal,
    TruncatedNormal,
    Uniform,
)
from service.errors import EmptyTruncation, LawOverflow
from service.numerics.draws import Run
from service.numerics.fans import Geometry
from service.numerics.keys import Stream, stream_of
from service.numerics.workspace import Workspace

COUNT = 1 << 20
LAWS: list[Distribution] = [
    Normal(0.5, 0.02),
    Uniform(-0.3, 0.7),
    TruncatedNormal.in_sigma(0.0, 1.0, -2.0, 2.0),
    TruncatedNormal.in_sigma(1.0, 2.0, -0.5, 3.0),
    TruncatedNormal.between(0.0, 1.0, 0.25, 0.75),
    TruncatedNormal.of_variance(0.04),
    Normal.of_variance(0.04),
    Uniform.of_variance(0.04),
]


def run(stream: Stream, count: int) -> Run:
    return Run(np, stream, 0, count, Workspace(stream))


def sample(law: Distribution, seed: int = 0, count: int = COUNT) -> np.ndarray:
    values = law.sample(run(stream_of(seed, "law"), count))
    assert values.dtype == np.float64
    return np.asarray(values)


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_sample_has_other_moments_than_stated(law: Distribution) -> None:
    """Within 5 standard errors: at fixed seeds a chance of 10^-6 once, and then never again."""
    values = sample(law)
    mean, std = law.moments
    fourth = ((values - mean) ** 4).mean() / std**4
    assert abs(values.mean() - mean) < 5 * std / math.sqrt(COUNT)
    assert abs(values.std() / std - 1) < 5 * math.sqrt((fourth - 1) / (4 * COUNT))


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_sample_leaves_its_extremes(law: Distribution) -> None:
    low, high = law.extremes
    values = sample(law)
    assert low <= values.min() <= values.max() <= high


@pytest.mark.parametrize("law", [LAWS[0], LAWS[1], LAWS[2]], ids=str)
def test_sample_has_another_shape_than_its_law(law: Distribution) -> None:
    """Kolmogorov's statistic below 2.2 / sqrt(n): exceeded by chance once in 10^4."""
    from scipy import stats

    mean, std = 0.0, 1.0
    if isinstance(law, Uniform):
        reference = stats.uniform(law.low, law.high - law.low)
    elif isinstance(law, Normal):
        reference = stats.norm(law.mean, law.std)
    else:
        reference = stats.truncnorm(-2.0, 2.0, mean, std)
    assert stats.kstest(sample(law), reference.cdf).statistic < 2.2 / math.sqrt(COUNT)


def test_streams_of_other_names_or_neighbours_are_correlated() -> None:
    law = Normal(0.0, 1.0)
    first = sample(law)
    other = np.asarray(law.sample(run(stream_of(0, "other"), COUNT)))
    pairs = [(first, other), (first, sample(law, seed=1)), (first[:-1], first[1:])]
    for a, b in pairs:
        assert abs(np.corrcoef(a, b)[0, 1]) < 5 / math.sqrt(COUNT)


@given(
    st.floats(-1e3, 1e3),
    st.floats(1e-3, 1e3),
    st.floats(-3, 2),
    st.floats(0.1, 3),
)
def test_absolute_truncation_passes_its_bounds(
    mean: float, std: float, start: float, width: float
) -> None:
    low, high = mean + std * start, mean + std * (start + width)
    law = TruncatedNormal.between(mean, std, low, high)
    least, most = law.extremes
    assert low <= least <= most <= high
    assert sample(law, count=1000).max() <= high
    assert sample(law, count=1000).min() >= low


def test_truncation_leaves_words_outside_that_fit() -> None:
    law = TruncatedNormal.in_sigma(0.0, 1.0, -2.0, 2.0)
    wider = TruncatedNormal(0.0, 1.0, law.first - 1, law.last + 1)
    assert law.extremes == (-2.0, 2.0)
    assert wider.extremes[0] < -2.0
    assert wider.extremes[1] > 2.0


@pytest.mark.parametrize("bounds", [(5.0, 6.0), (7.0, 8.0), (0.0, 1e-5)])
def test_nearly_empty_truncation_is_accepted(bounds: tuple[float, float]) -> None:
    with pytest.raises(EmptyTruncation, match="words fall between"):
        TruncatedNormal.in_sigma(0.0, 1.0, *bounds)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Uniform(-1.7e308, 1.7e308),
        lambda: Uniform(1.7e308, 1.75e308),
        lambda: Normal(0.0, 1e308),
        lambda: TruncatedNormal.between(0.0, 1e308, -1.0, 1.0),
    ],
)
def test_law_past_float64_is_accepted(make: object) -> None:
    with pytest.raises(LawOverflow, match="finite in float64"):
        make()  # type: ignore[operator]


def test_zero_std_gives_minus_zero() -> None:
    values = sample(Normal(0.0, 0.0), count=64)
    assert not np.signbit(values).any()


@pytest.mark.parametrize("groups", [1, 2])
def test_delta_is_not_the_identity_of_a_convolution(groups: int) -> None:
    law = Delta(2.0, Geometry((4, 2, 3, 3)), 0, 1, groups)
    values = sample(law, count=72).reshape(4, 2, 3, 3)
    expected = np.zeros((4, 2, 3, 3))
    for group in range(groups):
        for i in range(2):
            expected[group * 4 // groups + i, i, 1, 1] = 2.0
    assert (values == expected).all()
    mean, std = law.moments
    assert mean == pytest.approx(expected.mean())
    assert std == pytest.approx(expected.std())


def test_constant_is_not_constant() -> None:
    assert set(sample(Constant(0.1), count=10).tolist()) == {0.1}
