"""What the tests of schemes over models share: blocks of layers, small models, planned inits."""

from typing import Any

from mpmath import mp, mpf

from service.catalogue.schemes import Scheme
from tests.support import plan_of

mp.dps = 50

WIDTH, INNER = 64, 128

MODELS: dict[str, dict[str, Any]] = {
    "gpt2": {"preset": "gpt2", "n_layer": 3, "n_embd": 64, "n_head": 4, "vocab_size": 97},
    "llama": {
        "preset": "llama-3.2-1b",
        "num_hidden_layers": 2,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": None,
        "vocab_size": 97,
        "tie_word_embeddings": False,
    },
    "bert": {
        "preset": "bert-base-uncased",
        "num_hidden_layers": 5,
        "hidden_size": 64,
        "num_attention_heads": 4,
        "vocab_size": 97,
    },
    "t5": {"preset": "t5-small", "num_layers": 2, "num_decoder_layers": 3, "vocab_size": 97},
    "resnet18": {"preset": "resnet18"},
    "resnet50": {"preset": "resnet50"},
}


def layers(stack: str = "decoder", blocks: int = 3) -> list[dict[str, Any]]:
    """Return the linear layers of a stack of blocks."""
    made = []
    for depth in range(1, blocks + 1):
        at = f"{stack}.{depth - 1}."
        for name, role, ins, outs in (
            ("attn.q", "query", WIDTH, WIDTH),
            ("attn.k", "key", WIDTH, WIDTH),
            ("attn.v", "value", WIDTH, WIDTH),
            ("attn.o", "out", WIDTH, WIDTH),
            ("ffn.up", "ffn_in", WIDTH, INNER),
            ("ffn.down", "ffn_out", INNER, WIDTH),
        ):
            made.append(linear(at + name, ins, outs, role, depth=depth, stack=stack))
    return made


def linear(name: str, ins: int, outs: int, role: str, **members: Any) -> dict[str, Any]:
    sizes = {"in_features": ins, "out_features": outs}
    return {"name": name, "type": "linear", "role": role, **sizes, **members}


def over_layers(scheme: Any, of: list[dict[str, Any]], **members: Any) -> dict[str, Any]:
    return {"seed": 1, "layers": of, "model_scheme": scheme, **members}


def over_model(scheme: Any, model: str, **members: Any) -> dict[str, Any]:
    return {"seed": 1, "model": MODELS[model] | members, "model_scheme": scheme}


def inits_of(recipe: dict[str, Any]) -> dict[str, Scheme]:
    """Return the planned init of every tensor, and of every part of a packed one as name[part]."""
    found: dict[str, Scheme] = {}
    for tensor in plan_of(recipe).tensors:
        for index, region in enumerate(tensor.source.regions):
            found[f"{tensor.name}[{index}]" if len(tensor.source.regions) > 1 else tensor.name] = (
                region.scheme
            )
    return found


def shapes_of(recipe: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    return {tensor.name: tensor.shape for tensor in plan_of(recipe).tensors}


def root(number: Any, degree: int = 2) -> mpf:
    return mpf(number) ** (mpf(1) / degree)
