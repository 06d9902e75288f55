"""Warnings: what a recipe may ask for and probably does not mean, each with the way out."""

import re
from collections.abc import Callable, Container, Sequence

from service.catalogue.distributions import Normal, TruncatedNormal
from service.errors import Problem, SchemeError, truncate
from service.plan.model import PlannedTensor
from service.sources import Region

_MOST = 20

_PACKED = re.compile(r"qkv|in_proj|c_attn|query_key_value|kv_proj", re.IGNORECASE)
_TRANSPOSED = re.compile(r"deconv|conv_?transpose|upconv|conv_?t\b", re.IGNORECASE)
_HEAD = re.compile(
    r"(^|[./])(lm_head|head|classifier|logits|score|softmax)([./](weight|kernel))?$", re.IGNORECASE
)

_BOTH_WAYS = {"fan_out", "fan_avg", "fan_geo_avg", "FAN_OUT", "FAN_AVG", "AVERAGE"}
_DISTRIBUTED = {"xavier", "kaiming", "lecun"}


def warnings_of(
    tensors: Sequence[PlannedTensor], made: Container[str] = frozenset()
) -> tuple[Problem, ...]:
    """Return the first warnings, and a count of the rest.

    Args:
        tensors: What is planned.
        made: Names of those that a layer or a model has made: their layouts are no sign of a
            framework's user.
    """
    found = [
        Problem("", f"{truncate(tensor.name)}: {said}")
        for tensor in tensors
        for region in tensor.source.regions
        for check in _CHECKS
        if check is not _plain_in_keras or tensor.name not in made
        if (said := check(tensor, region)) is not None
    ]
    if len(found) > _MOST:
        return (*found[:_MOST], Problem("", f"and {len(found) - _MOST} more like these"))
    return tuple(found)


def _too_fine(tensor: PlannedTensor, region: Region) -> str | None:
    """The dtype cannot show the law's spread."""
    std = region.law.moments[1]
    if not 0.0 < std < tensor.dtype.smallest:
        return None
    return (
        f"a std of {std:g} is below {tensor.dtype.name}'s smallest normal value,"
        f" {tensor.dtype.smallest:g}"
    )


def _packed(tensor: PlannedTensor, region: Region) -> str | None:
    """Several projections side by side share one fan_out."""
    by_fan_out = region.scheme.scheme == "xavier" or _mode(region) in _BOTH_WAYS
    if not by_fan_out or len(tensor.source.regions) > 1 or region.geometry.fan is not None:
        return None
    if not _PACKED.search(tensor.name):
        return None
    return (
        "several projections side by side are taken for one of their fan_out together, which"
        ' makes their weights smaller: state "parts", one a projection, or "fan"'
    )


def _transposed(tensor: PlannedTensor, region: Region) -> str | None:
    """PyTorch's rule takes a transposed convolution's outputs for its inputs."""
    geometry = region.geometry
    if geometry.layout or geometry.fan or not 3 <= len(geometry.shape) <= 5 or not _by_fan(region):
        return None
    if not _TRANSPOSED.search(tensor.name):
        return None
    return (
        "a transposed convolution is stored (in, out, ...), and without a layout axis 0 counts as"
        f' outputs: state "layout": "IO{"DHW"[5 - len(geometry.shape) :]}"'
    )


def _cuts_nothing(tensor: PlannedTensor, region: Region) -> str | None:
    """Absolute bounds far outside the law."""
    law = region.law
    if not isinstance(law, TruncatedNormal) or law.std == 0.0 or law.last - law.first < 2**32 - 1:
        return None
    return (
        "the bounds lie beyond everything that the normal law reaches, so nothing is cut: give"
        ' them in standard deviations, "bounds_in": "sigma"'
    )


def _plain_in_keras(tensor: PlannedTensor, region: Region) -> str | None:
    """The layout is Keras's or JAX's, whose initializers of this name are truncated."""
    layout, scheme = region.geometry.layout or "", region.scheme
    if not layout.endswith("IO") or scheme.scheme not in _DISTRIBUTED:
        return None
    if not isinstance(region.law, Normal):
        return None
    return (
        f"{scheme.scheme}_normal is a plain normal, and Keras's and JAX's of that name is cut at 2"
        f' sigma: for theirs write "{scheme.scheme}_truncated_normal"'
    )


def _vector(tensor: PlannedTensor, region: Region) -> str | None:
    """A vector's fans are 1 and its length."""
    if len(region.geometry.shape) != 1 or region.geometry.fan or not _by_fan(region):
        return None
    return (
        "one axis has a fan of 1 in one direction: a bias takes zeros, or the layer's own"
        ' "fan": {"in": ..., "out": ...}'
    )


def _rectified_head(tensor: PlannedTensor, region: Region) -> str | None:
    """The gain of a rectifier where none follows."""
    if getattr(region.scheme, "nonlinearity", getattr(region.scheme, "gain", None)) != "relu":
        return None
    if len(region.geometry.shape) < 2 or not _HEAD.search(tensor.name):
        return None
    return (
        "no ReLU follows a head whose outputs go to a softmax or a loss, and its gain doubles"
        " their variance: lecun or xavier keep it"
    )


_CHECKS: tuple[Callable[[PlannedTensor, Region], str | None], ...] = (
    _too_fine,
    _packed,
    _transposed,
    _cuts_nothing,
    _plain_in_keras,
    _vector,
    _rectified_head,
)


def _mode(region: Region) -> object:
    scheme = region.scheme
    return getattr(scheme, "mode", getattr(scheme, "variance_norm", None))


def _by_fan(region: Region) -> bool:
    """Whether the law's spread follows from a fan."""
    named = {"xavier", "lecun", "siren", "spectral_mup"}
    if region.scheme.scheme not in named and _mode(region) is None:
        return False
    try:
        return bool(region.geometry.fans)
    except SchemeError:
        return False
