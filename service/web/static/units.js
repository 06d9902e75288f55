/** Formats numbers for people: bytes, counts, durations, powers of ten. */

const SUPERSCRIPTS = { "-": "\u207b", ".": "\u00b7" };
const DECIMAL = ["bytes", "kB", "MB", "GB", "TB", "PB"];

/** Bytes in decimal units, as disks and networks count them. */
export function bytes(count) {
  const step = Math.min(Math.floor(Math.log10(Math.max(count, 1)) / 3), DECIMAL.length - 1);
  const value = count / 1000 ** step;
  return `${step && value < 100 ? value.toPrecision(3) : Math.round(value)} ${DECIMAL[step]}`;
}

/** A count with thousands separators. */
export function count(value) {
  return value.toLocaleString("en");
}

/** A number with up to four significant digits; a dash for null. */
export function short(value) {
  if (value === null || value === undefined) return "\u2013";
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e6 ? String(Number(value.toPrecision(4))) : value.toExponential(2);
}

/** A power of ten: 10 with the exponent in superscript. */
export function power(exponent) {
  const digits = String(Math.abs(exponent) < 1e-9 ? 0 : Number(exponent.toFixed(2)));
  return `10${[...digits].map((d) => SUPERSCRIPTS[d] ?? raised(Number(d))).join("")}`;
}

function raised(digit) {
  return "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"[digit];
}

/** Seconds in words. */
export function duration(seconds) {
  if (seconds < 1) return "less than a second";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toPrecision(2)} h`;
}
