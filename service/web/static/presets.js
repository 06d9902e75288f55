/** Examples: a recipe, the values of the form "Between the layers", and schemes to compare. */

const DEEP = {
  depth: 50, width: 256, scheme: "xavier", distribution: "normal", seed: "42", dtype: "F32", residual: false,
};

const CONVOLUTIONS = Array.from({ length: 20 }, (_, i) => {
  const name = `conv${String(i + 1).padStart(2, "0")}`;
  return `    {"name": "${name}", "type": "conv2d", "in_channels": ${i ? 32 : 3}, "out_channels": 32, "kernel_size": 3}`;
});

const CONVNET = `{
  "seed": 42,
  "init": "kaiming_normal",
  "layers": [
${CONVOLUTIONS.join(",\n")}
  ],
  "rules": [{"match": "*.bias", "init": "zeros"}]
}
`;

const GPT2 = `{
  "seed": 42,
  "dtype": "BF16",
  "model": {"preset": "gpt2"}
}
`;

const LLAMA = `{
  "seed": "18446744073709551615",
  "dtype": "BF16",
  "model": {"preset": "llama-3.2-1b"},
  "model_scheme": {"scheme": "mup", "base": {"hidden_size": 256, "intermediate_size": 1024}}
}
`;

const TENSORS = `{
  "seed": 42,
  "init": "kaiming_normal",
  "tensors": [
    {"name": "conv1.weight", "shape": [64, 3, 7, 7]},
    {"name": "conv2.kernel", "shape": [3, 3, 64, 128], "layout": "HWIO"},
    {"name": "attn.qkv.weight", "shape": [2304, 768], "dtype": "BF16", "parts": {"axis": 0, "of": [{"size": 768, "init": "xavier_uniform"}, {"size": 768, "init": "xavier_uniform"}, {"size": 768, "init": "xavier_uniform"}]}},
    {"name": "fc.weight", "shape": [1000, 512], "init": {"scheme": "truncated_normal", "std": 0.02}},
    {"name": "fc.bias", "shape": [1000]}
  ],
  "rules": [{"match": "*.bias", "init": "zeros"}]
}
`;

/** By name: `label`; `chain` (options of the builder) or `recipe` (a text); `between` and `compare`. */
export const PRESETS = {
  "relu-xavier": { label: "50 ReLU layers with Xavier", chain: DEEP, compare: ["kaiming_normal"] },
  "relu-he": { label: "The same with He", chain: { ...DEEP, scheme: "kaiming" }, compare: ["xavier_normal"] },
  tanh: { label: "50 tanh layers", chain: DEEP, between: { activation: "tanh" }, compare: ["orthogonal"] },
  residual: {
    label: "50 residual blocks",
    chain: { ...DEEP, scheme: "kaiming", residual: true },
    between: { residual_scale: 0.1 },
    compare: ["xavier_normal"],
  },
  convnet: { label: "20 convolutions", recipe: CONVNET, between: { size: [16, 16] }, compare: ["xavier_normal"] },
  gpt2: { label: "GPT-2", recipe: GPT2 },
  llama: { label: "Llama with muP", recipe: LLAMA },
  tensors: { label: "Single tensors", recipe: TENSORS },
};
