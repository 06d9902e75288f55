// An independent implementation of generator v1, to test the real one against.
//
// It was made from docs/generator-v1.md, docs/recipe.md and docs/schemes.md alone, without a look
// at any other code of this project; keep it so: where the two differ, read the page, not the
// service. The real functions are in oracle_reals.mjs, from the pages alone as well.
// Valid recipes are assumed, nothing is validated. Node 20, standard library only.
//
//     node tests/golden/oracle.mjs path/to/quantile.bin < recipes
//
// Each line of stdin is a recipe as JSON; for each, one line: the file in hexadecimal, a tab and
// the plan digest (the ETag without `p1-`).

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { chronoOf, deviation, halfPower, orthonormal, sinusoid } from "./oracle_reals.mjs";

const sha256 = (...chunks) =>
  chunks.reduce((hash, chunk) => hash.update(chunk), createHash("sha256")).digest();

const TABLE_SHA256 = "fcf8d407c578c8e413c8c13b6478c0572ae69c0cc575551824a7cb902b9d6c41";
const table = readFileSync(process.argv[2]);
if (sha256(table).toString("hex") !== TABLE_SHA256)
  throw new Error("not the table of the page");
const T = Uint32Array.from({ length: table.length / 4 }, (_, i) => table.readUInt32LE(4 * i));

// ---- Streams and words ----

const u64le = (n) => Buffer.from(BigUint64Array.of(BigInt(n)).buffer); // on a little-endian machine

export function stream(seed, name, purpose = "value") {
  const fields = ["tensorseed/v1", purpose, u64le(seed), name].map((field) => Buffer.from(field));
  const digest = sha256(...fields.flatMap((field) => [u64le(field.length), field]));
  return [0, 4, 8, 12].map((at) => digest.readUInt32LE(at));
}

// High half of a * b. Every intermediate stays below 2^49, so it is exact; b may be 2^32 as well.
const mulhi = (a, b) =>
  Math.floor(((a >>> 16) * b + Math.floor(((a & 0xffff) * b) / 65536)) / 65536);

