/** The panel of curves: what is asked, which schemes are laid over each other, and the verdict. */

import { Chart } from "./chart.js";
import { VIEWS, onStream, pictured, readout, tabled } from "./curves.js";
import { WEIGHTED, asking } from "./recipe.js";
import { Latest, post } from "./service.js";
import { tabs } from "./tabs.js";
import { power } from "./units.js";

/** Schemes that can be laid over the recipe's own, by label. */
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
   * @param {Record<string, HTMLElement>} fields verdict, badge, said, why, use, chart, readout,
   *   table, caption, views, tab, panel, schemes, usual, quiet, note.
   * @param {{changed: () => void, use: (usual: object) => void}} calls When other schemes are to be
   *   compared, and when a scheme is to be written into the recipe.
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
   * Ask for the curves of a recipe and show them.
   * @param {object} about Activation and the rest of the question.
   * @throws {Refusal} But for one that says why the recipe has none, which is shown.
   */
  async show(recipe, about) {
    const signal = this.#latest.begin();
    const labels = this.compared;
    const compare = labels.map((label) => COMPARED[label]);
    this.#fields.panel.setAttribute("aria-busy", "true");
    try {
      const response = await post("v1/analysis", asking(recipe, { ...about, compare }), signal);
      const answer = await response.json();
      if (signal.aborted) return;
      this.#labels = ["this recipe", ...labels];
      this.#answer = answer;
      this.#told(answer);
      this.redraw();
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.isOfRecipe && about.measure) {
        const { measure: _, ...theory } = about;
        await this.show(recipe, theory);
        if (this.#answer) this.#fields.note.textContent = `Not measured: ${detailsOf(error)}.`;
        return;
      }
      this.clear(error.isOfRecipe ? `Curves are drawn for layers that follow each other. ${detailsOf(error)}.` : "");
      if (!error.isOfRecipe) throw error;
    } finally {
      if (!signal.aborted) this.#fields.panel.removeAttribute("aria-busy");
    }
  }

  /** Show no curves; say why in their place, and shortly on top. */
  clear(why, shortly = why && "There are no curves for this recipe.") {
    this.#latest.begin();
    const { badge, said, why: reason, use, quiet, panel, usual, verdict } = this.#fields;
    this.#answer = undefined;
    this.#chart.clear();
    badge.textContent = "No verdict";
    said.textContent = shortly;
    reason.textContent = "";
    verdict.dataset.trains = "none";
    quiet.textContent = why;
    quiet.hidden = !why;
    panel.hidden = true;
    use.hidden = true;
    usual.replaceChildren();
    this.#legend([]);
  }

  redraw() {
    const answer = this.#answer;
    if (!answer) return;
    const { label } = VIEWS[this.#view];
    const pointed = ({ cursor }) => {
      this.#fields.readout.textContent = readout(answer, this.#view, this.#labels, cursor.idx ?? answer.layers.length - 1);
    };
    const make = () => {
      const { options, data } = pictured(answer, this.#view);
      return { options: { ...options, hooks: { setCursor: [pointed] } }, data };
    };
    this.#chart.draw(make, `${label}, layer by layer. ${answer.curves[0].verdict}`);
    pointed({ cursor: {} });
    this.#tabulate(answer);
  }

  #told(answer) {
    const { curves, usual, best } = answer;
    const { badge, said, why, use, quiet, panel, note, verdict } = this.#fields;
    const [own] = curves;
    verdict.dataset.trains = String(own.trains);
    badge.textContent = own.trains ? "Trains" : "Does not train";
    said.textContent = sentence(own.verdict);
    why.textContent = reasonOf(answer, this.#labels);
    use.textContent = `Use ${best.label}`;
    use.hidden = own.trains || !answer.layers.every(({ type }) => WEIGHTED.has(type));
    quiet.hidden = true;
    panel.hidden = false;
    const { measured, theory } = own;
    note.textContent = measured
      ? `Points: ${measured.batch} examples sent through the generated weights and back.`
      : theory.reliable === false
        ? "At this width single networks stray far from theory: measure some."
        : "";
    this.#legend(curves);
    this.#fields.usual.replaceChildren(...usual.map((each) => this.#usual(each)));
  }

  #scheme(label) {
    const line = document.createElement("label");
    const box = Object.assign(document.createElement("input"), { type: "checkbox", value: label });
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    const said = document.createElement("small");
    line.append(box, swatch, label, said);
    return line;
  }

  /** Give the schemes that have a curve its colour, and say what becomes of them. */
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
    const drift = each.spread === null ? "all is lost" : `drift of ${power(Number((each.spread / Math.LN10).toFixed(1)))}`;
    item.append(button, ` ${drift}`);
    return item;
  }

  #tabulate(answer) {
    const { heads, rows, unit } = tabled(answer, this.#view, this.#labels);
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

/** What a layer does to a gradient on its way back, which depth repeats. */
function reasonOf(answer, labels) {
  const isDrawn = onStream(answer);
  const factors = answer.curves.map(({ theory }) => {
    const passed = theory.ln_gradient.filter((_, i) => isDrawn[i]);
    return Math.exp((passed[0] - passed.at(-1)) / (passed.length - 1));
  });
  const isKnown = answer.curves.map(({ theory }, i) => !theory.ln_gradient.includes(null) && Number.isFinite(factors[i]));
  if (!isKnown[0]) return "";
  const said = (factor) => String(Number(factor.toPrecision(3)));
  const others = labels.flatMap((label, i) => (i && isKnown[i] ? [`under ${label} by ${said(factors[i])}`] : []));
  const own = `On its way back a gradient\u2019s mean square is multiplied by ${said(factors[0])} at every layer`;
  return `${[own, ...others].join(", ")}.`;
}

function sentence(text) {
  const said = text.charAt(0).toUpperCase() + text.slice(1);
  return said.endsWith(".") ? said : `${said}.`;
}

function detailsOf({ errors, message }) {
  return errors.length ? errors.map(({ detail }) => detail).join("; ") : message;
}
