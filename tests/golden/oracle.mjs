// An independent implementation of generator v1, to test the real one against.
//
// It was made from docs/generator-v1.md, docs/recipe.md and docs/schemes.md alone, without a look at
// any other code of this project; keep it so: where the two differ, read the page, not the service.
// Valid recipes are assumed, nothing is validated. Node 20, standard library only.
//
//     node tests/golden/oracle.mjs path/to/quantile.bin < recipes
//
// Each line of stdin is a recipe as JSON; for each, one line: the file in hexadecimal, a tab and the
// plan digest (the ETag without `p1-`).

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const sha256 = (...chunks) => chunks.reduce((hash, chunk) => hash.update(chunk), createHash("sha256")).digest();

const table = readFileSync(process.argv[2]);
if (sha256(table).toString("hex") !== "fcf8d407c578c8e413c8c13b6478c0572ae69c0cc575551824a7cb902b9d6c41")
  throw new Error("not the table of the page");
const T = Uint32Array.from({ length: table.length / 4 }, (_, i) => table.readUInt32LE(4 * i));

// ---- Streams and words ----

const u64le = (n) => Buffer.from(BigUint64Array.of(BigInt(n)).buffer); // on a little-endian machine

export function stream(seed, name) {
  const fields = ["tensorseed/v1", "value", u64le(seed), name].map((field) => Buffer.from(field));
  const digest = sha256(...fields.flatMap((field) => [u64le(field.length), field]));
  return [0, 4, 8, 12].map((at) => digest.readUInt32LE(at));
}

// High half of a * b. Every intermediate stays below 2^49, so it is exact; b may be 2^32 as well.
const mulhi = (a, b) => Math.floor(((a >>> 16) * b + Math.floor(((a & 0xffff) * b) / 65536)) / 65536);

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

// A function from an element's index (a BigInt: it may pass 2^53) to its word. Neighbours share a block.
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

// The smallest word for which `holds`, which turns true once; 2^32 if there is none. It equals the number
// of words that do not hold, found from its highest bit down.
function firstWord(holds) {
  let word = 0;
  for (let step = 2 ** 32; step >= 1; step /= 2) if (word + step <= 2 ** 32 && !holds(word + step - 1)) word += step;
  return word;
}

export function truncation(mean, std, [low, high], boundsIn) {
  const value = boundsIn === "absolute" ? (h) => mean + quantile(h) * (std * 2 ** -28) : quantile;
  const unit = boundsIn === "absolute" ? 1 : 2 ** 28;
  return [firstWord((h) => value(h) >= low * unit), firstWord((h) => value(h) > high * unit) - 1];
}

// ---- The deviation of a truncated normal, in fixed point ----

// Reals are BigInts in units of 2^-1024: far more than needed, so that no cancellation matters.
const BITS = 1024n, ONE = 1n << BITS;
const mul = (a, b) => (a * b) >> BITS;
const div = (a, b) => (a << BITS) / b;

function sqrtFixed(a) {
  let root = 4n << BITS, next = root; // from above (a is below 16), Newton falls to the floor
  do [root, next] = [next, (next + (a << BITS) / next) >> 1n]; while (next < root);
  return root;
}

// first + first * step(1) + first * step(1) * step(2) + ... until the terms vanish
function series(first, step) {
  let sum = 0n;
  for (let term = first, n = 1n; term !== 0n; n++) {
    sum += term;
    term = step(term, n);
  }
  return sum;
}

const arctanOfInverse = (q) => { // 1/q - 1/(3 q^3) + ...
  let power = ONE / q, sum = 0n;
  for (let n = 1n; power !== 0n; n += 2n, power /= -q * q) sum += power / n;
  return sum;
};
const PI = 4n * (4n * arctanOfInverse(5n) - arctanOfInverse(239n)); // Machin
const SQRT_2PI = sqrtFixed(2n * PI);

export function deviation(bounds) {
  // Beyond 24 sigma the density is below 1e-125 and no longer moves a float64. The products by powers of
  // two are exact; what is cut off is below 2^-1000.
  const [a, b] = bounds.map((x) => BigInt(Math.trunc(Math.min(24, Math.max(-24, x)) * 2 ** 1000)) << (BITS - 1000n));
  const density = (x) => {
    const y = mul(x, x) / 2n;
    return div(div(ONE, series(ONE, (term, n) => mul(term, y) / n)), SQRT_2PI);
  };
  // Mass from 0 to x: phi(x) (x + x^3/3 + x^5/(3 5) + ...), in which nothing cancels.
  const mass = (x) => mul(density(x), series(x, (term, n) => mul(mul(term, x), x) / (2n * n + 1n)));
  const Z = mass(b) - mass(a);
  const slope = div(mul(a, density(a)) - mul(b, density(b)), Z);
  const shift = div(density(a) - density(b), Z);
  // Number() of a BigInt rounds to nearest even, once; 64 bits go first, or 1 would overflow it.
  return Number(sqrtFixed(ONE + slope - mul(shift, shift)) >> 64n) * 2 ** -960;
}