export function philox([x0, x1, x2, x3], [k0, k1]) {
  for (let round = 0; round < 10; round++) {
    const hi0 = mulhi(0xd2511f53, x0), lo0 = Math.imul(0xd2511f53, x0) >>> 0;
    const hi1 = mulhi(0xcd9e8d57, x2), lo1 = Math.imul(0xcd9e8d57, x2) >>> 0;
    [x0, x1, x2, x3] = [(hi1 ^ x1 ^ k0) >>> 0, lo1, (hi0 ^ x3 ^ k1) >>> 0, lo0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [x0, x1, x2, x3];
}

// A function from an element's index (a BigInt: it may pass 2^53) to its word. Neighbours share a
// block.
export function wordsOf([k0, k1, c2, c3]) {
  let block = -1n, output;
  return (index) => {
    if (index >> 2n !== block) {
      block = index >> 2n;
      output = philox([Number(block & 0xffffffffn), Number(block >> 32n), c2, c3], [k0, k1]);
    }
    return output[Number(index & 3n)];
  };
}

// ---- The normal variate and its truncation ----

export function quantile(h) {
  const s = h >>> 31;
  const m = (s ? ~h : h) >>> 0;
  const M = (2 * m + 1) >>> 0;
  const lz = Math.clz32(M);
  const f = (M << lz) << 1;
  const at = 4 * ((lz << 5) | (f >>> 27));
  const t = ~(f << 5) >>> 0;
  const a = T[at] + mulhi(t, T[at + 1] + mulhi(t, T[at + 2] + mulhi(t, T[at + 3])));
  return s ? a : 0 - a; // not -a: z is an integer and has no -0
}

// The smallest word for which `holds`, which turns true once; 2^32 if there is none. It equals the
// number of words that do not hold, found from its highest bit down.
function firstWord(holds) {
  let word = 0;
  for (let step = 2 ** 32; step >= 1; step /= 2)
    if (word + step <= 2 ** 32 && !holds(word + step - 1)) word += step;
  return word;
}

export function truncation(mean, std, [low, high], boundsIn) {
  const value = boundsIn === "absolute" ? (h) => mean + quantile(h) * (std * 2 ** -28) : quantile;
  const unit = boundsIn === "absolute" ? 1 : 2 ** 28;
  return [firstWord((h) => value(h) >= low * unit), firstWord((h) => value(h) > high * unit) - 1];
}

// ---- Laws: { name, parameters, value(h, at) }, at: the coordinates in the drawn tensor ----

const law = (name, parameters, value) => ({ name, parameters, value });
const constant = (value) => law("constant", [value], () => value);

function uniform(low, high) {
  const centre = (low + high) / 2 + 0; // + 0 makes +0 of -0
  const k = ((high - low) / 2) * 2 ** -32;
  const value = (h) => Math.min(high, Math.max(low, centre + (2 * h + 1 - 2 ** 32) * k));
  return law("uniform", [low, high], value);
}

const normal = (mean, std) =>
  law("normal", [mean, std], (h) => mean + quantile(h) * (std * 2 ** -28));

function truncated(mean, std, bounds = [-2, 2], boundsIn = "sigma") {
  const [first, last] = truncation(mean, std, bounds, boundsIn);
  const whole = normal(mean, std).value;
  const value = (h) => whole(first + mulhi(h, last - first + 1));
  return law("truncated_normal", [mean, std, first, last], value);
}

// The row-major number of coordinates, which may pass 2^53, and back (of one that does not).
const number = (at, sizes) => at.reduce((n, c, i) => n * BigInt(sizes[i]) + BigInt(c), 0n);
const product = (sizes) => sizes.reduce((n, size) => n * size, 1);
const coordinates = (n, sizes) =>
  sizes.map((size, i) => Math.floor(n / product(sizes.slice(i + 1))) % size);

// What the other laws know of their part of the drawn tensor: its dimensions, the letters of the
// axes, where it lies, and the words of the tensor.
function placeOf(shape, letters, cut, start, size, words) {
  const dims = shape.map((dim, axis) => (axis === cut && size !== undefined ? size : dim));
  const moved = (at, by) => at.map((c, axis) => (axis === cut ? c + by : c));
  const [full, within] = [(at) => moved(at, start), (at) => moved(at, -start)];
  const wordAt = (purpose) => (at) => words(purpose)(number(full(at), shape)); // at: in the part
  return { shape, dims, letters, full, within, words, wordAt, PART: [cut, start, ...dims] };
}

const isField = (letter) => !"OIB".includes(letter);
const middle = (dims) => dims.map((size) => Math.floor(size / 2));
const remembered = (compute, kept = new Map()) => (key) =>
  kept.get(key) ?? kept.set(key, compute(key)).get(key);

function delta(gain, oAxis, iAxis, groups, { dims, within, PART }) {
  const outOfGroup = dims[oAxis] / groups, centre = middle(dims);
  return law("delta", [gain, oAxis, iAxis, groups, ...PART], (h, at) => {
    const o = within(at)[oAxis];
    const wanted = centre.with(iAxis, o % outOfGroup).with(oAxis, o);
    return within(at).every((c, axis) => c === wanted[axis]) ? gain : 0;
  });
}

// ---- Laws whose elements depend on each other ----

function orthogonal(gain, centred, { shape, dims, letters, full, within, words, PART }) {
  const axes = (wanted) => letters.flatMap((letter, axis) => (wanted(letter) ? [axis] : []));
  const pick = (axes, values) => axes.map((axis) => values[axis]);
  const batch = axes((l) => l === "B"), rows = axes((l) => l === "O");
  const columns = axes((l) => (centred ? l === "I" : l !== "O" && l !== "B"));
  const drawn = [...batch, ...rows, ...columns], centre = middle(dims);
  const at = (axes, n) => coordinates(n, pick(axes, dims));
  const matrix = remembered((b) => {
    const element = (r, c) => {
      const here = [...centre];
      [...at(batch, b), ...at(rows, r), ...at(columns, c)].forEach((x, i) => (here[drawn[i]] = x));
      const index = number(pick(drawn, full(here)), pick(drawn, shape));
      return quantile(words("value")(index)) * 2 ** -28;
    };
    const [m, n] = [rows, columns].map((axes) => product(pick(axes, dims)));
    return orthonormal(Array.from({ length: m }, (_, r) =>
      Float64Array.from({ length: n }, (_, c) => element(r, c))));
  });
  const parameters = [gain, ...letters.map((l) => l.codePointAt(0)), Number(centred), ...PART];
  return law("orthogonal", parameters, (h, where) => {
    const here = within(where);
    if (here.some((c, axis) => !drawn.includes(axis) && c !== centre[axis])) return 0;
    const [b, r, c] = [batch, rows, columns].map((axes) =>
      Number(number(pick(axes, here), pick(axes, dims))));
    return matrix(b)[r][c] * gain;
  });
}

function sparse(mean, std, axis, sparsity, { dims, within, wordAt, PART }) {
  const mask = wordAt("mask"), { value } = normal(mean, std), all = axis === -1; // -1: bernoulli
  const zeros = all ? Math.floor(sparsity * 2 ** 32) : Math.ceil(sparsity * dims[axis]);
  const masked = remembered((line) => {
    const here = JSON.parse(line);
    const words = Array.from({ length: dims[axis] }, (_, c) => mask(here.with(axis, c)));
    const order = [...words.keys()].sort((a, b) => words[a] - words[b] || a - b);
    return new Set(order.slice(0, zeros));
  });
  return law("sparse", [mean, std, axis, zeros, ...PART], (h, at) => {
    const here = within(at);
    const zero = all ? mask(here) < zeros
      : masked(JSON.stringify(here.with(axis, 0))).has(here[axis]);
    return zero ? 0 : value(h);
  });
}

function unitBall({ dims, within, wordAt, PART }) {
  const word = wordAt("value"), rest = dims.slice(1);
  const sum = remembered((row) => {
    let S = 0n;
    for (let n = 0; n < product(rest); n++)
      S += BigInt(2 * word([row, ...coordinates(n, rest)]) + 1);
    return Number(S); // to nearest even
  });
  return law("unit_ball", PART, (h, at) => (2 * h + 1) / sum(within(at)[0]));
}

function bilinear(variant, { dims, letters, within, PART }) {
  const [height, width] = [...letters.keys()].filter((axis) => isField(letters[axis])).slice(-2);
  const k = dims[width], f = Math.floor((k + 1) / 2);
  const shift = variant === "caffe" ? k - 1 : 2 * f - 1 - (f % 2);
  const slope = (c) => 2 * f - Math.abs(2 * c - shift);
  return law("bilinear", [height, width, f, shift, ...PART], (h, at) => {
    const here = within(at);
    return (slope(here[height]) * slope(here[width]) + 0) / (4 * f * f); // + 0: integers have no -0
  });
}

function hadamard(value, oAxis, iAxis, { dims, within, PART }) {
  const centre = middle(dims);
  const sign = (n) => (n.toString(2).replaceAll("0", "").length % 2 ? -1 : 1); // popcount
  return law("hadamard", [value, oAxis, iAxis, ...PART], (h, at) => {
    const here = within(at), [o, i] = [here[oAxis], here[iAxis]];
    const held = here.every((c, axis) => axis === oAxis || axis === iAxis || c === centre[axis]);
    return held ? value * sign(o & i) : 0;
  });
}

function window(value, first, stop, { within, PART }) {
  return law("window", [value, first, stop, ...PART], (h, at) => {
    const c = within(at).at(-1);
    return first <= c && c < stop ? value : 0;
  });
}

function chrono(tMax, units, forget, input, { within, wordAt, PART }) {
  const word = wordAt("value");
  return law("chrono", [tMax, units, forget, input, ...PART], (h, at) => {
    const here = within(at), c = here.at(-1), gate = Math.floor(c / units);
    if (gate !== forget && gate !== input) return 0;
    const x = chronoOf(tMax, word(here.with(-1, forget * units + (c % units))));
    return gate === forget ? x : -x;
  });
}

function sinusoidal(maxTimescale, { dims, within }) {
  const half = dims[1] / 2, value = sinusoid(maxTimescale, half);
  return law("sinusoidal", [maxTimescale, ...dims], (h, at) => {
    const [p, c] = within(at);
    return value(p, c % half, c >= half);
  });
}

// ---- Schemes to laws ----

const C2 = 0.87962566103423978; // deviation([-2, 2]), as the page writes it
const leaky = (slope) => 2 / (1 + slope * slope);
const GAIN2 = { linear: 1, conv: 1, sigmoid: 1, relu: 2, tanh: 25 / 9, selu: 9 / 16 };
const gain2 = (gain, slope = 0) =>
  typeof gain === "number" ? gain * gain : gain === "leaky_relu" ? leaky(slope) : GAIN2[gain];

const CRITICAL = { // C_W, C_b
  linear: [1, 0], tanh: [1, 0], relu: [2, 0],
  gelu: [1.9830582574375471252, 0.17292239075606735175],
  silu: [1.9880046782694920053, 0.5551431707215303962],
};

// "he_normal" is { scheme: "kaiming", distribution: "normal" }, and so on.
function resolve(init) {
  const { scheme, ...given } = typeof init === "string" ? { scheme: init } : init;
  const families = /^(xavier|glorot|kaiming|he|lecun)(?:_(.*))?$/;
  const [, family, distribution] = families.exec(scheme) ?? [, scheme];
  const aliases = { eye: "identity", irnn: "identity", glorot: "xavier", he: "kaiming" };
  return { scheme: aliases[family] ?? family, ...(distribution && { distribution }), ...given };
}

function fanOf(mode, { dims, letters }, fan) {
  const productBut = (left) => Number(
    dims.reduce((n, size, axis) => n * (left.includes(letters[axis]) ? 1n : BigInt(size)), 1n));
  const i = fan ? fan.in : productBut("OB");
  const o = fan ? fan.out : productBut("IB");
  const average = (i + o) / 2;
  const fans = { fan_in: i, fan_out: o, average, fan_avg: average, fan_geo_avg: Math.sqrt(i * o) };
  return fans[mode.toLowerCase()];
}

// The law of one part.
function lawOf(init, fan, place) {
  const p = resolve(init), { dims, letters } = place;
  const [o, i] = ["O", "I"].map((letter) => letters.indexOf(letter));
  const fanBy = (mode) => fanOf(mode, place, fan);
  const byVariance = (variance, distribution) => {
    const std = Math.sqrt(variance), half = Math.sqrt(3 * variance);
    if (distribution === "uniform") return uniform(0 - half, half);
    if (distribution === "normal") return normal(0, std);
    return truncated(0, distribution === "undivided" ? std : std / C2);
  };
  const byFan = (scale, gain2, mode, distribution) =>
    byVariance((scale * gain2) / fanBy(mode), distribution);
  switch (p.scheme) {
    case "zeros": return constant(0);
    case "ones": return constant(1);
    case "constant": return constant(p.value);
    case "uniform": return uniform(p.low, p.high);
    case "normal": return normal(p.mean ?? 0, p.std);
    case "truncated_normal": {
      const std = p.correct_variance ? p.std / deviation(p.bounds ?? [-2, 2]) : p.std;
      return truncated(p.mean ?? 0, std, p.bounds, p.bounds_in);
    }
    case "variance_scaling":
      return byFan(p.scale ?? 1, 1, p.mode ?? "fan_in", p.distribution ?? "truncated_normal");
    case "xavier": return byFan(1, gain2(p.gain ?? 1), "fan_avg", p.distribution ?? "uniform");
    case "kaiming": {
      const squared = gain2(p.nonlinearity ?? "relu", p.negative_slope);
      return byFan(1, squared, p.mode ?? "fan_in", p.distribution ?? "normal");
    }
    case "lecun": return byFan(1, 1, "fan_in", p.distribution ?? "normal");
    case "caffe_xavier": return byFan(1, 1, p.variance_norm ?? "FAN_IN", "uniform");
    case "msra": return byFan(2, 1, p.variance_norm ?? "FAN_IN", "normal");
    case "tf_variance_scaling": {
      const [squared, distribution] = p.uniform ? [1, "uniform"] : [1.3, "undivided"];
      return byFan(p.factor ?? 2, squared, p.mode ?? "FAN_IN", distribution);
    }
    case "spectral_mup": {
      const scale = Math.min(1, fanBy("fan_out") / fanBy("fan_in"));
      return byFan(scale, 1, "fan_in", p.distribution ?? "normal");
    }
    case "critical": {
      const name = p.nonlinearity ?? "relu", distribution = p.distribution ?? "normal";
      const [weight, bias] = CRITICAL[name] ?? [leaky(p.negative_slope ?? 0), 0];
      return p.bias ? byVariance(bias, distribution) : byFan(1, weight, "fan_in", distribution);
    }
    case "siren": {
      const n = fanBy("fan_in"), half = p.first ? 1 / n : Math.sqrt(6 / n) / (p.w0 ?? 30);
      return uniform(0 - half, half);
    }
    case "identity": return delta(p.gain ?? 1, 0, 1, 1, place);
    case "dirac": return delta(p.gain ?? 1, o, i, p.groups ?? 1, place);
    case "zero": {
      if (dims[o] <= dims[i]) return delta(1, o, i, 1, place);
      let m = 0;
      while (2 ** m < dims[o]) m++;
      return hadamard(halfPower(p.scale === "paper" ? m - 1 : m), o, i, place);
    }
    case "orthogonal": case "delta_orthogonal": {
      const gain = p.gain ?? 1, plain = typeof gain === "number" ? gain : Math.sqrt(gain2(gain));
      return orthogonal(plain, p.scheme === "delta_orthogonal", place);
    }
    case "sparse": {
      const axis = p.count === "bernoulli" ? -1 : p.axis ?? 0;
      return sparse(p.mean ?? 0, p.std ?? 0.01, axis, p.sparsity, place);
    }
    case "positive_unitball": return unitBall(place);
    case "bilinear": return bilinear(p.variant ?? "caffe", place);
    case "lstm_forget": case "chrono": {
      const gates = p.gates ?? "ifgo", units = dims.at(-1) / gates.length;
      const [forget, input] = [..."fi"].map((gate) => gates.indexOf(gate));
      if (p.scheme === "chrono") return chrono(p.t_max, units, forget, input, place);
      return window(p.value ?? 1, forget * units, (forget + 1) * units, place);
    }
    case "sinusoidal": return sinusoidal(p.max_timescale ?? 10000, place);
  }
  throw new Error(`no scheme ${p.scheme}`);
}

// ---- Dtypes ----

// Bits of the small format with `mantissa` bits and least normal exponent `least`, nearest even.
// The quantum is a power of two, so the division is exact; n carries its leading one into the
// exponent field.
function narrow(x, width, mantissa, least) {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  const sign = view.getUint8(0) >> 7; // of -0 too
  const exponent = Math.max(least, ((view.getUint16(0) >> 4) & 0x7ff) - 1023);
  const units = Math.abs(x) / 2 ** (exponent - mantissa);
  let n = Math.floor(units);
  if (units - n > 0.5 || (units - n === 0.5 && n % 2 === 1)) n++;
  return sign * 2 ** (width - 1) + (exponent - least) * 2 ** mantissa + n;
}

const small = (...format) => ({
  size: format[0] / 8,
  put: (bytes, at, x) => bytes.writeUIntLE(narrow(Math.fround(x), ...format), at, format[0] / 8),
});
const DTYPES = {
  F64: { size: 8, put: (bytes, at, x) => bytes.writeDoubleLE(x, at) },
  I64: { size: 8, put: (bytes, at, x) => bytes.writeBigInt64LE(BigInt(x), at) },
  F32: { size: 4, put: (bytes, at, x) => bytes.writeFloatLE(Math.fround(x), at) },
  F16: small(16, 10, -14), BF16: small(16, 7, -126),
  F8_E5M2: small(8, 2, -14), F8_E4M3: small(8, 3, -6),
};

// ---- Recipe to plan ----

// JSON in which the seed keeps all its digits: an integer that a Number cannot hold becomes a
// string (in a valid recipe only the seed can be one). -0 is 0.
function parse(text) {
  const kept = text.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) =>
    /^\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"${token}"` : token);
  return JSON.parse(kept, (key, value) => (value === 0 ? 0 : value));
}

function matcher(pattern) {
  const escaped = pattern.replace(/[\\^$.+?()[\]{}|]/g, "\\$&");
  const expression = new RegExp(`^${escaped.replaceAll("*", "[^]*")}$`);
  return (name) => expression.test(name);
}

const byBytes = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));

function planTensor(tensor, recipe, rules) {
  let { name, shape, layout, fan, parts, draw } = tensor;
  let init = tensor.init ?? recipe.init, dtype = tensor.dtype ?? recipe.dtype ?? "F32";
  for (const rule of rules.filter((rule) => rule.matches(name))) {
    if (rule.init) [init, parts] = [rule.init, undefined];
    if (rule.dtype && dtype !== "I64") dtype = rule.dtype;
    if (rule.fan) {
      fan = rule.fan;
      parts = parts && { ...parts, of: parts.of.map((part) => ({ ...part, fan })) };
    }
  }
  const letters = [...(layout ?? shape.map((_, axis) => "OI"[axis] ?? "K"))];
  const drawnLetters = [...(draw?.layout ?? letters)];
  const nth = (letters) => letters.map((letter, axis) => // "K0", "K1": how many are before it
    letter + letters.slice(0, axis).filter((other) => other === letter).length);
  const order = nth(letters).map((label) => nth(drawnLetters).indexOf(label)); // own axis to drawn
  const toDrawn = (own) => own.reduce((drawn, x, axis) => drawn.with(order[axis], x), [...own]);

  const keysOf = (purpose) => stream(BigInt(recipe.seed), draw?.name ?? name, purpose);
  const words = remembered((purpose) => wordsOf(keysOf(purpose)));
  const axis = parts ? order[parts.axis] : 0, drawnShape = toDrawn(shape);
  let stop = 0;
  const pieces = (parts?.of ?? [{ size: drawnShape[0] }]).map((part) => {
    const start = stop;
    stop += part.size;
    const place = placeOf(drawnShape, drawnLetters, axis, start, part.size, words);
    return { start, stop, law: lawOf(part.init ?? init, part.fan ?? fan, place) };
  });
  const slice = shape.map((size, i) => tensor.slice?.[i] ?? [0, size]);
  const drawn = { shape: drawnShape, slice: toDrawn(slice), order, toDrawn };
  return { name, dtype, axis, pieces, slice, drawn, words, keys: keysOf("value") };
}

// The tensors in file order.
function plan(recipe) {
  const rules = (recipe.rules ?? []).map((rule) => ({ ...rule, matches: matcher(rule.match) }));
  const included = (recipe.include ?? ["*"]).map(matcher);
  return recipe.tensors
    .filter(({ name }) => included.some((matches) => matches(name)))
    .map((tensor) => planTensor(tensor, recipe, rules))
    .sort((a, b) => DTYPES[b.dtype].size - DTYPES[a.dtype].size || byBytes(a.name, b.name));
}

// ---- The file and its digest ----

function elements({ dtype, axis, pieces, slice, drawn, words }) {
  const { size, put } = DTYPES[dtype];
  const count = product(slice.map(([start, stop]) => stop - start));
  const bytes = Buffer.alloc(count * size), word = words("value");
  const own = slice.map(([start]) => start); // coordinates in the full tensor
  for (let n = 0; n < count; n++) {
    const at = drawn.toDrawn(own);
    const { law } = pieces.length === 1 ? pieces[0]
      : pieces.find(({ start, stop }) => start <= at[axis] && at[axis] < stop);
    put(bytes, n * size, law.value(word(number(at, drawn.shape)), at));
    for (let i = own.length - 1; i >= 0 && ++own[i] === slice[i][1]; i--) own[i] = slice[i][0];
  }
  return bytes;
}

function header(tensors, data, metadata) {
  const text = JSON.stringify, members = []; // its escapes are those of the page
  const strings = Object.entries(metadata).sort(([a], [b]) => byBytes(a, b));
  const pairs = strings.map(([k, v]) => `${text(k)}:${text(v)}`);
  if (pairs.length) members.push(`"__metadata__":{${pairs.join(",")}}`);
  let end = 0;
  tensors.forEach(({ name, dtype, slice }, i) => {
    const shape = slice.map(([start, stop]) => stop - start);
    const offsets = text([end, (end += data[i].length)]);
    const about = `{"dtype":"${dtype}","shape":${text(shape)},"data_offsets":${offsets}}`;
    members.push(`${text(name)}:${about}`);
  });
  const bytes = Buffer.from(`{${members.join(",")}}`);
  const padding = Buffer.alloc(-bytes.length & 7, " ");
  return Buffer.concat([u64le(bytes.length + padding.length), bytes, padding]);
}

function planLine({ axis, pieces, drawn, keys }) {
  const f64 = (x) => Buffer.from(Float64Array.of(x).buffer).reverse().toString("hex");
  const laws = pieces.map(({ start, stop, law }) => {
    const plain = `${law.name}(${law.parameters.map(f64).join(",")})`;
    return pieces.length === 1 ? plain : `${axis}:${start}-${stop}=${plain}`;
  });
  const key = keys.map((k) => k.toString(16).padStart(8, "0")).join("");
  const slice = drawn.slice.map(([start, stop], i) => `${start}:${stop}/${drawn.shape[i]}`);
  const moved = drawn.order.some((to, from) => to !== from);
  const order = moved ? ` order ${drawn.order.join(",")}` : "";
  return `${laws.join(";")} ${key} ${slice.join(",")}${order}\n`;
}

export function generate(text) {
  const recipe = parse(text);
  const tensors = plan(recipe), data = tensors.map(elements);
  const head = header(tensors, data, recipe.metadata ?? {});
  const digest = sha256(head, ...tensors.map(planLine)).toString("hex");
  return { file: Buffer.concat([head, ...data]), digest };
}

// Split by hand: readline would break lines at U+2028, too, which JSON strings may hold.
for (const line of readFileSync(0, "utf8").split("\n").filter((line) => line.trim())) {
  const { file, digest } = generate(line);
  process.stdout.write(`${file.toString("hex")}\t${digest}\n`);
}
