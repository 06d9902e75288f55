"""Every type of layer, here and in the frameworks."""

from typing import Any

from tests.catalogue.layers.frameworks import Case


def convolution(rank: int, groups: int) -> Case:
    sizes: dict[str, Any] = {"in_channels": 12, "out_channels": 20, "groups": groups}
    size = (3, 5, 2)[:rank]
    return Case(
        {"type": f"conv{rank}d", "kernel_size": list(size), **sizes},
        lambda nn: getattr(nn, f"Conv{rank}d")(kernel_size=size, **sizes),
        lambda layers, name: getattr(layers, f"Conv{rank}D")(20, size, groups=groups, **name),
        lambda nn: nn.Conv(20, size, feature_group_count=groups),
        (*[7] * rank, 12),
    )


def transposed(rank: int) -> Case:
    sizes = {"in_channels": 12, "out_channels": 20}
    size = (3, 5, 2)[:rank]
    return Case(
        {"type": f"conv_transpose{rank}d", "kernel_size": list(size), **sizes},
        lambda nn: getattr(nn, f"ConvTranspose{rank}d")(kernel_size=size, **sizes),
        lambda layers, name: getattr(layers, f"Conv{rank}DTranspose")(20, size, **name),
        lambda nn: nn.ConvTranspose(20, size),
        (*[7] * rank, 12),
    )


def recurrent(kind: str, torch: str, keras: str, flax: str, **members: Any) -> Case:
    sizes = {"input_size": 30, "hidden_size": 24, **members}
    if members:
        return Case({"type": kind, **sizes}, lambda nn: getattr(nn, torch)(**sizes))
    return Case(
        {"type": kind, **sizes},
        lambda nn: getattr(nn, torch)(**sizes),
        lambda layers, name: getattr(layers, keras)(24, **name),
        lambda nn: getattr(nn, flax)(24),
        (5, 30),
    )


def stacked(kind: str, torch: str) -> Case:
    return recurrent(kind, torch, "", "", num_layers=2, bidirectional=True)