// ---- Schemes to laws: { name, parameters, value(h, coordinates) } ----

const C2 = 0.87962566103423978; // deviation([-2, 2]), as the page writes it
const gain2 = (gain, slope = 0) => typeof gain === "number" ? gain * gain
  : { linear: 1, conv: 1, sigmoid: 1, relu: 2, leaky_relu: 2 / (1 + slope * slope), tanh: 25 / 9, selu: 9 / 16 }[gain];

const law = (name, parameters, value) => ({ name, parameters, value });
const constant = (value) => law("constant", [value], () => value);

function uniform(low, high) {
  const centre = (low + high) / 2 + 0; // + 0 makes +0 of -0
  const k = ((high - low) / 2) * 2 ** -32;
  return law("uniform", [low, high], (h) => Math.min(high, Math.max(low, centre + (2 * h + 1 - 2 ** 32) * k)));
}

const normal = (mean, std) => law("normal", [mean, std], (h) => mean + quantile(h) * (std * 2 ** -28));

function truncated(mean, std, bounds = [-2, 2], boundsIn = "sigma") {
  const [first, last] = truncation(mean, std, bounds, boundsIn);
  const whole = normal(mean, std).value;
  return law("truncated_normal", [mean, std, first, last], (h) => whole(first + mulhi(h, last - first + 1)));
}

function delta(gain, oAxis, iAxis, groups, cut, start, dims) {
  const outOfGroup = dims[oAxis] / groups;
  return law("delta", [gain, oAxis, iAxis, groups, cut, start, ...dims], (h, coordinates) => {
    const within = coordinates.map((c, axis) => (axis === cut ? c - start : c)); // cut 0, start 0: unchanged
    const wanted = dims.map((size) => Math.floor(size / 2));
    wanted[iAxis] = within[oAxis] % outOfGroup;
    wanted[oAxis] = within[oAxis];
    return within.every((c, axis) => c === wanted[axis]) ? gain : 0;
  });
}

// "he_normal" is { scheme: "kaiming", distribution: "normal" }, and so on.
function resolve(init) {
  const { scheme, ...given } = typeof init === "string" ? { scheme: init } : init;
  const [, family, distribution] = /^(xavier|glorot|kaiming|he|lecun)(?:_(.*))?$/.exec(scheme) ?? [, scheme];
  const name = { eye: "identity", glorot: "xavier", he: "kaiming" }[family] ?? family;
  return { scheme: name, ...(distribution && { distribution }), ...given };
}

function fanOf(mode, dims, layout = "OI", fan) {
  const productBut = (letters) => // without a layout the axes after "OI" have no letter
    Number(dims.reduce((n, size, axis) => (letters.includes(layout[axis]) ? n : n * BigInt(size)), 1n));
  const i = fan ? fan.in : productBut(["O", "B"]);
  const o = fan ? fan.out : productBut(["I", "B"]);
  const average = (i + o) / 2;
  return { fan_in: i, fan_out: o, average, fan_avg: average, fan_geo_avg: Math.sqrt(i * o) }[mode.toLowerCase()];
}

// The law of one part: its dimensions, its init and fan, and where it lies.
function lawOf(init, fan, dims, layout, cut, start) {
  const p = resolve(init);
  const byFan = (scale, gain2, mode, distribution) => {
    const variance = (scale * gain2) / fanOf(mode, dims, layout, fan);
    if (distribution === "uniform") return uniform(0 - Math.sqrt(3 * variance), Math.sqrt(3 * variance));
    if (distribution === "normal") return normal(0, Math.sqrt(variance));
    return truncated(0, distribution === "undivided" ? Math.sqrt(variance) : Math.sqrt(variance) / C2);
  };
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
    case "kaiming":
      return byFan(1, gain2(p.nonlinearity ?? "relu", p.negative_slope), p.mode ?? "fan_in", p.distribution ?? "normal");
    case "lecun": return byFan(1, 1, "fan_in", p.distribution ?? "normal");
    case "caffe_xavier": return byFan(1, 1, p.variance_norm ?? "FAN_IN", "uniform");
    case "msra": return byFan(2, 1, p.variance_norm ?? "FAN_IN", "normal");
    case "tf_variance_scaling":
      return byFan(p.factor ?? 2, p.uniform ? 1 : 1.3, p.mode ?? "FAN_IN", p.uniform ? "uniform" : "undivided");
    case "identity": return delta(p.gain ?? 1, 0, 1, 1, cut, start, dims);
    case "dirac": {
      const [o, i] = ["O", "I"].map((letter) => (layout ?? "OI").indexOf(letter));
      return delta(p.gain ?? 1, o, i, p.groups ?? 1, cut, start, dims);
    }
  }
  throw new Error(`no scheme ${p.scheme}`);
}

// ---- Dtypes ----

// Bits of the small format with `mantissa` bits and least normal exponent `least`, nearest even. The
// quantum is a power of two, so the division is exact; n carries its leading one into the exponent field.
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
  F16: small(16, 10, -14), BF16: small(16, 7, -126), F8_E5M2: small(8, 2, -14), F8_E4M3: small(8, 3, -6),
};

