/** A histogram of a tensor's values, with the density of its distribution. */

import { Chart, axis } from "./chart.js";
import { densityOf } from "./density.js";
import { sample } from "./safetensors.js";
import { Latest, post } from "./service.js";
import { colour } from "./theme.js";
import { count, short } from "./units.js";

const MAX_VALUES = 65536;
const BINS = 64;
const BINS_OF_DTYPE = { F8_E4M3: 24, F8_E5M2: 24 };

export class Histogram {
  #latest = new Latest();
  #chart;
  #fields;

  /** @param {Record<string, HTMLElement>} fields chart, status, table. */
  constructor(fields) {
    this.#fields = fields;
    this.#chart = new Chart(fields.chart);
  }

  redraw() {
    this.#chart.redraw();
  }

  /** Draw the values of the recipe's tensor that `row` of the plan describes. */
  async show(recipe, row) {
    const signal = this.#latest.begin();
    try {
      const response = await post(`v1/weights?${new URLSearchParams({ include: row.name })}`, recipe, signal);
      const drawn = await sample(response.body, row.name, MAX_VALUES);
      if (!signal.aborted) this.#draw(row, drawn);
    } catch (error) {
      if (error.name !== "AbortError") this.#clear(error.message);
    }
  }

  #clear(status) {
    this.#chart.clear();
    this.#fields.chart.hidden = true;
    this.#fields.status.textContent = status;
    this.#fields.table.replaceChildren();
  }

  #draw(row, { values, total, dtype }) {
    const { mean, std } = moments(values);
    if (!(std > 0)) {
      this.#clear(values.length ? `All values of ${row.name} are ${short(mean)}.` : `${row.name} has no values.`);
      return;
    }
    const density = total ? densityOf(row) : null;
    const bins = binned(values, rangeOf(row, values), BINS_OF_DTYPE[dtype] ?? BINS);
    const text = summary(row, { mean, std, total, kept: values.length, dtype }, density);
    this.#fields.chart.hidden = false;
    this.#fields.status.textContent = text;
    this.#chart.draw(() => chartOf(bins, density), `Histogram. ${text}`);
    this.#fields.table.replaceChildren(...bins.map((bin) => lineOf(bin, density)));
  }
}

function moments(values) {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const square = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
  return { mean, std: Math.sqrt(square) };
}

/** The interval of a bounded distribution; of any other, the range of the values. */
function rangeOf({ distribution, low, high }, values) {
  const isBounded = distribution === "uniform" || distribution === "truncated_normal";
  if (isBounded && low < high) return [low, high];
  return values.reduce(([least, most], x) => [Math.min(least, x), Math.max(most, x)], [Infinity, -Infinity]);
}

function binned(values, [low, high], number) {
  const width = (high - low) / number || 1;
  const counts = new Array(number).fill(0);
  for (const x of values) counts[Math.min(number - 1, Math.max(0, Math.floor((x - low) / width)))] += 1;
  return counts.map((n, i) => ({ centre: low + (i + 0.5) * width, n, density: n / values.length / width }));
}

function summary(row, { mean, std, total, kept, dtype }, density) {
  const which = kept < total ? `The first ${count(kept)} of ${count(total)} values` : `All ${count(total)} values`;
  const drawn = `${which} of ${row.name}: mean ${short(mean)}, std ${short(std)}`;
  const planned = ` (planned: ${short(row.mean)} and ${short(row.std)}).`;
  const curve = density ? ` The line is the density: ${density.label}.` : ` No density is drawn for the distribution ${row.distribution}.`;
  return drawn + planned + curve + (BINS_OF_DTYPE[dtype] ? ` ${dtype} represents few values, so some bars are empty.` : "");
}

function chartOf(bins, density) {
  const xs = bins.map(({ centre }) => centre);
  const series = [
    {},
    {
      label: "values",
      fill: colour("--bar"),
      stroke: colour("--bar"),
      width: 0,
      points: { show: false },
      paths: uPlot.paths.bars({ size: [1, Infinity], gap: 1 }),
    },
    { label: "density", stroke: colour("--series-0"), width: 2, points: { show: false } },
  ];
  const range = (_, __, most) => [0, most * 1.08];
  const data = [xs, bins.map((bin) => bin.density), xs.map((x) => (density ? density.at(x) : null))];
  const axes = [axis("value", { values: (_, ticks) => ticks.map(short) }), axis("density", { size: 56 })];
  return { options: { series, axes, scales: { x: { time: false }, y: { range } } }, data };
}

function lineOf({ centre, n, density: found }, density) {
  const line = document.createElement("tr");
  for (const value of [short(centre), count(n), short(found), density ? short(density.at(centre)) : "\u2013"]) {
    line.insertCell().textContent = value;
  }
  return line;
}
