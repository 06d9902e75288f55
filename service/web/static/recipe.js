/** Recipes as texts: builds chains of layers, and edits a recipe without changing the rest. */

import { inline, member, parse } from "./json.js";

/** Types of layers whose weights follow the recipe's init; those of a model do not. */
export const WEIGHTED = new Set(["linear", "conv1d", "conv2d", "conv3d"]);

/** Schemes of the builder. Those with `hasLaw` have one name per distribution: xavier_uniform. */
export const SCHEMES = {
  xavier: { label: "Xavier / Glorot", hasLaw: true },
  kaiming: { label: "Kaiming / He", hasLaw: true },
  lecun: { label: "LeCun", hasLaw: true },
  orthogonal: { label: "orthogonal" },
  "normal-0.01": { label: "normal, std 0.01", init: { scheme: "normal", std: 0.01 } },
  "normal-0.02": { label: "normal, std 0.02", init: { scheme: "normal", std: 0.02 } },
  "normal-1": { label: "normal, std 1", init: { scheme: "normal", std: 1 } },
};

/** The recipe's init for a scheme and a distribution of the builder. */
export function initOf(scheme, distribution) {
  const { hasLaw, init } = SCHEMES[scheme];
  return hasLaw ? `${scheme}_${distribution}` : (init ?? scheme);
}

/**
 * The text of a recipe with a chain of linear layers of one width.
 * @param {{depth: number, width: number, scheme: string, distribution: string, seed: string,
 *   dtype: string, residual: boolean}} options The seed as digits: it may exceed 2^53.
 */
export function chain({ depth, width, scheme, distribution, seed, dtype, residual }) {
  const digits = String(depth).length;
  const branch = residual ? ', "branch": [1, 1]' : "";
  const layers = Array.from({ length: depth }, (_, i) => {
    const name = `fc${String(i + 1).padStart(digits, "0")}`;
    return `    {"name": "${name}", "type": "linear", "in_features": ${width}, "out_features": ${width}${branch}}`;
  });
  return `{
  "seed": ${BigInt(seed) > Number.MAX_SAFE_INTEGER ? `"${seed}"` : seed},${dtype === "F32" ? "" : `\n  "dtype": "${dtype}",`}
  "init": ${inline(initOf(scheme, distribution))},
  "layers": [
${layers.join(",\n")}
  ],
  "rules": [{"match": "*.bias", "init": "zeros"}]
}
`;
}

/** The JSON body of a request about a recipe. The recipe's text is unchanged: numbers keep all digits. */
export function requestBody(recipe, options = {}) {
  const members = Object.entries(options).map(([key, value]) => `,${JSON.stringify(key)}:${JSON.stringify(value)}`);
  return `{"recipe":${recipe}${members.join("")}}`;
}

/**
 * The text of a recipe with another init for all weights of its chain.
 * @param {string} text The recipe.
 * @param {{init: any, bias_init: any}} usual The inits; if bias_init is null, biases do not change.
 */
export function withInit(text, { init, bias_init: bias }) {
  const root = parse(text);
  const edits = [put(root, "init", init)];
  const rules = (member(root, "rules")?.items ?? []).filter((rule) => isOfBiases(text, rule));
  for (const layer of member(root, "layers")?.items ?? []) {
    if (!WEIGHTED.has(valueOf(text, member(layer, "type")))) continue;
    if (member(layer, "init")) edits.push(put(layer, "init", init));
    const hasBias = valueOf(text, member(layer, "bias")) !== false;
    if (bias && hasBias && (member(layer, "bias_init") || !rules.length)) edits.push(put(layer, "bias_init", bias));
  }
  if (bias) edits.push(...rules.map((rule) => put(rule, "init", bias)));
  return edits
    .sort((a, b) => b.start - a.start)
    .reduce((result, edit) => result.slice(0, edit.start) + edit.text + result.slice(edit.end), text);
}

function isOfBiases(text, rule) {
  return member(rule, "init") && /bias$/.test(valueOf(text, member(rule, "match")) ?? "");
}

function valueOf(text, node) {
  return node && JSON.parse(text.slice(node.start, node.end));
}

/** The edit that sets a member of an object; a new member is added after the others. */
function put(node, key, value) {
  const present = member(node, key);
  if (present) return { start: present.start, end: present.end, text: inline(value) };
  const at = node.members.at(-1)?.value.end ?? node.start + 1;
  const text = `${JSON.stringify(key)}: ${inline(value)}`;
  const comma = node.members.length ? (node.start ? ", " : ",\n  ") : "";
  return { start: at, end: at, text: comma + text };
}
