"""Warnings: what a recipe may request but probably does not intend, each with a suggested fix."""

import re
from collections.abc import Callable, Container, Sequence

from service.catalogue.distributions import Normal, TruncatedNormal
from service.errors import Problem, SchemeError, truncate
from service.plan.model import PlannedTensor
from service.sources import Region

_MAX_WARNINGS = 20

_PACKED = re.compile(r"qkv|in_proj|c_attn|query_key_value|kv_proj", re.IGNORECASE)
_TRANSPOSED = re.compile(r"deconv|conv_?transpose|upconv|conv_?t\b", re.IGNORECASE)
_HEAD = re.compile(
    r"(^|[./])(lm_head|head|classifier|logits|score|softmax)([./](weight|kernel))?$", re.IGNORECASE
)

_FAN_OUT_MODES = {"fan_out", "fan_avg", "fan_geo_avg", "FAN_OUT", "FAN_AVG", "AVERAGE"}
_DISTRIBUTION_SUFFIXED = {"xavier", "kaiming", "lecun"}


def warnings_of(
    tensors: Sequence[PlannedTensor], expanded: Container[str] = frozenset()
) -> tuple[Problem, ...]:
    """Return the first warnings, and one that counts the rest.

    Args:
        tensors: The planned tensors.
        expanded: Names of the tensors that come from a layer or a model. Their layouts do not show
            which framework the user expects.
    """
    found = [
        Problem("", f"{truncate(tensor.name)}: {detail}")
        for tensor in tensors
        for region in tensor.source.regions
        for check in _CHECKS
        if check is not _plain_normal_in_keras or tensor.name not in expanded
        if (detail := check(tensor, region)) is not None
    ]
    if len(found) > _MAX_WARNINGS:
        rest = len(found) - _MAX_WARNINGS
        return (*found[:_MAX_WARNINGS], Problem("", f"and {rest} more like these"))
    return tuple(found)


def _subnormal_std(tensor: PlannedTensor, region: Region) -> str | None:
    """The std is too small for the dtype."""
    std = region.law.moments[1]
    if not 0.0 < std < tensor.dtype.smallest:
        return None
    return (
        f"a std of {std:g} is below {tensor.dtype.name}'s smallest normal value,"
        f" {tensor.dtype.smallest:g}"
    )


def _packed_projections(tensor: PlannedTensor, region: Region) -> str | None:
    """Several projections in one tensor share one fan_out."""
    by_fan_out = region.scheme.scheme == "xavier" or _mode(region) in _FAN_OUT_MODES
    if not by_fan_out or len(tensor.source.regions) > 1 or region.geometry.fan is not None:
        return None
    if not _PACKED.search(tensor.name):
        return None
    return (
        "several projections in one tensor get the fan_out of all of them together, which makes"
        ' their weights smaller: state "parts", one for each projection, or "fan"'
    )


def _transposed_convolution(tensor: PlannedTensor, region: Region) -> str | None:
    """Without a layout, the inputs of a transposed convolution count as its outputs."""
    geometry = region.geometry
    if geometry.layout or geometry.fan or not 3 <= len(geometry.shape) <= 5 or not _by_fan(region):
        return None
    if not _TRANSPOSED.search(tensor.name):
        return None
    return (
        "a transposed convolution is stored (in, out, ...), and without a layout axis 0 counts as"
        f' outputs: state "layout": "IO{"DHW"[5 - len(geometry.shape) :]}"'
    )


def _truncates_nothing(tensor: PlannedTensor, region: Region) -> str | None:
    """The absolute bounds are outside the range of the distribution."""
    law = region.law
    if not isinstance(law, TruncatedNormal) or law.std == 0.0 or law.last - law.first < 2**32 - 1:
        return None
    return (
        "the bounds are outside the range of the normal distribution, so nothing is truncated: give"
        ' them in standard deviations, "bounds_in": "sigma"'
    )


def _plain_normal_in_keras(tensor: PlannedTensor, region: Region) -> str | None:
    """The layout is that of Keras or JAX, whose initializers of this name are truncated."""
    layout, scheme = region.geometry.layout or "", region.scheme
    if not layout.endswith("IO") or scheme.scheme not in _DISTRIBUTION_SUFFIXED:
        return None
    if not isinstance(region.law, Normal):
        return None
    return (
        f"{scheme.scheme}_normal is a plain normal, but Keras and JAX truncate it at 2 sigma:"
        f' to match them, use "{scheme.scheme}_truncated_normal"'
    )


def _vector(tensor: PlannedTensor, region: Region) -> str | None:
    """The fans of a vector are 1 and its length."""
    if len(region.geometry.shape) != 1 or region.geometry.fan or not _by_fan(region):
        return None
    return (
        "a tensor of one axis has a fan of 1 in one direction: for a bias, use zeros or state the"
        ' fans of its layer, "fan": {"in": ..., "out": ...}'
    )


def _rectified_head(tensor: PlannedTensor, region: Region) -> str | None:
    """The init has the gain of ReLU, but no ReLU follows."""
    if getattr(region.scheme, "nonlinearity", getattr(region.scheme, "gain", None)) != "relu":
        return None
    if len(region.geometry.shape) < 2 or not _HEAD.search(tensor.name):
        return None
    return (
        "no ReLU follows a head whose outputs go to a softmax or a loss, but the init has the gain"
        " of ReLU, which doubles their variance: use lecun or xavier"
    )


_CHECKS: tuple[Callable[[PlannedTensor, Region], str | None], ...] = (
    _subnormal_std,
    _packed_projections,
    _transposed_convolution,
    _truncates_nothing,
    _plain_normal_in_keras,
    _vector,
    _rectified_head,
)


def _mode(region: Region) -> object:
    scheme = region.scheme
    return getattr(scheme, "mode", getattr(scheme, "variance_norm", None))


def _by_fan(region: Region) -> bool:
    """Whether the std is computed from a fan."""
    schemes = {"xavier", "lecun", "siren", "spectral_mup"}
    if region.scheme.scheme not in schemes and _mode(region) is None:
        return False
    try:
        return bool(region.geometry.fans)
    except SchemeError:
        return False
