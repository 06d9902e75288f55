/** Mistakes of a recipe, each with its line, which a button leads to. */

import { Malformed, lineOf, parse, placeOf } from "./json.js";

/**
 * What is wrong with a text as JSON, without asking the service.
 * @returns {{detail: string, start: number, end: number}[]} None, or one.
 */
export function mistakesOfText(text) {
  try {
    JSON.parse(text); // much faster, and nearly always enough
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

/** What the service found wrong, at its places in the text. */
export function mistakesOf(refusal, text) {
  if (!refusal.errors.length) return [{ detail: refusal.message, start: 0, end: 1 }];
  const root = parse(text);
  return refusal.errors.map(({ pointer, detail }) => ({ pointer, detail, ...placeOf(root, pointer) }));
}

/**
 * List mistakes.
 * @param {HTMLElement} list Of items.
 * @param {(place: {start: number, end: number}) => void} show Called with the place of a mistake.
 */
export function listMistakes(list, mistakes, text, show) {
  list.replaceChildren(
    ...mistakes.map((mistake) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `Line ${lineOf(text, mistake.start)}`;
      button.addEventListener("click", () => show(mistake));
      const detail = document.createElement("span");
      detail.textContent = mistake.detail;
      item.append(button, " ", detail);
      if (mistake.pointer) {
        const pointer = document.createElement("code");
        pointer.textContent = mistake.pointer;
        item.append(" ", pointer);
      }
      return item;
    }),
  );
  list.hidden = !mistakes.length;
}
