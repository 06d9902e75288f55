/** Densities of the laws that tensors are drawn from, by what the plan says of them. */

const ROOT_TWO_PI = Math.sqrt(2 * Math.PI);

function phi(z) {
  return Math.exp(-0.5 * z * z) / ROOT_TWO_PI;
}

/** The normal distribution function, to 1e-7 of itself: Numerical Recipes' erfc. */
export function cumulative(z) {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.5 * x);
  const series = [
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587,
    -0.82215223, 0.17087277,
  ].reduceRight((sum, term) => term + t * sum, 0);
  const tail = 0.5 * t * Math.exp(-x * x + series);
  return z > 0 ? 1 - tail : tail;
}

/** Mean, standard deviation and mass of N(mean, std^2) between two bounds. */
function cut(mean, std, low, high) {
  const [a, b] = [(low - mean) / std, (high - mean) / std];
  const mass = cumulative(b) - cumulative(a);
  const shift = (phi(a) - phi(b)) / mass;
  const variance = 1 + (a * phi(a) - b * phi(b)) / mass - shift * shift;
  return { mean: mean + std * shift, std: std * Math.sqrt(Math.max(variance, 0)), mass };
}

/** Where a rising function of a number between two others takes a value. */
function solve(rising, value, low, high) {
  for (let i = 0; i < 60; i += 1) {
    const middle = (low + high) / 2;
    if (rising(middle) < value) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** The normal law before the cut, from the moments after it; null where it cannot be told. */
function uncut({ mean, std, low, high }) {
  const width = high - low;
  const centre = (sigma) => solve((m) => cut(m, sigma, low, high).mean, mean, low - width, high + width);
  const sigma = solve((s) => cut(centre(s), s, low, high).std, std, std / 2, 8 * width);
  const found = { mean: centre(sigma), std: sigma };
  const { std: reached, mass } = cut(found.mean, sigma, low, high);
  return Math.abs(reached / std - 1) < 1e-3 ? { ...found, mass } : null;
}

const LAWS = {
  uniform: ({ low, high }) => (x) => (x >= low && x <= high ? 1 / (high - low) : 0),
  normal: ({ mean, std }) => (x) => phi((x - mean) / std) / std,
  truncated_normal: (row) => {
    const law = uncut(row);
    return law && ((x) => (x >= row.low && x <= row.high ? phi((x - law.mean) / law.std) / law.std / law.mass : 0));
  },
};

/**
 * The density of a tensor's values.
 * @param {object} row Of the plan.
 * @returns {{at: (x: number) => number, said: string} | null} Null where there is none to draw.
 */
export function densityOf(row) {
  const { distribution: law, std } = row;
  if (!(std > 0)) return null;
  if (law === "mixture") return alike(row.parts) ? densityOf(row.parts[0]) : null;
  if (law === "orthogonal") {
    return { at: LAWS.normal(row), said: "normal of that std, which orthogonal matrices come near" };
  }
  const at = LAWS[law]?.(row);
  return at ? { at, said: law.replace("_", " ") } : null;
}

function alike(parts) {
  return parts.every(({ distribution: law, mean, std }) => {
    const [first] = parts;
    return law === first.distribution && mean === first.mean && std === first.std;
  });
}
