"""Write the fixtures of models: what transformers and torchvision save for a configuration.

`python -m tools.model_fixtures [name ...]` in an environment with torch, torchvision and
transformers. Small models are built, saved and read back, so their names are those on disk and
their moments those of a real initialization. Presets are too large for that: their configurations
are those of `service/catalogue/models/presets/`, and names and shapes come from the code that
saving runs, on the meta device; the small models prove that both ways agree.
"""

import dataclasses
import importlib
import json
import struct
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

FIXTURES = Path("tests/catalogue/models/fixtures")
PRESETS = Path("service/catalogue/models/presets")
SEED = 20261124
DTYPES = {"torch.float32": "F32", "torch.int64": "I64"}
NUMPY = {"F32": "<f4", "I64": "<i8"}

Tensors = dict[str, tuple[str, list[int]]]
Moments = dict[str, list[float]]


@dataclasses.dataclass(frozen=True)
class Small:
    """A class of transformers and what it is built with.

    `after` is set on the configuration once it exists: T5's overrides what it is told. `without`
    are tensors that no model has that is loaded from a file.
    """

    model: str
    config: Mapping[str, Any]
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    after: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    without: tuple[str, ...] = ()


# 128 wide, so that the std of the smallest matrix is known to 1 %; the deviations from the default
# range show which of the values are proportional to it.
SIZE = {
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 256,
}
LABELS = {"id2label": {str(index): f"LABEL_{index}" for index in range(5)}}
GPT2 = {"vocab_size": 512, "n_positions": 64, "n_embd": 128, "n_layer": 3, "n_head": 4}
GPT2 |= {"bos_token_id": 1, "eos_token_id": 1}
LLAMA = SIZE | {"vocab_size": 512, "max_position_embeddings": 64}
QWEN = LLAMA | {"num_key_value_heads": 2}
BERT = LLAMA
IMAGE = SIZE | {"image_size": 32, "patch_size": 8}
T5 = {"vocab_size": 512, "d_model": 128, "d_kv": 24, "d_ff": 256, "num_layers": 2, "num_heads": 4}
WHISPER = {
    "vocab_size": 512,
    "num_mel_bins": 20,
    "d_model": 128,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 256,
    "decoder_ffn_dim": 384,
    "max_source_positions": 60,
    "max_target_positions": 40,
    "pad_token_id": 7,
    "bos_token_id": 1,
    "eos_token_id": 1,
    "decoder_start_token_id": 2,
    "begin_suppress_tokens": [3],
}
TEXT = SIZE | {"vocab_size": 512, "max_position_embeddings": 24, "projection_dim": 96}
TEXT |= {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3}
VISION = IMAGE | {"hidden_size": 160, "num_hidden_layers": 3, "projection_dim": 96}
CLIP = {"text_config": TEXT, "vision_config": VISION, "projection_dim": 96}
RESNET = {"embedding_size": 32, "hidden_sizes": [64, 96], "depths": [2, 1], **LABELS}

