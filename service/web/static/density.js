/** Probability densities of tensors' values, from the distribution in the plan. */

const ROOT_TWO_PI = Math.sqrt(2 * Math.PI);

function phi(z) {
  return Math.exp(-0.5 * z * z) / ROOT_TWO_PI;
}

/** The normal distribution function, with a relative error of 1e-7: Numerical Recipes' erfc. */
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

/** Mean, standard deviation and probability mass of N(mean, std^2) truncated to [low, high]. */
function truncated(mean, std, low, high) {
  const [a, b] = [(low - mean) / std, (high - mean) / std];
  const mass = cumulative(b) - cumulative(a);
  const shift = (phi(a) - phi(b)) / mass;
  const variance = 1 + (a * phi(a) - b * phi(b)) / mass - shift * shift;
  return { mean: mean + std * shift, std: std * Math.sqrt(Math.max(variance, 0)), mass };
}

/** Solve rising(x) = value for x in [low, high], by bisection. */
function solve(rising, value, low, high) {
  for (let i = 0; i < 60; i += 1) {
    const middle = (low + high) / 2;
    if (rising(middle) < value) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** The normal distribution before truncation, from the moments after it; null if none is found. */
function untruncated({ mean, std, low, high }) {
  const width = high - low;
  const centre = (sigma) => solve((m) => truncated(m, sigma, low, high).mean, mean, low - width, high + width);
  const sigma = solve((s) => truncated(centre(s), s, low, high).std, std, std / 2, 8 * width);
  const found = { mean: centre(sigma), std: sigma };
  const { std: reached, mass } = truncated(found.mean, sigma, low, high);
  return Math.abs(reached / std - 1) < 1e-3 ? { ...found, mass } : null;
}

const LAWS = {
  uniform: ({ low, high }) => (x) => (x >= low && x <= high ? 1 / (high - low) : 0),
  normal: ({ mean, std }) => (x) => phi((x - mean) / std) / std,
  truncated_normal: (row) => {
    const law = untruncated(row);
    return law && ((x) => (x >= row.low && x <= row.high ? phi((x - law.mean) / law.std) / law.std / law.mass : 0));
  },
};

/**
 * The density of a tensor's values.
 * @param {object} row A row of the plan.
 * @returns {{at: (x: number) => number, label: string} | null} Null if there is none to draw.
 */
export function densityOf(row) {
  const { distribution: law, std } = row;
  if (!(std > 0)) return null;
  if (law === "mixture") return alike(row.parts) ? densityOf(row.parts[0]) : null;
  if (law === "orthogonal") {
    return { at: LAWS.normal(row), label: "normal with that std, which orthogonal matrices approach" };
  }
  const at = LAWS[law]?.(row);
  return at ? { at, label: law.replace("_", " ") } : null;
}

function alike(parts) {
  return parts.every(({ distribution: law, mean, std }) => {
    const [first] = parts;
    return law === first.distribution && mean === first.mean && std === first.std;
  });
}
