"""JAX 0.10: jax.nn.initializers.

Fans: the last axis out, the one before it in, each times the rest (`in_axis`, `out_axis` and
`batch_axis` choose others: write them as a layout); a vector is refused.

Promises: every `*_normal` of a fan is cut at 2 sigma and widened to keep the variance;
`truncated_normal` is cut and not widened. `uniform` is one-sided: from 0 to 0.01.

Source: https://github.com/jax-ml/jax/blob/jax-v0.10.2/jax/_src/nn/initializers.py
"""

from typing import Any

TITLE = "JAX 0.10"
LAYOUTS = ("IO", "WIO", "HWIO", "DHWIO")

NAMES: dict[str, dict[str, Any]] = {
    "jax.nn.initializers.zeros": {"scheme": "zeros"},
    "jax.nn.initializers.ones": {"scheme": "ones"},
    "jax.nn.initializers.uniform": {"scheme": "uniform", "low": 0.0, "high": 0.01},
    "jax.nn.initializers.normal": {"scheme": "normal", "std": 0.01},
    "jax.nn.initializers.truncated_normal": {"scheme": "truncated_normal", "std": 0.01},
    **{
        f"jax.nn.initializers.{name}_{kind}": {"scheme": scheme, **distribution}
        for scheme, names, uniform in (
            ("xavier", ("glorot", "xavier"), {}),
            ("kaiming", ("he", "kaiming"), {"distribution": "uniform"}),
            ("lecun", ("lecun",), {"distribution": "uniform"}),
        )
        for name in names
        for kind, distribution in (
            ("uniform", uniform),
            ("normal", {"distribution": "truncated_normal"}),
        )
    },
    "jax.nn.initializers.orthogonal": {"scheme": "orthogonal"},
    "jax.nn.initializers.delta_orthogonal": {"scheme": "delta_orthogonal"},
}

UNMAPPED: dict[str, str] = {
    "jax.nn.initializers.constant": 'needs a value; for 0.1: {"scheme": "constant", "value": 0.1}',
    "jax.nn.initializers.variance_scaling": "needs scale, mode and distribution, named as here; for"
    ' 2.0, "fan_out", "normal":'
    ' {"scheme": "variance_scaling", "scale": 2.0, "mode": "fan_out", "distribution": "normal"}',
}

NOTES: dict[str, str] = {
    "jax.nn.initializers.delta_orthogonal": "the same for odd kernels; the centre of an even side k"
    " is (k - 1) // 2 there and k // 2 here",
}
