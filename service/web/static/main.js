/** The page: connects its parts, and sends the requests to the service. */

import { Analysis } from "./analysis.js";
import { Between } from "./between.js";
import { Builder } from "./builder.js";
import { copy } from "./clipboard.js";
import { Code } from "./code.js";
import { Download, save } from "./download.js";
import { Editor } from "./editor.js";
import { errorsOf, listErrors, syntaxErrors } from "./errors.js";
import { Histogram } from "./histogram.js";
import { format, member, parse } from "./json.js";
import { fragmentOf, stateOf } from "./link.js";
import { showRows, showTotals, showWarnings } from "./plan.js";
import { PRESETS } from "./presets.js";
import { chain, requestBody, withInit } from "./recipe.js";
import { Latest, get, key, post } from "./service.js";
import { initTheme } from "./theme.js";
import { bytes, count } from "./units.js";

const PAUSE = 300; // milliseconds without a keystroke before a request is sent
const MAX_NAMES = 300;
const DEFAULT_LIMIT = 2 ** 41;
const BATCH = 64;

const $ = (id) => document.getElementById(id);
const planning = new Latest();
const calibrating = new Latest();
let plan = null;
let limit = DEFAULT_LIMIT;
let timer;

const editor = new Editor($("text"), $("gutter"), () => updateLater());
const builder = new Builder($("builder"), (options) => write(chain(options)));
const between = new Between($("between"), () => update());
const analysis = new Analysis(
  {
    verdict: $("verdict"), badge: $("badge"), summary: $("verdict-summary"), why: $("why"), use: $("use"), chart: $("chart"), readout: $("readout"),
    table: $("numbers"), caption: $("numbers-caption"), views: $("views"), panel: $("curves"), tab: $("panel"),
    schemes: $("schemes"), usual: $("usual"), quiet: $("quiet"), note: $("note"),
  },
  { changed: () => update(), use: (usual) => write(withInit(editor.text, usual)) },
);
const histogram = new Histogram({ chart: $("histogram"), status: $("histogram-status"), table: $("bins") });
const code = new Code({
  tabs: $("languages"), panel: $("program-panel"), text: $("program"), how: $("program-how"), copy: $("program-copy"),
});
const download = new Download(
  {
    start: $("download"), abort: $("abort"), link: $("download-link"), bar: $("progress"), amount: $("amount"),
    status: $("download-status"), hash: $("hash"), box: $("hash-box"),
  },
  () => editor.text,
);

/** Mark the preset that the recipe is from; none for an empty name. */
function markPreset(name) {
  for (const chip of $("presets").children) chip.setAttribute("aria-pressed", String(chip.value === name));
}

/** Write a recipe into the editor; `preset` is the name of the preset that it is from, if any. */
function write(text, preset = "") {
  editor.replace(text);
  markPreset(preset);
  update();
}

/** Update the page after a pause in typing. */
function updateLater() {
  markPreset("");
  clearTimeout(timer);
  timer = setTimeout(update, PAUSE);
}

/** Request the curves, and the plan if the recipe has changed. */
async function update({ measure } = {}) {
  clearTimeout(timer);
  calibrating.begin();
  const signal = planning.begin();
  const recipe = editor.text;
  $("undo").disabled = !editor.canUndo;
  between.fit(recipe);
  const errors = syntaxErrors(recipe);
  if (errors.length) {
    showErrors(errors, recipe);
    return;
  }
  try {
    const shown = showCurves(recipe, measure);
    shown.catch(() => {}); // awaited and reported after the plan
    if (plan?.recipe !== recipe) {
      const response = await (await post("v1/plan", recipe, signal)).json();
      if (signal.aborted) return;
      showPlan(recipe, response);
    }
    await shown;
    notify("");
  } catch (error) {
    showFailure(error, recipe);
  }
}

async function showCurves(recipe, measure) {
  if (/"(layers|model)"/.test(recipe)) await analysis.show(recipe, between.analysis(measure));
  else analysis.clear("Curves need a chain of layers. This recipe lists single tensors.");
}

function showFailure(error, recipe) {
  if (error.name === "AbortError") return;
  if (error.isOfRecipe) showErrors(errorsOf(error, recipe), recipe);
  else notify(error.message, error.status);
}

/** Show the recipe's errors at their lines; the plan of the last valid recipe stays. */
function showErrors(errors, recipe) {
  const summary = `The recipe has ${errors.length === 1 ? "an error" : `${errors.length} errors`}.`;
  plan = null;
  notify("");
  editor.mark(errors);
  listErrors($("errors"), errors, recipe, (place) => editor.show(place));
  $("recipe-status").textContent = `${summary} The plan below is that of the last valid recipe.`;
  analysis.clear("", summary);
  download.offer(recipe, null);
}

