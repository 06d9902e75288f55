"""Flax 0.12: flax.linen.initializers and flax.nnx.initializers, which are JAX's own, and defaults.

Fans: as in JAX, the last axis out, the one before it in. DenseGeneral and attention draw their
kernels as flat matrices: state `fan`, or one layout letter for each contracted and each new axis.

Promises: as in JAX. Layers start with `lecun_normal`; an embedding of V rows and D columns with
variance 1 / D, not 1 / V.

Source: https://github.com/google/flax/tree/v0.12.8/flax
"""

from typing import Any

from service.catalogue.schemes.frameworks import jax

TITLE = "Flax 0.12"
LAYOUTS = jax.LAYOUTS

_JAX = "jax.nn.initializers"
_PATHS = ("flax.linen.initializers", "flax.nnx.initializers")

NAMES: dict[str, dict[str, Any]] = {
    **{name.replace(_JAX, path): init for path in _PATHS for name, init in jax.NAMES.items()},
    **{f"{path}.{name}_init": {"scheme": name} for path in _PATHS for name in ("zeros", "ones")},
    "flax.linen.linear.default_kernel_init": {
        "scheme": "lecun",
        "distribution": "truncated_normal",
    },
    "flax.linen.linear.default_embed_init": {
        "scheme": "variance_scaling",
        "distribution": "normal",
    },
}

UNMAPPED: dict[str, str] = {
    name.replace(_JAX, path): reason for path in _PATHS for name, reason in jax.UNMAPPED.items()
}

NOTES: dict[str, str] = {
    **{name.replace(_JAX, path): note for path in _PATHS for name, note in jax.NOTES.items()},
    "flax.linen.linear.default_embed_init": "fan_in is the embedding's width: give the table the"
    " layout OI, or none",
}
