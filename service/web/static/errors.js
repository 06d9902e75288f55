/** Errors in a recipe, each with a button that leads to its line. */

import { Malformed, lineOf, parse, placeOf } from "./json.js";

/**
 * Find a JSON syntax error, without the service.
 * @returns {{detail: string, start: number, end: number}[]} One error, or none.
 */
export function syntaxErrors(text) {
  try {
    JSON.parse(text); // much faster than `parse`, which is needed for the place of an error only
    return [];
  } catch {
    try {
      parse(text);
      return [];
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      return [{ detail: error.message, start: error.start, end: error.end }];
    }
  }
}

/** The errors that the service reported, with their places in the text. */
export function errorsOf(refusal, text) {
  if (!refusal.errors.length) return [{ detail: refusal.message, start: 0, end: 1 }];
  const root = parse(text);
  return refusal.errors.map(({ pointer, detail }) => ({ pointer, detail, ...placeOf(root, pointer) }));
}

/**
 * List errors.
 * @param {HTMLElement} list
 * @param {object[]} errors
 * @param {string} text The recipe.
 * @param {(place: {start: number, end: number}) => void} show Called with an error's place.
 */
export function listErrors(list, errors, text, show) {
  list.replaceChildren(
    ...errors.map((error) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `Line ${lineOf(text, error.start)}`;
      button.addEventListener("click", () => show(error));
      const detail = document.createElement("span");
      detail.textContent = error.detail;
      item.append(button, " ", detail);
      if (error.pointer) {
        const pointer = document.createElement("code");
        pointer.textContent = error.pointer;
        item.append(" ", pointer);
      }
      return item;
    }),
  );
  list.hidden = !errors.length;
}