function showPlan(recipe, response) {
  plan = { ...response, recipe };
  editor.mark([]);
  listErrors($("errors"), [], recipe);
  $("recipe-status").textContent = `The recipe makes ${count(plan.tensors.length)} tensors, ${bytes(plan.total_bytes)}.`;
  showWarnings($("warnings"), plan.warnings);
  showTotals(
    { parameters: $("parameters"), size: $("size"), meter: $("meter"), limit: $("limit"), id: $("recipe-id") }, plan, limit,
  );
  showTensors();
  $("names").replaceChildren(...plan.tensors.slice(0, MAX_NAMES).map(({ name }) => new Option(name, name)));
  code.show(recipe);
  download.offer(recipe, plan.total_bytes);
  draw();
}

function showTensors() {
  if (plan) showRows($("rows"), $("rest"), plan.tensors, $("filter").value, choose);
}

function choose(name) {
  $("tensor").value = name;
  draw();
}

/** Draw the histogram of the chosen tensor, or of the first random matrix. */
function draw() {
  if (!plan) return;
  const rows = plan.tensors;
  const isRandom = ({ std }) => std > 0;
  const row =
    rows.find(({ name }) => name === $("tensor").value) ??
    rows.find((each) => isRandom(each) && each.shape.length > 1) ??
    rows.find(isRandom) ??
    rows[0];
  if (!row) return;
  $("tensor").value = row.name;
  histogram.show(plan.recipe, row);
}

/** Show a notice above the page; hide it for an empty text. */
function notify(text, status) {
  $("notice").hidden = !text;
  $("notice-text").textContent = text;
  if (status === 401 || status === 403) $("key-box").open = true;
}

async function calibrate() {
  const signal = calibrating.begin();
  $("note").textContent = "Calibrating\u2026";
  try {
    const body = requestBody(editor.text, between.calibration);
    const response = await (await post("v1/calibrate", body, signal)).text();
    const { start, end } = member(parse(response), "recipe");
    write(format(response.slice(start, end))); // as text: a seed may exceed 2^53
  } catch (error) {
    if (error.name === "AbortError") return;
    $("note").textContent = error.errors?.[0]?.detail ?? error.message;
  }
}

function openPreset(name) {
  const { chain: options, recipe, between: given = {}, compare = [] } = PRESETS[name];
  between.value = given;
  analysis.compared = compare;
  if (options) builder.value = options;
  write(recipe ?? chain(options), name);
}

/** Open the link in the page's address, or the first preset. */
async function open() {
  if (location.hash.length > 1) {
    try {
      const state = await stateOf(location.hash);
      between.value = state.between ?? {};
      analysis.compared = state.compare ?? [];
      if (state.view) analysis.choose(state.view);
      write(state.recipe);
      return;
    } catch {
      $("broken-link").hidden = false;
    }
  }
  if (!editor.text) openPreset(Object.keys(PRESETS)[0]);
}

async function share() {
  const state = { recipe: editor.text, between: between.value, compare: analysis.compared, view: analysis.view };
  history.replaceState(null, "", await fragmentOf(state));
  await copy(location.href, $("link"));
}

for (const [name, { label }] of Object.entries(PRESETS)) {
  const chip = Object.assign(document.createElement("button"), { type: "button", value: name, textContent: label });
  chip.addEventListener("click", () => openPreset(name));
  $("presets").append(chip);
}
$("format").addEventListener("click", () => syntaxErrors(editor.text).length || write(format(editor.text)));
$("save").addEventListener("click", () => save(new Blob([editor.text], { type: "application/json" }), "recipe.json"));
$("undo").addEventListener("click", () => {
  editor.undo();
  markPreset("");
  update();
});
$("measure").addEventListener("click", () => update({ measure: { batch: BATCH } }));
$("calibrate").addEventListener("click", calibrate);
$("again").addEventListener("click", () => update());
$("filter").addEventListener("input", showTensors);
$("tensor").addEventListener("change", draw);
$("link").addEventListener("click", share);
$("key").value = key.value;
$("key-form").addEventListener("submit", (event) => event.preventDefault());
$("key-form").addEventListener("change", () => {
  key.value = $("key").value.trim();
  plan = null;
  update();
});
window.addEventListener("hashchange", open);
initTheme($("theme"), () => {
  analysis.redraw();
  histogram.redraw();
});
get("info").then(
  ({ limits }) => {
    limit = limits.max_total_bytes;
  },
  () => {}, // keep the default limit
);
open();
