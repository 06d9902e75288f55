/** Recipes as texts: chains that are built, and changes to a recipe that keep the rest of it. */

import { inline, member, parse } from "./json.js";

/** Types of layers that have weights; of a model's, an init in the recipe sets none. */
export const WEIGHTED = new Set(["linear", "conv1d", "conv2d", "conv3d"]);

/** Schemes of the builder; those with a law have a name for each distribution. */
export const SCHEMES = {
  xavier: { label: "Xavier / Glorot", hasLaw: true },
  kaiming: { label: "Kaiming / He", hasLaw: true },
  lecun: { label: "LeCun", hasLaw: true },
  orthogonal: { label: "orthogonal" },
  "normal-0.01": { label: "normal, std 0.01", init: { scheme: "normal", std: 0.01 } },
  "normal-0.02": { label: "normal, std 0.02", init: { scheme: "normal", std: 0.02 } },
  "normal-1": { label: "normal, std 1", init: { scheme: "normal", std: 1 } },
};

/** The init that a scheme and a distribution of the builder mean. */
export function initOf(scheme, distribution) {
  const { hasLaw, init } = SCHEMES[scheme];
  return hasLaw ? `${scheme}_${distribution}` : (init ?? scheme);
}

/**
 * A recipe's text: linear layers of one width, one after the other.
 * @param {{depth: number, width: number, scheme: string, distribution: string, seed: string,
 *   dtype: string, residual: boolean}} asked The seed as digits: it may be past 2^53.
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

/** The JSON text of a request about a recipe; the recipe is sent as it stands, digit for digit. */
export function asking(recipe, about = {}) {
  const members = Object.entries(about).map(([key, value]) => `,${JSON.stringify(key)}:${JSON.stringify(value)}`);
  return `{"recipe":${recipe}${members.join("")}}`;
}

/**
 * A recipe's text with another init of all weights in its chain.
 * @param {{init: any, bias_init: any}} usual What to write; a null bias_init leaves biases alone.
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
    .reduce((made, { start, end, said }) => made.slice(0, start) + said + made.slice(end), text);
}

function isOfBiases(text, rule) {
  return member(rule, "init") && /bias$/.test(valueOf(text, member(rule, "match")) ?? "");
}

function valueOf(text, node) {
  return node && JSON.parse(text.slice(node.start, node.end));
}

/** The edit that gives a member of an object a value; a new one comes behind the others. */
function put(node, key, value) {
  const present = member(node, key);
  if (present) return { start: present.start, end: present.end, said: inline(value) };
  const at = node.members.at(-1)?.value.end ?? node.start + 1;
  const said = `${JSON.stringify(key)}: ${inline(value)}`;
  const comma = node.members.length ? (node.start ? ", " : ",\n  ") : "";
  return { start: at, end: at, said: comma + said };
}
