/** The panel of curves: requests an analysis, shows the verdict, and compares other schemes. */

import { Chart } from "./chart.js";
import { VIEWS, chartOf, onStream, readout, tableOf } from "./curves.js";
import { WEIGHTED, requestBody } from "./recipe.js";
import { Latest, post } from "./service.js";
import { tabs } from "./tabs.js";
import { power } from "./units.js";

/** Schemes to compare with the recipe's own, by label. */
export const COMPARED = {
  xavier_normal: "xavier_normal",
  kaiming_normal: "kaiming_normal",
  lecun_normal: "lecun_normal",
  orthogonal: "orthogonal",
  "normal, std 0.02": { scheme: "normal", std: 0.02 },
  "PyTorch\u2019s default": { scheme: "variance_scaling", scale: 1 / 3, distribution: "uniform" },
};

export class Analysis {
  #latest = new Latest();
  #fields;
  #chart;
  #answer;
  #view = "gradient";
  #labels = [];

  /**
   * @param {Record<string, HTMLElement>} fields verdict, badge, summary, why, use, chart, readout,
   *   table, caption, views, tab, panel, schemes, usual, quiet, note.
   * @param {{changed: () => void, use: (usual: object) => void}} calls `changed` is called when the
   *   user selects other schemes to compare, `use` when the user wants a scheme in the recipe.
   */
  constructor(fields, calls) {
    this.#fields = fields;
    this.calls = calls;
    this.#chart = new Chart(fields.chart);
    const entries = Object.entries(VIEWS).map(([view, { label }]) => [view, label]);
    this.choose = tabs(fields.views, entries, fields.tab, (view) => {
      this.#view = view;
      this.redraw();
    });
    this.choose(this.#view);
    fields.schemes.replaceChildren(...Object.keys(COMPARED).map((label) => this.#scheme(label)));
    fields.schemes.addEventListener("change", () => calls.changed());
    fields.use.addEventListener("click", () => calls.use(this.#answer.best));
  }

  get view() {
    return this.#view;
  }

  get compared() {
    return [...this.#fields.schemes.querySelectorAll("input:checked")].map((box) => box.value);
  }

  set compared(labels) {
    for (const box of this.#fields.schemes.querySelectorAll("input")) box.checked = labels.includes(box.value);
  }

  /**
   * Request the curves of a recipe and show them.
   * @param {string} recipe
   * @param {object} options The activation and the other members of the request.
   * @throws {Refusal} The request failed. If the recipe is the reason, the panel shows it instead.
   */
  async show(recipe, options) {
    const signal = this.#latest.begin();
    const labels = this.compared;
    const compare = labels.map((label) => COMPARED[label]);
    this.#fields.panel.setAttribute("aria-busy", "true");
    try {
      const response = await post("v1/analysis", requestBody(recipe, { ...options, compare }), signal);
      const answer = await response.json();
      if (signal.aborted) return;
      this.#labels = ["this recipe", ...labels];
      this.#answer = answer;
      this.#showVerdict(answer);
      this.redraw();
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.isOfRecipe && options.measure) {
        const { measure: _, ...theory } = options;
        await this.show(recipe, theory);
        if (this.#answer) this.#fields.note.textContent = `Not measured: ${detailsOf(error)}.`;
        return;
      }
      this.clear(error.isOfRecipe ? `Curves need a chain of layers. ${detailsOf(error)}.` : "");
      if (!error.isOfRecipe) throw error;
    } finally {
      if (!signal.aborted) this.#fields.panel.removeAttribute("aria-busy");
    }
  }

  /** Hide the curves, and show the reason: in full in the panel, in short beside the verdict. */
  clear(reason, summary = reason && "There are no curves for this recipe.") {
    this.#latest.begin();
    const { badge, summary: text, why, use, quiet, panel, usual, verdict } = this.#fields;
    this.#answer = undefined;
    this.#chart.clear();
    badge.textContent = "No verdict";
    text.textContent = summary;
    why.textContent = "";
    verdict.dataset.trains = "none";
    quiet.textContent = reason;
    quiet.hidden = !reason;
    panel.hidden = true;
    use.hidden = true;
    usual.replaceChildren();
    this.#legend([]);
  }

  redraw() {
    const answer = this.#answer;
    if (!answer) return;
    const { label } = VIEWS[this.#view];
    const showReadout = ({ cursor }) => {
      this.#fields.readout.textContent = readout(answer, this.#view, this.#labels, cursor.idx ?? answer.layers.length - 1);
    };
    const make = () => {
      const { options, data } = chartOf(answer, this.#view);
      return { options: { ...options, hooks: { setCursor: [showReadout] } }, data };
    };
    this.#chart.draw(make, `${label}, layer by layer. ${answer.curves[0].verdict}`);
    showReadout({ cursor: {} });
    this.#tabulate(answer);
  }

  #showVerdict(answer) {
    const { curves, usual, best } = answer;
    const { badge, summary, why, use, quiet, panel, note, verdict } = this.#fields;
    const [own] = curves;
    verdict.dataset.trains = String(own.trains);
    badge.textContent = own.trains ? "Trains" : "Does not train";
    summary.textContent = sentence(own.verdict);
    why.textContent = reasonOf(answer, this.#labels);
    use.textContent = `Use ${best.label}`;
    use.hidden = own.trains || !answer.layers.every(({ type }) => WEIGHTED.has(type));
    quiet.hidden = true;
    panel.hidden = false;
    const { measured, theory } = own;
    note.textContent = measured
      ? `Points: ${measured.batch} examples passed through the generated weights, forward and backward.`
      : theory.reliable === false
        ? "At this width single networks differ widely from theory: measure some."
        : "";
    this.#legend(curves);
    this.#fields.usual.replaceChildren(...usual.map((each) => this.#usual(each)));
  }

  #scheme(label) {
    const line = document.createElement("label");
    const box = Object.assign(document.createElement("input"), { type: "checkbox", value: label });
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    const result = document.createElement("small");
    line.append(box, swatch, label, result);
    return line;
  }

  /** Show each compared scheme in its curve's colour, and whether the network trains with it. */
  #legend(curves) {
    const lines = [...this.#fields.schemes.querySelectorAll("label")];
    let next = 1;
    for (const line of lines) {
      const curve = line.querySelector("input").checked ? curves[next] : undefined;
      line.querySelector(".swatch").dataset.series = curve ? String(next) : "";
      line.querySelector("small").textContent = curve ? (curve.trains ? "trains" : "does not train") : "";
      next += line.querySelector("input").checked ? 1 : 0;
    }
  }

  #usual(each) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: `Use ${each.label}` });
    button.addEventListener("click", () => this.calls.use(each));
    const drift = each.spread === null ? "the signal is lost" : `drift of ${power(Number((each.spread / Math.LN10).toFixed(1)))}`;
    item.append(button, ` ${drift}`);
    return item;
  }

  #tabulate(answer) {
    const { heads, rows, unit } = tableOf(answer, this.#view, this.#labels);
    const { table, caption } = this.#fields;
    caption.textContent = `${VIEWS[this.#view].label}: ${unit}${VIEWS[this.#view].axis}`;
    const head = table.createTHead();
    head.replaceChildren(rowOf(heads, "col"));
    const body = table.tBodies[0] ?? table.createTBody();
    body.replaceChildren(...rows.map((row) => rowOf(row, "row")));
  }
}

function rowOf(texts, scope) {
  const row = document.createElement("tr");
  for (const [i, text] of texts.entries()) {
    const isHead = scope === "col" || i === 0;
    const cell = document.createElement(isHead ? "th" : "td");
    if (isHead) cell.scope = scope;
    cell.textContent = text;
    row.append(cell);
  }
  return row;
}

/** The factor by which each layer changes the gradient's mean square; depth multiplies it. */
function reasonOf(answer, labels) {
  const isDrawn = onStream(answer);
  const factors = answer.curves.map(({ theory }) => {
    const passed = theory.ln_gradient.filter((_, i) => isDrawn[i]);
    return Math.exp((passed[0] - passed.at(-1)) / (passed.length - 1));
  });
  const isKnown = answer.curves.map(({ theory }, i) => !theory.ln_gradient.includes(null) && Number.isFinite(factors[i]));
  if (!isKnown[0]) return "";
  const rounded = (factor) => String(Number(factor.toPrecision(3)));
  const others = labels.flatMap((label, i) => (i && isKnown[i] ? [`with ${label} by ${rounded(factors[i])}`] : []));
  const own = `In the backward pass a gradient\u2019s mean square is multiplied by ${rounded(factors[0])} at every layer`;
  return `${[own, ...others].join(", ")}.`;
}

function sentence(text) {
  const capitalized = text.charAt(0).toUpperCase() + text.slice(1);
  return capitalized.endsWith(".") ? capitalized : `${capitalized}.`;
}

function detailsOf({ errors, message }) {
  return errors.length ? errors.map(({ detail }) => detail).join("; ") : message;
}
