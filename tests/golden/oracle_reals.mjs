// The mathematics of the oracle: real functions in fixed point, each rounded to float64 once, and
// the orthonormal matrix in float64. Made from docs/generator-v1.md alone, as oracle.mjs is.

// ---- Fixed point ----

// Reals are BigInts in units of 2^-1280: far more than needed, so that neither a cancellation nor
// a very small value matters.
const BITS = 1280n, ONE = 1n << BITS;
const mul = (a, b) => (a * b) >> BITS;
const div = (a, b) => (a << BITS) / b;

const bitsOf = (a) => (a < 0n ? -a : a).toString(2).length;

// Number() of a BigInt rounds to nearest even, once; it overflows past 2^1024, so bits go first.
function nearest(a) {
  const gone = BigInt(Math.max(0, bitsOf(a) - 1000));
  return Number(a >> gone) * 2 ** -1024 * 2 ** Number(gone + 1024n - BITS);
}

// The products by powers of two are exact; what is cut off is below 2^-1000.
const fixed = (x) => (BigInt(Math.trunc(x)) << BITS)
  + (BigInt(Math.trunc((x % 1) * 2 ** 1000)) << (BITS - 1000n));

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

const artanh = (q) => { // q + q^3/3 + ...
  let power = q, sum = 0n;
  for (let n = 1n; power !== 0n; n += 2n, power = mul(mul(power, q), q)) sum += power / n;
  return sum;
};
const LN2 = 2n * artanh(ONE / 3n);

function ln(a) { // of 2^e m with 1 <= m < 2
  const e = BigInt(bitsOf(a) - 1) - BITS;
  const m = e < 0n ? a << -e : a >> e;
  return e * LN2 + 2n * artanh(div(m - ONE, m + ONE));
}

const exp = (a) =>
  a < 0n ? div(ONE, exp(-a)) : series(ONE, (term, n) => mul(term, a) / n);

// x - x^3/6 + ...; the argument loses its whole turns first
const sin = (a) => {
  const x = a - ((a + PI) / (2n * PI)) * 2n * PI;
  return series(x, (term, n) => -mul(mul(term, x), x) / (2n * n * (2n * n + 1n)));
};
const cos = (a) => {
  const x = a - ((a + PI) / (2n * PI)) * 2n * PI;
  return series(ONE, (term, n) => -mul(mul(term, x), x) / (2n * n * (2n * n - 1n)));
};

// ---- The real functions of the page ----

// Of the standard normal cut to the bounds. Beyond 24 sigma the density is below 1e-125 and no
// longer moves a float64.
export function deviation(bounds) {
  const [a, b] = bounds.map((x) => fixed(Math.min(24, Math.max(-24, x))));
  const density = (x) => div(exp(-mul(x, x) / 2n), SQRT_2PI);
  // Mass from 0 to x: phi(x) (x + x^3/3 + x^5/(3 5) + ...), in which nothing cancels.
  const mass = (x) =>
    mul(density(x), series(x, (term, n) => mul(mul(term, x), x) / (2n * n + 1n)));
  const Z = mass(b) - mass(a);
  const slope = div(mul(a, density(a)) - mul(b, density(b)), Z);
  const shift = div(density(a) - density(b), Z);
  return nearest(sqrtFixed(ONE + slope - mul(shift, shift)));
}

export const chronoOf = (tMax, h) =>
  nearest(ln(ONE + (((fixed(tMax) - (2n << BITS)) * BigInt(2 * h + 1)) >> 33n)));

// A function of the row, the column and whether it is in the right half. Where half is 1, so is w.
export function sinusoid(maxTimescale, half) {
  const logarithm = ln(fixed(maxTimescale)), frequencies = new Map();
  return (p, i, right) => {
    if (!frequencies.has(i))
      frequencies.set(i, exp((-BigInt(i) * logarithm) / BigInt(Math.max(1, half - 1))));
    return nearest((right ? cos : sin)(BigInt(p) * frequencies.get(i)));
  };
}

// 2^(-n/2): the square root of 2 is rounded once, the rest is exact.
export const halfPower = (n) => n % 2 ? Math.SQRT2 * 2 ** (-(n + 1) / 2) : 2 ** (-n / 2);

// ---- The orthonormal matrix ----

const zeros = (m, n) => Array.from({ length: m }, () => new Float64Array(n));

const transpose = (A) => Array.from(A[0] ?? [], (_, j) => Float64Array.from(A, (row) => row[j]));

// lower: S is T transposed. Only the triangle's elements are terms.
function reflect(M, k, c, V, T, lower) {
  const b = T.length, w = new Float64Array(b), u = new Float64Array(b);
  for (let p = 0; p < b; p++)
    for (let i = 0; i < V.length; i++) w[p] = w[p] + V[i][p] * M[k + i][c];
  for (let p = 0; p < b; p++)
    for (let q = lower ? 0 : p; q < (lower ? p + 1 : b); q++)
      u[p] = u[p] + (lower ? T[q][p] : T[p][q]) * w[q];
  for (let i = 0; i < V.length; i++)
    for (let p = 0; p < b; p++) M[k + i][c] = M[k + i][c] - V[i][p] * u[p];
}

// Householder reflection j of the block that ends before column `end`; returns its sign and tau.
function reflection(A, j, end) {
  const m = A.length, alpha = A[j][j];
  let s = 0, tau = 0;
  for (let i = j; i < m; i++) s = s + A[i][j] * A[i][j];
  A[j][j] = 1;
  const r = Math.sqrt(s), beta = alpha < 0 ? r : -r;
  if (r !== 0) {
    tau = (beta - alpha) / beta;
    for (let i = j + 1; i < m; i++) A[i][j] = A[i][j] / (alpha - beta);
  }
  for (let c = j + 1; c < end; c++) {
    let w = 0;
    for (let i = j; i < m; i++) w = w + A[i][j] * A[i][c];
    w = w * tau;
    for (let i = j; i < m; i++) A[i][c] = A[i][c] - A[i][j] * w;
  }
  return [beta < 0 ? -1 : 1, tau];
}

// Of a matrix as an array of rows, which it overwrites.
export function orthonormal(A) {
  const m = A.length, n = A[0]?.length ?? 0;
  if (m < n) return transpose(orthonormal(transpose(A)));
  const sign = [], blocks = [];
  for (let k = 0; k < n; k += 32) {
    const b = Math.min(32, n - k), T = zeros(b, b);
    for (let j = 0; j < b; j++) [sign[k + j], T[j][j]] = reflection(A, k + j, k + b);
    const V = A.slice(k).map((row, i) => row.slice(k, k + b).map((v, p) => (p > i ? 0 : v)));
    for (let j = 1; j < b; j++)
      for (let q = 0; q < j; q++) {
        let s = 0;
        for (let p = q; p < j; p++) {
          let g = 0;
          for (let i = 0; i < m - k; i++) g = g + V[i][p] * V[i][j];
          s = s + T[q][p] * g;
        }
        T[q][j] = -T[j][j] * s;
      }
    for (let c = k + b; c < n; c++) reflect(A, k, c, V, T, true);
    blocks.push([k, V, T]);
  }
  const Q = zeros(m, n).map((row, i) => (i < n && (row[i] = 1), row));
  for (const [k, V, T] of blocks.reverse())
    for (let c = k; c < n; c++) reflect(Q, k, c, V, T, false);
  return Q.map((row) => row.map((q, j) => q * sign[j]));
}
