/** The plan as a table: what each tensor will be, and what all of them take. */

import { bytes, count, duration, short } from "./units.js";

const MOST_ROWS = 300;
const GIGABIT = 125e6; // bytes a second

/** Bytes that a row of the plan takes in the file. */
export function bytesOf(row) {
  return row.data_offsets[1] - row.data_offsets[0];
}

/** Rows of the plan whose names have a text in them; with a *, whose whole names match. */
export function matching(rows, wanted) {
  if (!wanted) return rows;
  if (!wanted.includes("*")) return rows.filter((row) => row.name.includes(wanted));
  const escaped = wanted.split("*").map((piece) => piece.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  const pattern = new RegExp(`^${escaped.join(".*")}$`, "s");
  return rows.filter((row) => pattern.test(row.name));
}

/**
 * Show the first of the rows that match, and say how many there are.
 * @param {HTMLTableSectionElement} body
 * @param {HTMLElement} rest Where to say it.
 * @param {(name: string) => void} choose Called with the name of a tensor that was chosen.
 */
export function showRows(body, rest, rows, wanted, choose) {
  const found = matching(rows, wanted);
  body.replaceChildren(...found.slice(0, MOST_ROWS).map((row) => lineOf(row, choose)));
  body.onkeydown = walk;
  const [first] = body.querySelectorAll("button");
  if (first) first.tabIndex = 0;
  const hidden = found.length - MOST_ROWS;
  const of = wanted ? `${count(found.length)} of ${count(rows.length)} tensors match.` : `${count(rows.length)} tensors.`;
  rest.textContent = hidden > 0 ? `${of} The first ${MOST_ROWS} are listed; filter by name to see others.` : of;
}

/** Up and down the names by arrows: one stop of the Tab key for all of them. */
function walk(event) {
  const line = event.target.closest("tr");
  const next = { ArrowDown: line.nextElementSibling, ArrowUp: line.previousElementSibling }[event.key];
  if (!next) return;
  event.preventDefault();
  event.target.tabIndex = -1;
  const name = next.querySelector("button");
  name.tabIndex = 0;
  name.focus();
}

function lineOf(row, choose) {
  const line = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  const name = document.createElement("button");
  Object.assign(name, { type: "button", className: "name", textContent: row.name, tabIndex: -1, title: "Show its histogram" });
  name.addEventListener("click", () => choose(row.name));
  head.append(name);
  const cells = [
    row.shape.join(" \u00d7 ") || "scalar",
    row.dtype,
    row.fan_in === null ? "\u2013" : `${short(row.fan_in)} / ${short(row.fan_out)}`,
    short(row.std),
    bytes(bytesOf(row)),
    row.formula ?? (row.parts ? `${row.parts.length} parts` : "\u2013"),
  ];
  line.append(head, ...cells.map(cellOf));
  return line;
}

function cellOf(text) {
  const cell = document.createElement("td");
  cell.textContent = text;
  return cell;
}

/**
 * Say what all tensors take.
 * @param {Record<string, HTMLElement>} fields parameters, size, meter, limit, id.
 * @param {number} limit Bytes that a file may have.
 */
export function showTotals(fields, plan, limit) {
  const { total_parameters: parameters, total_bytes: size } = plan;
  fields.parameters.textContent = count(parameters);
  fields.size.textContent = bytes(size);
  fields.size.title = `${count(size)} bytes`;
  fields.meter.value = Math.log10(Math.max(size, 1));
  fields.meter.max = Math.log10(limit);
  const share = `${Number(((100 * size) / limit).toPrecision(1))} % of the ${bytes(limit)} that this server makes at most`;
  fields.limit.textContent = `${duration(size / GIGABIT)} at 1 Gbit/s, ${share}`;
  fields.id.textContent = plan.recipe_id;
}

/** List what the service warns of. */
export function showWarnings(list, warnings) {
  list.replaceChildren(
    ...warnings.map((warning) => {
      const item = document.createElement("li");
      item.textContent = warning;
      return item;
    }),
  );
  list.hidden = !warnings.length;
}
