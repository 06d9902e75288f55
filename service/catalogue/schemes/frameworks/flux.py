"""Flux.jl (master): its initializers, with shapes written as Julia shows them.

Fans: a matrix is out, in; a kernel ends in in, out, each times the rest; a vector of n has 1 and n,
and needs a stated `fan` here. Julia stores the first axis fastest, so bytes dumped as they lie have
the shape and the layout reversed.

Promises: every normal of a fan is a plain one. The bounds of `truncated_normal` are values.

Source: https://github.com/FluxML/Flux.jl/blob/master/src/utils.jl
"""

from typing import Any

TITLE = "Flux.jl"
LAYOUTS = ("OI", "WIO", "WHIO", "WHDIO")

NAMES: dict[str, dict[str, Any]] = {
    "Flux.zeros32": {"scheme": "zeros"},
    "Flux.ones32": {"scheme": "ones"},
    "Flux.rand32": {"scheme": "uniform", "low": 0.0, "high": 1.0},
    "Flux.randn32": {"scheme": "normal", "std": 1.0},
    "Flux.glorot_uniform": {"scheme": "xavier"},
    "Flux.glorot_normal": {"scheme": "xavier", "distribution": "normal"},
    "Flux.kaiming_uniform": {"scheme": "kaiming", "distribution": "uniform"},
    "Flux.kaiming_normal": {"scheme": "kaiming"},
    "Flux.truncated_normal": {"scheme": "truncated_normal", "std": 1.0, "bounds_in": "absolute"},
    "Flux.lecun_normal": {"scheme": "lecun"},
    "Flux.orthogonal": {"scheme": "orthogonal"},
    "Flux.identity_init": {"scheme": "identity"},
}

UNMAPPED: dict[str, str] = {
    "Flux.sparse_init": 'needs a sparsity; for 0.9: {"scheme": "sparse", "sparsity": 0.9}',
}

NOTES: dict[str, str] = {
    "Flux.lecun_normal": "cut at the values +-2, which no draw reaches from fan_in 11 on; below:"
    ' `{"scheme": "truncated_normal", "std": 1 / sqrt(fan_in), "bounds_in": "absolute"}`',
    "Flux.identity_init": "for matrices; kernels: `dirac`, whose centre of an even side k is"
    " k // 2, not (k - 1) // 2; vectors: `zeros`",
}