CASES = {
    "linear": Case(
        {"type": "linear", "in_features": 60, "out_features": 30},
        lambda nn: nn.Linear(60, 30),
        lambda layers, name: layers.Dense(30, **name),
        lambda nn: nn.Dense(30),
        (60,),
    ),
    "linear without bias": Case(
        {"type": "linear", "in_features": 60, "out_features": 30, "bias": False},
        lambda nn: nn.Linear(60, 30, bias=False),
        lambda layers, name: layers.Dense(30, use_bias=False, **name),
        lambda nn: nn.Dense(30, use_bias=False),
        (60,),
    ),
    "bilinear": Case(
        {"type": "bilinear", "in1_features": 12, "in2_features": 20, "out_features": 30},
        lambda nn: nn.Bilinear(12, 20, 30),
    ),
    "embedding": Case(
        {"type": "embedding", "num_embeddings": 100, "embedding_dim": 32},
        lambda nn: nn.Embedding(100, 32),
        lambda layers, name: layers.Embedding(100, 32, **name),
        lambda nn: nn.Embed(100, 32),
        (5,),
    ),
    "embedding with padding": Case(
        {"type": "embedding", "num_embeddings": 100, "embedding_dim": 32, "padding_idx": -3},
        lambda nn: nn.Embedding(100, 32, padding_idx=-3),
    ),
    **{f"conv{rank}d": convolution(rank, 1) for rank in (1, 2, 3)},
    **{f"conv{rank}d in groups": convolution(rank, 4) for rank in (1, 2, 3)},
    **{f"conv_transpose{rank}d": transposed(rank) for rank in (1, 2, 3)},
    "conv_transpose2d in groups": Case(
        {"type": "conv_transpose2d", "in_channels": 12, "out_channels": 20, "kernel_size": 3}
        | {"groups": 4},
        lambda nn: nn.ConvTranspose2d(12, 20, 3, groups=4),
    ),
    "depthwise_conv2d": Case(
        {"type": "depthwise_conv2d", "channels": 12, "kernel_size": [3, 5], "multiplier": 2},
        lambda nn: nn.Conv2d(12, 24, (3, 5), groups=12),
        lambda layers, name: layers.DepthwiseConv2D((3, 5), depth_multiplier=2, **name),
        lambda nn: nn.Conv(24, (3, 5), feature_group_count=12),
        (7, 7, 12),
    ),
    "separable_conv2d": Case(
        {"type": "separable_conv2d", "in_channels": 12, "out_channels": 20, "kernel_size": [3, 5]}
        | {"multiplier": 2},
        keras=lambda layers, name: layers.SeparableConv2D(20, (3, 5), depth_multiplier=2, **name),
        shape=(7, 7, 12),
    ),
    "rnn": recurrent("rnn", "RNN", "SimpleRNN", "SimpleCell"),
    "lstm": recurrent("lstm", "LSTM", "LSTM", "LSTMCell"),
    "gru": recurrent("gru", "GRU", "GRU", "GRUCell"),
    "rnn in layers": stacked("rnn", "RNN"),
    "lstm in layers": stacked("lstm", "LSTM"),
    "gru in layers": stacked("gru", "GRU"),
    "multihead_attention": Case(
        {"type": "multihead_attention", "embed_dim": 48, "num_heads": 4},
        lambda nn: nn.MultiheadAttention(48, 4),
        lambda layers, name: layers.MultiHeadAttention(4, 12, **name),
        lambda nn: nn.MultiHeadDotProductAttention(4),
        (5, 48),
    ),
    "layer_norm": Case(
        {"type": "layer_norm", "normalized_shape": 8},
        lambda nn: nn.LayerNorm(8),
        lambda layers, name: layers.LayerNormalization(**name),
        lambda nn: nn.LayerNorm(),
        (5, 8),
    ),
    "layer_norm over two axes": Case(
        {"type": "layer_norm", "normalized_shape": [5, 8], "bias": False},
        lambda nn: nn.LayerNorm((5, 8), bias=False),
        lambda layers, name: layers.LayerNormalization(axis=[1, 2], center=False, **name),
        lambda nn: nn.LayerNorm(reduction_axes=(-2, -1), feature_axes=(-2, -1), use_bias=False),
        (5, 8),
    ),
    "rms_norm": Case(
        {"type": "rms_norm", "normalized_shape": 8},
        lambda nn: nn.RMSNorm(8),
        lambda layers, name: layers.RMSNormalization(**name),
        lambda nn: nn.RMSNorm(),
        (5, 8),
    ),
    "batch_norm": Case(
        {"type": "batch_norm", "num_features": 8},
        lambda nn: nn.BatchNorm2d(8),
        lambda layers, name: layers.BatchNormalization(**name),
        lambda nn: nn.BatchNorm(use_running_average=True),
        (5, 8),
    ),
    "batch_norm without affine": Case(
        {"type": "batch_norm", "num_features": 8, "affine": False},
        lambda nn: nn.BatchNorm2d(8, affine=False),
        lambda layers, name: layers.BatchNormalization(center=False, scale=False, **name),
        lambda nn: nn.BatchNorm(use_running_average=True, use_bias=False, use_scale=False),
        (5, 8),
    ),
    "group_norm": Case(
        {"type": "group_norm", "num_groups": 2, "num_channels": 8},
        lambda nn: nn.GroupNorm(2, 8),
        lambda layers, name: layers.GroupNormalization(2, **name),
        lambda nn: nn.GroupNorm(2),
        (5, 8),
    ),
    "instance_norm": Case(
        {"type": "instance_norm", "num_features": 8, "affine": True},
        lambda nn: nn.InstanceNorm2d(8, affine=True),
        flax=lambda nn: nn.InstanceNorm(),
        shape=(5, 8),
    ),
    "instance_norm that tracks": Case(
        {"type": "instance_norm", "num_features": 8, "track_running_stats": True},
        lambda nn: nn.InstanceNorm2d(8, track_running_stats=True),
    ),
    "prelu": Case(
        {"type": "prelu"},
        lambda nn: nn.PReLU(),
        flax=lambda nn: nn.PReLU(),
        shape=(8,),
    ),
    "prelu of each channel": Case(
        {"type": "prelu", "num_parameters": 8},
        lambda nn: nn.PReLU(8),
        lambda layers, name: layers.PReLU(**name),
        shape=(8,),
    ),
}
