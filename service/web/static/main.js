/** The page: what changes what, and when the service is asked. */

import { Analysis } from "./analysis.js";
import { Between } from "./between.js";
import { Builder } from "./builder.js";
import { copy } from "./clipboard.js";
import { Code } from "./code.js";
import { Download, save } from "./download.js";
import { Editor } from "./editor.js";
import { listMistakes, mistakesOf, mistakesOfText } from "./errors.js";
import { Histogram } from "./histogram.js";
import { format, member, parse } from "./json.js";
import { fragmentOf, stateOf } from "./link.js";
import { showRows, showTotals, showWarnings } from "./plan.js";
import { PRESETS } from "./presets.js";
import { asking, chain, withInit } from "./recipe.js";
import { Latest, get, key, post } from "./service.js";
import { themed } from "./theme.js";
import { bytes, count } from "./units.js";

const PAUSE = 300; // milliseconds without a change before the service is asked
const MOST_NAMES = 300;
const LIMIT = 2 ** 41;
const BATCH = 64;

const $ = (id) => document.getElementById(id);
const planning = new Latest();
const calibrating = new Latest();
let plan = null;
let limit = LIMIT;
let timer;

const editor = new Editor($("text"), $("gutter"), () => later());
const builder = new Builder($("builder"), (asked) => write(chain(asked)));
const between = new Between($("between"), () => update());
const analysis = new Analysis(
  {
    verdict: $("verdict"), badge: $("badge"), said: $("said"), why: $("why"), use: $("use"), chart: $("chart"), readout: $("readout"),
    table: $("numbers"), caption: $("numbers-caption"), views: $("views"), panel: $("curves"), tab: $("panel"),
    schemes: $("schemes"), usual: $("usual"), quiet: $("quiet"), note: $("note"),
  },
  { changed: () => update(), use: (usual) => write(withInit(editor.text, usual)) },
);
const histogram = new Histogram({ chart: $("histogram"), said: $("histogram-said"), table: $("bins") });
const code = new Code({
  tabs: $("languages"), panel: $("program-panel"), text: $("program"), how: $("program-how"), copy: $("program-copy"),
});
const download = new Download(
  {
    start: $("download"), abort: $("abort"), link: $("download-link"), bar: $("progress"), amount: $("amount"),
    said: $("download-said"), hash: $("hash"), box: $("hash-box"),
  },
  () => editor.text,
);

/** Show which preset the recipe is, if any. */
function press(name) {
  for (const chip of $("presets").children) chip.setAttribute("aria-pressed", String(chip.value === name));
}

/** Write another recipe, that of a preset or none. */
function write(text, preset = "") {
  editor.replace(text);
  press(preset);
  update();
}

/** Ask the service once nothing has changed for a while. */
function later() {
  press("");
  clearTimeout(timer);
  timer = setTimeout(update, PAUSE);
}

/** Ask the service for what has changed: the curves always, the plan with the recipe. */
async function update({ measure } = {}) {
  clearTimeout(timer);
  calibrating.begin();
  const signal = planning.begin();
  const recipe = editor.text;
  $("undo").disabled = !editor.hasBefore;
  between.fit(recipe);
  const mistakes = mistakesOfText(recipe);
  if (mistakes.length) {
    broken(mistakes, recipe);
    return;
  }
  try {
    const shown = curves(recipe, measure);
    shown.catch(() => {}); // said below, after the plan
    if (plan?.recipe !== recipe) {
      const made = await (await post("v1/plan", recipe, signal)).json();
      if (signal.aborted) return;
      planned(recipe, made);
    }
    await shown;
    say("");
  } catch (error) {
    failed(error, recipe);
  }
}

async function curves(recipe, measure) {
  if (/"(layers|model)"/.test(recipe)) await analysis.show(recipe, between.question(measure));
  else analysis.clear("Curves are drawn for layers that follow each other; this recipe states single tensors.");
}

