"""Multi-head attention.

Sources:
    torch.nn.MultiheadAttention:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html
    keras.layers.MultiHeadAttention: https://keras.io/api/layers/attention_layers/multi_head_attention/
    flax.linen.MultiHeadDotProductAttention:
        https://flax.readthedocs.io/en/latest/api_reference/flax.linen/layers.html
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from service.catalogue.layers.defaults import FLAX, KERAS, TORCH, TORCH_PACKED, ZEROS
from service.catalogue.layers.form import Parameter, StoredTensor
from service.catalogue.layers.layer import Layer, Size
from service.catalogue.model_schemes.role import Role, RoleName
from service.catalogue.schemes import Scheme
from service.errors import LayerError

_PROJECTIONS: tuple[RoleName, ...] = ("query", "key", "value")


class MultiheadAttention(Layer):
    """Attention with several heads: queries, keys and values of one width, projected back to it.

    If ``depth`` is set, its projections have separate roles: query, key, value and out.
    """

    source: ClassVar[str] = (
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html"
    )
    example: ClassVar[dict[str, Any]] = {"embed_dim": 6, "num_heads": 2}
    type: Literal["multihead_attention"]
    embed_dim: Size
    num_heads: Size
    bias: bool = True

    def parameters(self) -> Iterator[Parameter]:
        """Yield the projections in and out, and their biases if it has any.

        Raises:
            LayerError: The heads do not divide the width.
        """
        width, heads = self.embed_dim, self.num_heads
        if width % heads:
            raise LayerError(f"num_heads ({heads}) must divide embed_dim ({width})")
        inner = {"G": 3, "O": heads, "P": width // heads, "I": width}
        outer = {"O": width, "I": heads, "J": width // heads}
        into = Parameter(
            "weight",
            inner,
            {
                "pytorch": (StoredTensor("in_proj_weight", "(G O P) I", TORCH_PACKED),),
                "keras": _each("/kernel", "I O P", KERAS),
                "flax": _each(".kernel", "I O P", FLAX),
            },
            roles=_PROJECTIONS if self.depth else (),
        )
        out_of = Parameter(
            "weight",
            outer,
            {
                "pytorch": (StoredTensor("out_proj.weight", "O (I J)", TORCH),),
                "keras": (StoredTensor("attention_output/kernel", "I J O", KERAS),),
                "flax": (StoredTensor("out.kernel", "I J O", FLAX),),
            },
            roles=("out",) if self.depth else (),
        )
        yield from (into, out_of)
        if self.bias:
            yield from self._biases(into, out_of)

    def _biases(self, into: Parameter, out_of: Parameter) -> Iterator[Parameter]:
        yield Parameter(
            "bias",
            {axis: size for axis, size in into.sizes.items() if axis != "I"},
            {
                "pytorch": (StoredTensor("in_proj_bias", "(G O P)", ZEROS),),
                "keras": _each("/bias", "O P", ZEROS),
                "flax": _each(".bias", "O P", ZEROS),
            },
            fan=into.fans,
        )
        yield Parameter(
            "bias",
            {"O": self.embed_dim},
            {
                "pytorch": (StoredTensor("out_proj.bias", "O", ZEROS),),
                "keras": (StoredTensor("attention_output/bias", "O", ZEROS),),
                "flax": (StoredTensor("out.bias", "O", ZEROS),),
            },
            fan=out_of.fans,
        )

    def role_of(self, name: RoleName) -> Role:
        """Return the role of one of its weights; the output projection's role has the heads."""
        role = super().role_of(name)
        return role._replace(heads=self.num_heads) if name == "out" else role


def _each(suffix: str, form: str, init: Scheme) -> tuple[StoredTensor, ...]:
    """Return a tensor for each projection."""
    return tuple(
        StoredTensor(name + suffix, form, init, at={"G": index})
        for index, name in enumerate(_PROJECTIONS)
    )
