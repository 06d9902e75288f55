/** Charts by uPlot, a script that loads before the modules. They fit their box and the theme. */

import { colour } from "./theme.js";

const HEIGHT = 300;

export class Chart {
  #box;
  #plot;
  #make;

  /** @param {HTMLElement} box With role img; its aria-label describes the chart. */
  constructor(box) {
    this.#box = box;
    new ResizeObserver(() => this.#fit()).observe(box);
  }

  /**
   * Draw a chart.
   * @param {() => {options: object, data: any[]}} make Called again when the theme changes.
   * @param {string} label Describes the chart to screen readers.
   */
  draw(make, label) {
    this.#make = make;
    this.#box.setAttribute("aria-label", label);
    this.redraw();
  }

  redraw() {
    this.#plot?.destroy();
    this.#plot = undefined;
    if (!this.#make) return;
    const { options, data } = this.#make();
    this.#plot = new uPlot({ ...frame(this.#box), ...options }, data, this.#box);
  }

  clear() {
    this.#make = undefined;
    this.redraw();
  }

  #fit() {
    if (this.#plot && this.#box.clientWidth) this.#plot.setSize({ width: this.#box.clientWidth, height: HEIGHT });
  }
}

function frame(box) {
  return {
    width: box.clientWidth || 600,
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { setScale: false }, y: false },
    padding: [12, 12, 0, 0],
  };
}

/** An axis in the page's colours. */
export function axis(label, more = {}) {
  return {
    label,
    labelSize: 18,
    labelGap: 0,
    size: 30,
    stroke: colour("--muted"),
    font: "12px system-ui",
    labelFont: "12px system-ui",
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { stroke: colour("--line"), width: 1, size: 4 },
    ...more,
  };
}
