/** The curves of an analysis, as charts and tables. */

import { axis } from "./chart.js";
import { colour } from "./theme.js";
import { power, short } from "./units.js";

const DECADE = Math.LN10;
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 5], [1, 4], [12, 6], [6, 2], [3, 6]];

/** What a chart can show: `of` and `also` are curves in the response; logarithms become powers of ten. */
export const VIEWS = {
  signal: { label: "Signal", axis: "variance of a layer\u2019s output", of: "ln_q", isLog: true },
  gradient: { label: "Gradient", axis: "mean square of the gradient", of: "ln_gradient", isLog: true },
  saturated: { label: "Dead and saturated", axis: "share of the units", of: "saturated", also: "dead" },
  correlation: { label: "Correlation", axis: "correlation of two inputs", of: "correlation" },
};

/** Which layers a line passes through: those on the residual stream, or all if there is none. */
export function onStream(answer) {
  const known = answer.layers.map((layer) => layer.on_stream !== false);
  return known.some(Boolean) ? known : known.map(() => true);
}

function shown(view, values) {
  if (!values) return [];
  return VIEWS[view].isLog ? values.map((value) => (value === null ? null : value / DECADE)) : values;
}

/** Options and data of a view's chart: lines, points and a band. */
export function chartOf(answer, view) {
  const { of, also, axis: label, isLog } = VIEWS[view];
  const layers = answer.layers.map((_, i) => i + 1);
  const isDrawn = onStream(answer);
  const data = [layers];
  const series = [{}];
  const bands = [];
  const add = (values, look) => {
    data.push(layers.map((_, i) => (isDrawn[i] ? (values[i] ?? null) : undefined))); // uPlot breaks a line at null, not at undefined
    series.push({ points: { show: layers.length === 1 }, ...look });
  };
  for (const [i, { theory, measured }] of answer.curves.entries()) {
    const stroke = colour(`--series-${i}`);
    if (i === 0 && isLog) {
      const edge = { stroke: "transparent", width: 0 };
      add(shown(view, theory[`${of}_high`]), edge);
      add(shown(view, theory[`${of}_low`]), edge);
      bands.push({ series: [1, 2], fill: colour("--band") });
    }
    add(shown(view, theory[of]), { stroke, width: i ? 1.75 : 2.75, dash: DASHES[i] });
    if (measured) add(shown(view, measured[of]), dots(stroke, stroke, 6));
    if (measured?.[also]) add(shown(view, measured[also]), dots(stroke, colour("--surface"), 7));
  }
  const scales = { x: { time: false, range: () => [1, Math.max(layers.length, 2)] }, y: { range: isLog ? rangeOfPowers : rangeOfShares } };
  const ticks = isLog ? { values: (_, at) => at.map((v) => (Number.isInteger(v) ? power(v) : "")), incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500] } : {};
  const axes = [axis("layer", { incrs: [1, 2, 5, 10, 20, 50, 100, 200] }), axis(label, { size: 58, ...ticks })];
  return { options: { series, bands, scales, axes }, data };
}

function dots(stroke, fill, size) {
  return { stroke, paths: () => null, points: { show: true, stroke, fill, size, width: 1.5 } };
}

/** Show at least two decades up and down, so that small changes look flat. */
function rangeOfPowers(_, least, most) {
  return [Math.min(-2, Math.floor(least ?? 0)), Math.max(2, Math.ceil(most ?? 0))];
}

function rangeOfShares(_, least) {
  return [Math.min(0, least ?? 0), 1.02];
}

/** The column headings of a view's table, and a row of texts for each layer. */
export function tableOf(answer, view, labels) {
  const { of, also, isLog } = VIEWS[view];
  const columns = [];
  for (const [i, { theory, measured }] of answer.curves.entries()) {
    columns.push([`${labels[i]}, theory`, shown(view, theory[of])]);
    if (measured) columns.push([`${labels[i]}, measured`, shown(view, measured[of])]);
    if (measured?.[also]) columns.push([`${labels[i]}, measured ${also}`, shown(view, measured[also])]);
  }
  const text = (value) => (value === null || value === undefined ? "\u2013" : isLog ? value.toFixed(2) : short(value));
  const rows = answer.layers.map(({ name }, i) => [String(i + 1), name, ...columns.map(([, values]) => text(values[i]))]);
  return { heads: ["layer", "name", ...columns.map(([head]) => head)], rows, unit: isLog ? "log10 of the " : "" };
}

/** The values of all curves at one layer, as text for the pointer's position. */
export function readout(answer, view, labels, at) {
  const layer = answer.layers[at];
  if (!layer) return "";
  const { of, isLog } = VIEWS[view];
  const values = answer.curves.map(({ theory }, i) => {
    const value = shown(view, theory[of])[at];
    const text = value === null || value === undefined ? "none" : isLog ? power(Number(value.toFixed(1))) : short(value);
    return `${labels[i]} ${text}`;
  });
  return `Layer ${at + 1}, ${layer.name}: ${values.join(", ")}`;
}