function failed(error, recipe) {
  if (error.name === "AbortError") return;
  if (error.isOfRecipe) broken(mistakesOf(error, recipe), recipe);
  else say(error.message, error.status);
}

/** Say what is wrong with the recipe, at its place; what is known of an earlier one stays. */
function broken(mistakes, recipe) {
  const many = mistakes.length === 1 ? "There is a mistake" : `There are ${mistakes.length} mistakes`;
  plan = null;
  say("");
  editor.mark(mistakes);
  listMistakes($("mistakes"), mistakes, recipe, (place) => editor.show(place));
  $("recipe-said").textContent = `${many} in the recipe. Below is what the last one without was.`;
  analysis.clear("", `${many} in the recipe.`);
  download.offer(recipe, null);
}

function planned(recipe, made) {
  plan = { ...made, recipe };
  editor.mark([]);
  listMistakes($("mistakes"), [], recipe);
  $("recipe-said").textContent = `The recipe makes ${count(made.tensors.length)} tensors, ${bytes(made.total_bytes)}.`;
  showWarnings($("warnings"), made.warnings);
  showTotals(
    { parameters: $("parameters"), size: $("size"), meter: $("meter"), limit: $("limit"), id: $("recipe-id") }, made, limit,
  );
  list();
  $("names").replaceChildren(...made.tensors.slice(0, MOST_NAMES).map(({ name }) => new Option(name, name)));
  code.show(recipe);
  download.offer(recipe, made.total_bytes);
  draw();
}

function list() {
  if (plan) showRows($("rows"), $("rest"), plan.tensors, $("filter").value, choose);
}

function choose(name) {
  $("tensor").value = name;
  draw();
}

/** Draw the chosen tensor, or the first matrix that is drawn at random. */
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

function say(text, status) {
  $("notice").hidden = !text;
  $("notice-text").textContent = text;
  if (status === 401 || status === 403) $("key-box").open = true;
}

async function calibrate() {
  const signal = calibrating.begin();
  $("note").textContent = "Calibrating\u2026";
  try {
    const asked = asking(editor.text, between.calibration);
    const made = await (await post("v1/calibrate", asked, signal)).text();
    const { start, end } = member(parse(made), "recipe");
    write(format(made.slice(start, end))); // as text: a seed may have more digits than a number here
  } catch (error) {
    if (error.name === "AbortError") return;
    $("note").textContent = error.errors?.[0]?.detail ?? error.message;
  }
}

function begin(name) {
  const { chain: options, recipe, between: given = {}, compare = [] } = PRESETS[name];
  between.value = given;
  analysis.compared = compare;
  if (options) builder.value = options;
  write(recipe ?? chain(options), name);
}

/** Open what the address carries, or the first preset. */
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
  if (!editor.text) begin(Object.keys(PRESETS)[0]);
}

async function share() {
  const state = { recipe: editor.text, between: between.value, compare: analysis.compared, view: analysis.view };
  history.replaceState(null, "", await fragmentOf(state));
  await copy(location.href, $("link"));
}

for (const [name, { label }] of Object.entries(PRESETS)) {
  const chip = Object.assign(document.createElement("button"), { type: "button", value: name, textContent: label });
  chip.addEventListener("click", () => begin(name));
  $("presets").append(chip);
}
$("format").addEventListener("click", () => mistakesOfText(editor.text).length || write(format(editor.text)));
$("save").addEventListener("click", () => save(new Blob([editor.text], { type: "application/json" }), "recipe.json"));
$("undo").addEventListener("click", () => {
  editor.undo();
  press("");
  update();
});
$("measure").addEventListener("click", () => update({ measure: { batch: BATCH } }));
$("calibrate").addEventListener("click", calibrate);
$("again").addEventListener("click", () => update());
$("filter").addEventListener("input", list);
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
themed($("theme"), () => {
  analysis.redraw();
  histogram.redraw();
});
get("info").then(
  ({ limits }) => {
    limit = limits.max_total_bytes;
  },
  () => {}, // the default is the usual one
);
open();
