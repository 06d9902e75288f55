"""Schemes: the field's initializers, each a map from a tensor's geometry to a law.

One scheme a file (families of one formula share one), and this table. A new scheme is a file, a
line here, a row in tests/golden/v1.kat and a section in docs/schemes.md.
"""

from typing import Any

from service.catalogue.schemes.bilinear import Bilinear
from service.catalogue.schemes.caffe import CaffeXavier, Msra
from service.catalogue.schemes.constant import Constant, Ones, Zeros
from service.catalogue.schemes.critical import Critical
from service.catalogue.schemes.dirac import Dirac
from service.catalogue.schemes.frameworks import FRAMEWORK_ALIASES, FRAMEWORKS
from service.catalogue.schemes.frameworks import UNMAPPED as FRAMEWORKS_UNMAPPED
from service.catalogue.schemes.identity import Identity
from service.catalogue.schemes.kaiming import Kaiming
from service.catalogue.schemes.lecun import LeCun
from service.catalogue.schemes.lstm import Chrono, LstmForget
from service.catalogue.schemes.normal import Normal
from service.catalogue.schemes.orthogonal import DeltaOrthogonal, Orthogonal
from service.catalogue.schemes.positive_unitball import PositiveUnitball
from service.catalogue.schemes.scheme import Scheme
from service.catalogue.schemes.sinusoidal import Sinusoidal
from service.catalogue.schemes.siren import Siren
from service.catalogue.schemes.sparse import Sparse
from service.catalogue.schemes.spectral_mup import SpectralMup
from service.catalogue.schemes.tf_variance_scaling import TfVarianceScaling
from service.catalogue.schemes.truncated_normal import TruncatedNormal
from service.catalogue.schemes.uniform import Uniform
from service.catalogue.schemes.variance_scaling import VarianceScaling
from service.catalogue.schemes.xavier import Xavier
from service.catalogue.schemes.zero import Zero

AnyScheme = (
    Zeros
    | Ones
    | Constant
    | Uniform
    | Normal
    | TruncatedNormal
    | VarianceScaling
    | Xavier
    | Kaiming
    | LeCun
    | CaffeXavier
    | Msra
    | TfVarianceScaling
    | Orthogonal
    | DeltaOrthogonal
    | Identity
    | Dirac
    | Sparse
    | Bilinear
    | PositiveUnitball
    | Siren
    | Critical
    | SpectralMup
    | Zero
    | LstmForget
    | Chrono
    | Sinusoidal
)
"""Every scheme, for the recipe's discriminated union."""

SCHEMES: dict[str, type[Scheme]] = {
    kind.__dataclass_fields__["scheme"].default: kind for kind in AnyScheme.__args__
}
"""Every scheme by the name that a recipe gives it."""

SCHEME_ALIASES = {"glorot": "xavier", "he": "kaiming", "eye": "identity", "irnn": "identity"}
"""Other names that an object's ``scheme`` may have."""


def _family(scheme: str, *names: str) -> dict[str, dict[str, Any]]:
    return {
        f"{name}_{distribution}": {"scheme": scheme, "distribution": distribution}
        for name in names
        for distribution in ("uniform", "normal", "truncated_normal")
    }


ALIASES: dict[str, dict[str, Any]] = {
    **{name: {"scheme": name} for name in SCHEMES},
    **{alias: {"scheme": name} for alias, name in SCHEME_ALIASES.items()},
    **_family("xavier", "xavier", "glorot"),
    **_family("kaiming", "kaiming", "he"),
    **_family("lecun", "lecun"),
}
"""Our own names for ``init``, with their objects; `FRAMEWORK_ALIASES` has the frameworks' names."""

UNMAPPED: dict[str, str] = FRAMEWORKS_UNMAPPED | {
    "lsuv": "its scales come from a batch; POST /v1/calibrate, or tensorseed calibrate, finds them"
    " and writes them into the recipe as gains of orthogonal"
}
"""Names without an object, with the reason and a fix."""

__all__ = [
    "ALIASES",
    "FRAMEWORKS",
    "FRAMEWORK_ALIASES",
    "SCHEMES",
    "SCHEME_ALIASES",
    "AnyScheme",
    "Bilinear",
    "CaffeXavier",
    "Chrono",
    "Constant",
    "Critical",
    "DeltaOrthogonal",
    "Dirac",
    "Identity",
    "Kaiming",
    "LeCun",
    "LstmForget",
    "Msra",
    "Normal",
    "Ones",
    "Orthogonal",
    "PositiveUnitball",
    "Scheme",
    "Sinusoidal",
    "Siren",
    "Sparse",
    "SpectralMup",
    "UNMAPPED",
    "TfVarianceScaling",
    "TruncatedNormal",
    "Uniform",
    "VarianceScaling",
    "Xavier",
    "Zero",
    "Zeros",
]
