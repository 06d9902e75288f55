/** The plan: a table of the tensors, and totals. */

import { bytes, count, duration, short } from "./units.js";

const MAX_ROWS = 300;
const GIGABIT = 125e6; // bytes a second

/** Bytes of a row's tensor in the file. */
export function bytesOf(row) {
  return row.data_offsets[1] - row.data_offsets[0];
}

/** Rows whose names contain a text; if the text has a *, rows whose full names match it. */
export function matching(rows, wanted) {
  if (!wanted) return rows;
  if (!wanted.includes("*")) return rows.filter((row) => row.name.includes(wanted));
  const escaped = wanted.split("*").map((piece) => piece.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  const pattern = new RegExp(`^${escaped.join(".*")}$`, "s");
  return rows.filter((row) => pattern.test(row.name));
}

/**
 * Show the first rows that match a filter, and their number.
 * @param {HTMLTableSectionElement} body
 * @param {HTMLElement} rest Shows the number.
 * @param {object[]} rows Of the plan.
 * @param {string} wanted The filter; see `matching`.
 * @param {(name: string) => void} choose Called with the name of the tensor that the user chooses.
 */
export function showRows(body, rest, rows, wanted, choose) {
  const found = matching(rows, wanted);
  body.replaceChildren(...found.slice(0, MAX_ROWS).map((row) => lineOf(row, choose)));
  body.onkeydown = moveFocus;
  const [first] = body.querySelectorAll("button");
  if (first) first.tabIndex = 0;
  const hidden = found.length - MAX_ROWS;
  const of = wanted ? `${count(found.length)} of ${count(rows.length)} tensors match.` : `${count(rows.length)} tensors.`;
  rest.textContent = hidden > 0 ? `${of} The first ${MAX_ROWS} are listed; filter by name to see others.` : of;
}

/** Move between the names with the arrow keys; Tab stops only once in the list. */
function moveFocus(event) {
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
 * Show the totals.
 * @param {Record<string, HTMLElement>} fields parameters, size, meter, limit, id.
 * @param {object} plan
 * @param {number} limit Most bytes of a file.
 */
export function showTotals(fields, plan, limit) {
  const { total_parameters: parameters, total_bytes: size } = plan;
  fields.parameters.textContent = count(parameters);
  fields.size.textContent = bytes(size);
  fields.size.title = `${count(size)} bytes`;
  fields.meter.value = Math.log10(Math.max(size, 1));
  fields.meter.max = Math.log10(limit);
  const share = `${Number(((100 * size) / limit).toPrecision(1))} % of this server\u2019s limit of ${bytes(limit)}`;
  fields.limit.textContent = `${duration(size / GIGABIT)} at 1 Gbit/s, ${share}`;
  fields.id.textContent = plan.recipe_id;
}

/** List the service's warnings. */
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