// ---- Recipe to plan ----

// JSON in which the seed keeps all its digits: an integer that a Number cannot hold becomes a string
// (in a valid recipe only the seed can be one). -0 is 0.
function parse(text) {
  const kept = text.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) =>
    /^\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"${token}"` : token);
  return JSON.parse(kept, (key, value) => (value === 0 ? 0 : value));
}

function matcher(pattern) {
  const expression = new RegExp(`^${pattern.replace(/[\\^$.+?()[\]{}|]/g, "\\$&").replaceAll("*", "[^]*")}$`);
  return (name) => expression.test(name);
}

const byBytes = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));

function planTensor(tensor, recipe, rules) {
  let { name, shape, layout, fan, parts } = tensor;
  let init = tensor.init ?? recipe.init, dtype = tensor.dtype ?? recipe.dtype ?? "F32";
  for (const rule of rules.filter((rule) => rule.matches(name))) {
    if (rule.init) [init, parts] = [rule.init, undefined];
    if (rule.dtype && dtype !== "I64") dtype = rule.dtype;
    if (rule.fan) {
      fan = rule.fan;
      parts = parts && { ...parts, of: parts.of.map((part) => ({ ...part, fan })) };
    }
  }
  let axis = parts?.axis ?? 0, stop = 0;
  const pieces = (parts?.of ?? [{ size: shape[0] }]).map((part) => {
    const start = stop;
    stop += part.size;
    const dims = parts ? shape.with(axis, part.size) : shape;
    return { start, stop, law: lawOf(part.init ?? init, part.fan ?? fan, dims, layout, axis, start) };
  });
  const slice = shape.map((size, i) => tensor.slice?.[i] ?? [0, size]);
  return { name, shape, dtype, axis, pieces, slice, keys: stream(BigInt(recipe.seed), name) };
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

function elements({ shape, dtype, axis, pieces, slice, keys }) {
  const { size, put } = DTYPES[dtype];
  const count = slice.reduce((n, [start, stop]) => n * (stop - start), 1);
  const bytes = Buffer.alloc(count * size), word = wordsOf(keys);
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((n, dim) => n * BigInt(dim), 1n));
  const at = slice.map(([start]) => start); // coordinates in the full tensor
  for (let n = 0; n < count; n++) {
    const index = at.reduce((sum, c, i) => sum + BigInt(c) * strides[i], 0n);
    const { law } = pieces.length === 1 ? pieces[0] : pieces.find(({ start, stop }) => start <= at[axis] && at[axis] < stop);
    put(bytes, n * size, law.value(word(index), at));
    for (let i = at.length - 1; i >= 0 && ++at[i] === slice[i][1]; i--) at[i] = slice[i][0];
  }
  return bytes;
}

function header(tensors, data, metadata) {
  const text = JSON.stringify, members = []; // its escapes are those of the page
  const strings = Object.entries(metadata).sort(([a], [b]) => byBytes(a, b));
  if (strings.length) members.push(`"__metadata__":{${strings.map(([k, v]) => `${text(k)}:${text(v)}`).join(",")}}`);
  let end = 0;
  tensors.forEach(({ name, dtype, slice }, i) => {
    const shape = slice.map(([start, stop]) => stop - start), offsets = [end, (end += data[i].length)];
    members.push(`${text(name)}:{"dtype":"${dtype}","shape":${text(shape)},"data_offsets":${text(offsets)}}`);
  });
  const bytes = Buffer.from(`{${members.join(",")}}`), padding = Buffer.alloc(-bytes.length & 7, " ");
  return Buffer.concat([u64le(bytes.length + padding.length), bytes, padding]);
}

function planLine({ shape, axis, pieces, slice, keys }) {
  const f64 = (x) => Buffer.from(Float64Array.of(x).buffer).reverse().toString("hex");
  const laws = pieces.map(({ start, stop, law }) => {
    const plain = `${law.name}(${law.parameters.map(f64).join(",")})`;
    return pieces.length === 1 ? plain : `${axis}:${start}-${stop}=${plain}`;
  });
  const key = keys.map((k) => k.toString(16).padStart(8, "0")).join("");
  return `${laws.join(";")} ${key} ${slice.map(([start, stop], i) => `${start}:${stop}/${shape[i]}`).join(",")}\n`;
}

export function generate(text) {
  const recipe = parse(text);
  const tensors = plan(recipe), data = tensors.map(elements);
  const head = header(tensors, data, recipe.metadata ?? {});
  return { file: Buffer.concat([head, ...data]), digest: sha256(head, ...tensors.map(planLine)).toString("hex") };
}

// Split by hand: readline would break lines at U+2028, too, which JSON strings may hold.
for (const line of readFileSync(0, "utf8").split("\n").filter((line) => line.trim())) {
  const { file, digest } = generate(line);
  process.stdout.write(`${file.toString("hex")}\t${digest}\n`);
}