SMALL = {
    "gpt2-lm": Small("GPT2LMHeadModel", GPT2),
    "gpt2-lm-untied": Small("GPT2LMHeadModel", GPT2 | {"tie_word_embeddings": False}),
    "gpt2-base": Small("GPT2Model", GPT2 | {"initializer_range": 0.05}),
    "gpt2-inner": Small("GPT2LMHeadModel", GPT2 | {"n_inner": 192}),
    "gpt2-cross": Small("GPT2LMHeadModel", GPT2 | {"add_cross_attention": True}),
    "gpt2-zero-range": Small("GPT2LMHeadModel", GPT2 | {"initializer_range": 0.0}),
    "gpt2-pad": Small("GPT2LMHeadModel", GPT2 | {"pad_token_id": 5}),
    "gpt2-sequence": Small("GPT2ForSequenceClassification", GPT2 | LABELS),
    "gpt2-token": Small("GPT2ForTokenClassification", GPT2 | LABELS),
    "gpt2-question": Small("GPT2ForQuestionAnswering", GPT2),
    "gpt2-double-heads": Small("GPT2DoubleHeadsModel", GPT2 | {"num_labels": 1}),
    "llama-lm": Small("LlamaForCausalLM", LLAMA),
    "llama-lm-tied": Small(
        "LlamaForCausalLM", LLAMA | {"tie_word_embeddings": True, "num_key_value_heads": 2}
    ),
    "llama-base": Small("LlamaModel", LLAMA | {"initializer_range": 0.05}),
    "llama-biases": Small(
        "LlamaForCausalLM",
        LLAMA | {"attention_bias": True, "mlp_bias": True, "num_key_value_heads": 1},
    ),
    "llama-head-dim": Small("LlamaForCausalLM", LLAMA | {"head_dim": 48, "num_key_value_heads": 2}),
    "llama-pad": Small("LlamaForCausalLM", LLAMA | {"pad_token_id": 5}),
    "llama-pad-tied": Small(
        "LlamaForCausalLM", LLAMA | {"pad_token_id": 5, "tie_word_embeddings": True}
    ),
    "llama-zero-range": Small("LlamaForCausalLM", LLAMA | {"initializer_range": 0.0}),
    "llama-sequence": Small("LlamaForSequenceClassification", LLAMA | LABELS),
    "llama-token": Small("LlamaForTokenClassification", LLAMA | LABELS),
    "llama-question": Small("LlamaForQuestionAnswering", LLAMA),
    "mistral-lm": Small("MistralForCausalLM", LLAMA | {"num_key_value_heads": 2}),
    "mistral-question": Small("MistralForQuestionAnswering", LLAMA | {"num_key_value_heads": 2}),
    "mistral-head-dim": Small(
        "MistralForCausalLM", LLAMA | {"num_key_value_heads": 2, "head_dim": 48}
    ),
    "qwen2-lm": Small("Qwen2ForCausalLM", QWEN),
    "qwen2-lm-tied": Small("Qwen2ForCausalLM", QWEN | {"tie_word_embeddings": True}),
    "qwen2-base": Small("Qwen2Model", QWEN),
    "qwen2-question": Small("Qwen2ForQuestionAnswering", QWEN),
    "qwen3-question": Small("Qwen3ForQuestionAnswering", QWEN),
    "qwen3-lm-tied": Small("Qwen3ForCausalLM", QWEN | {"tie_word_embeddings": True}),
    "qwen3-biases": Small("Qwen3ForCausalLM", QWEN | {"head_dim": 32, "attention_bias": True}),
    "bert-base": Small("BertModel", BERT | {"initializer_range": 0.05}),
    "bert-base-no-pooler": Small("BertModel", BERT, {"add_pooling_layer": False}),
    "bert-cross": Small("BertModel", BERT | {"is_decoder": True, "add_cross_attention": True}),
    "bert-masked": Small("BertForMaskedLM", BERT | {"pad_token_id": 5, "type_vocab_size": 3}),
    "bert-masked-untied": Small("BertForMaskedLM", BERT | {"tie_word_embeddings": False}),
    "bert-zero-range": Small("BertForMaskedLM", BERT | {"initializer_range": 0.0}),
    "bert-lm": Small("BertLMHeadModel", BERT | {"is_decoder": True}),
    "bert-pretraining": Small("BertForPreTraining", BERT),
    "bert-next-sentence": Small("BertForNextSentencePrediction", BERT),
    "bert-sequence": Small("BertForSequenceClassification", BERT | LABELS),
    "bert-token": Small("BertForTokenClassification", BERT | LABELS),
    "bert-question": Small("BertForQuestionAnswering", BERT),
    "bert-choice": Small("BertForMultipleChoice", BERT),
    "vit-base": Small("ViTModel", IMAGE | {"initializer_range": 0.05}),
    "vit-base-no-pooler": Small("ViTModel", IMAGE, {"add_pooling_layer": False}),
    "vit-mask-token": Small("ViTModel", IMAGE, {"use_mask_token": True}),
    "vit-pooler-output": Small("ViTModel", IMAGE | {"pooler_output_size": 80, "qkv_bias": False}),
    "vit-image": Small("ViTForImageClassification", IMAGE | LABELS),
    "vit-image-no-labels": Small("ViTForImageClassification", IMAGE | {"num_labels": 0}),
    "vit-oblong": Small(
        "ViTForImageClassification",
        IMAGE | {"image_size": [32, 48], "patch_size": [8, 16], "num_channels": 1} | LABELS,
    ),
    "vit-masked-image": Small("ViTForMaskedImageModeling", IMAGE | {"encoder_stride": 8}),
    "vit-wide-range": Small("ViTModel", IMAGE | {"initializer_range": 2.0}),
    "t5-lm": Small("T5ForConditionalGeneration", T5),
    "t5-lm-factor": Small(
        "T5ForConditionalGeneration", T5 | {"initializer_factor": 0.5, "num_decoder_layers": 3}
    ),
    "t5-gated": Small(
        "T5ForConditionalGeneration",
        T5 | {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    ),
    "t5-gated-untied": Small(
        "T5ForConditionalGeneration",
        T5 | {"feed_forward_proj": "gated-gelu", "initializer_factor": 0.5},
        after={"tie_word_embeddings": False, "scale_decoder_outputs": False},
        without=("encoder.embed_tokens.weight", "decoder.embed_tokens.weight"),
    ),
    "t5-base": Small("T5Model", T5),
    "t5-encoder": Small("T5EncoderModel", T5),
    "t5-sequence": Small("T5ForSequenceClassification", T5 | LABELS),
    "t5-token": Small("T5ForTokenClassification", T5 | LABELS),
    "t5-question": Small("T5ForQuestionAnswering", T5),
    "whisper-causal": Small("WhisperForCausalLM", WHISPER),
    "whisper-lm": Small("WhisperForConditionalGeneration", WHISPER),
    "whisper-lm-untied": Small(
        "WhisperForConditionalGeneration", WHISPER | {"tie_word_embeddings": False}
    ),
    "whisper-base": Small("WhisperModel", WHISPER | {"init_std": 0.05}),
    "whisper-zero-std": Small("WhisperModel", WHISPER | {"init_std": 0.0}),
    "whisper-audio": Small(
        "WhisperForAudioClassification", WHISPER | LABELS | {"use_weighted_layer_sum": True}
    ),
    "clip": Small("CLIPModel", CLIP),
    "clip-factors": Small(
        "CLIPModel",
        {
            "text_config": TEXT | {"initializer_factor": 2.0, "initializer_range": 0.05},
            "vision_config": VISION | {"initializer_factor": 3.0, "initializer_range": 0.05},
            "projection_dim": 64,
            "initializer_factor": 0.5,
            "logit_scale_init_value": 1.5,
        },
    ),
    "clip-text": Small("CLIPTextModel", TEXT),
    "clip-text-projection": Small("CLIPTextModelWithProjection", TEXT),
    "clip-vision": Small("CLIPVisionModel", VISION),
    "clip-vision-projection": Small("CLIPVisionModelWithProjection", VISION),
    "clip-image": Small("CLIPForImageClassification", CLIP | LABELS),
    "resnet-hf-image": Small("ResNetForImageClassification", RESNET),
    "resnet-hf-basic": Small("ResNetForImageClassification", RESNET | {"layer_type": "basic"}),
    "resnet-hf-base": Small("ResNetModel", RESNET),
    "resnet-hf-backbone": Small(
        "ResNetBackbone", RESNET | {"downsample_in_first_stage": True, "hidden_sizes": [32, 96]}
    ),
    "resnet-hf-no-labels": Small("ResNetForImageClassification", RESNET | {"num_labels": 0}),
}

# torchvision has no configuration file: these are ResNetConfig's fields for its constructor.
TORCHVISION: dict[str, dict[str, Any]] = {
    "resnet-basic": {"layer_type": "basic", "depths": [1, 2, 1, 1], "num_labels": 5},
    "resnet-bottleneck": {"layer_type": "bottleneck", "depths": [2, 1, 1, 1], "num_labels": 5},
    "resnet-zero-residual": {
        "layer_type": "bottleneck",
        "depths": [1, 1, 1, 1],
        "num_labels": 5,
        "zero_init_residual": True,
    },
}


def written(model: Any) -> Tensors:
    """Return what `save_pretrained` would write, without data.

    Args:
        model: A transformers model, on any device.
    """
    loading = importlib.import_module("transformers.core_model_loading")
    modeling = importlib.import_module("transformers.modeling_utils")
    state = modeling.remove_tied_weights_from_state_dict(model.state_dict(), model)
    state = loading.revert_weight_conversion(model, state)
    return {name: (DTYPES[str(t.dtype)], list(t.shape)) for name, t in sorted(state.items())}


def rounded(value: Any) -> float:
    """Round to four significant digits."""
    return float(f"{float(value):.4g}")


def moments(values: Any) -> list[float]:
    """Return mean, std, minimum and maximum of an array."""
    wide = values.astype(np.float64)
    return [rounded(v) for v in (wide.mean(), wide.std(), wide.min(), wide.max())]


def read(path: Path) -> tuple[Tensors, Moments]:
    """Read a safetensors file's table and every tensor's moments."""
    data = path.read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    tensors: Tensors = {}
    measured: Moments = {}
    for name, row in sorted(header.items()):
        begin, end = (8 + size + offset for offset in row["data_offsets"])
        tensors[name] = (row["dtype"], row["shape"])
        measured[name] = moments(np.frombuffer(data[begin:end], NUMPY[row["dtype"]]))
    return tensors, measured


def configured(entry: Small) -> tuple[Any, Any]:
    """Return the model class and its configuration."""
    model = getattr(importlib.import_module("transformers"), entry.model)
    config = model.config_class(**entry.config)
    for name, value in entry.after.items():
        setattr(config, name, value)
    return model, config


def save_small(entry: Small) -> dict[str, Any]:
    """Build, save and measure a small model.

    Raises:
        ValueError: The meta device gives other names or shapes than the file.
    """
    torch = importlib.import_module("torch")
    torch.manual_seed(SEED)
    model, config = configured(entry)
    with tempfile.TemporaryDirectory() as folder:
        model(config, **entry.arguments).save_pretrained(folder)
        tensors, measured = read(Path(folder, "model.safetensors"))
        saved = json.loads(Path(folder, "config.json").read_text())
    model, config = configured(entry)
    with torch.device("meta"):
        predicted = written(model(config, **entry.arguments))
    if predicted != tensors:
        raise ValueError(f"{entry.model}: {sorted(predicted.items() ^ tensors.items())}")
    for name in entry.without:
        del tensors[name], measured[name]
    arguments = {"arguments": entry.arguments} if entry.arguments else {}
    fixture = {"class": entry.model, "config": saved, **arguments}
    return fixture | {"tensors": tensors, "stds": measured}


def plan_preset(name: str) -> dict[str, Any]:
    """Return the names and shapes of a preset."""
    torch = importlib.import_module("torch")
    config = json.loads((PRESETS / f"{name}.json").read_text())
    kind = config["architectures"][0]
    with torch.device("meta"):
        if kind == "ResNet":
            return {"class": "torchvision.models.resnet.ResNet", "preset": name} | {
                "tensors": written_by_torch(torchvision_model(config))
            }
        model = getattr(importlib.import_module("transformers"), kind)
        tensors = written(model(model.config_class.from_dict(config)))
    return {"class": kind, "preset": name, "tensors": tensors}


def torchvision_model(config: Mapping[str, Any]) -> Any:
    """Build torchvision's ResNet."""
    resnet = importlib.import_module("torchvision.models.resnet")
    block = resnet.BasicBlock if config["layer_type"] == "basic" else resnet.Bottleneck
    return resnet.ResNet(
        block,
        config["depths"],
        num_classes=config.get("num_labels", 1000),
        zero_init_residual=config.get("zero_init_residual", False),
    )


def written_by_torch(model: Any) -> Tensors:
    """Return the table of a module's state."""
    state = sorted(model.state_dict().items())
    return {name: (DTYPES[str(t.dtype)], list(t.shape)) for name, t in state}


def save_torchvision(config: Mapping[str, Any]) -> dict[str, Any]:
    """Build and measure a small torchvision ResNet."""
    torch = importlib.import_module("torch")
    torch.manual_seed(SEED)
    model = torchvision_model(config)
    return {
        "class": "torchvision.models.resnet.ResNet",
        "config": {"architectures": ["ResNet"], "model_type": "resnet", **config},
        "tensors": written_by_torch(model),
        "stds": {name: moments(t.numpy()) for name, t in sorted(model.state_dict().items())},
    }


def text(fixture: Mapping[str, Any]) -> str:
    """Return the fixture as JSON with one line per field and tensor."""
    members = []
    for key, value in fixture.items():
        if isinstance(value, dict):
            rows = (f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in value.items())
            members.append(f"{json.dumps(key)}: {{\n" + ",\n".join(rows) + "\n}")
        else:
            members.append(f"{json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(members) + "\n}\n"


def fixtures() -> Iterator[tuple[Path, Any]]:
    """Yield every fixture's path and the call that makes it."""
    for name, entry in SMALL.items():
        yield FIXTURES / f"{name}.json", lambda entry=entry: save_small(entry)
    for name, config in TORCHVISION.items():
        yield FIXTURES / f"{name}.json", lambda config=config: save_torchvision(config)
    for path in sorted(PRESETS.glob("*.json")):
        yield FIXTURES / "presets" / path.name, lambda path=path: plan_preset(path.stem)


def main(names: list[str]) -> None:
    """Write the named fixtures, or all."""
    for path, make in fixtures():
        if names and path.stem not in names:
            continue
        fixture = make()
        library = fixture["class"].split(".")[0]
        library = library if library == "torchvision" else "transformers"
        # A build's local suffix says nothing about the names and values.
        version = importlib.import_module(library).__version__.split("+")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text({library: version, **fixture}))
        count = sum(int(np.prod(shape)) for _, shape in fixture["tensors"].values())
        print(f"{path}: {len(fixture['tensors'])} tensors, {count:,} elements")


if __name__ == "__main__":
    main(sys.argv[1:])
