/** The recipe's text area, with line numbers; lines with errors are marked. */

import { lineOf } from "./json.js";

const MAX_UNDO = 50;

export class Editor {
  #area;
  #gutter;
  #marked = new Set();
  #lines = 1;
  #undoStack = [];

  /**
   * @param {HTMLTextAreaElement} area
   * @param {HTMLElement} gutter Shows the line numbers.
   * @param {() => void} typed Called after each change by the user.
   */
  constructor(area, gutter, typed) {
    this.#area = area;
    this.#gutter = gutter;
    area.addEventListener("input", () => {
      this.#changed();
      typed();
    });
    area.addEventListener("scroll", () => this.#draw());
    new ResizeObserver(() => this.#draw()).observe(area);
  }

  get text() {
    return this.#area.value;
  }

  /** Replace the text; `undo` restores the old one. */
  replace(text) {
    if (text === this.text) return;
    if (this.text) this.#undoStack = [...this.#undoStack.slice(-MAX_UNDO), this.text];
    this.#write(text);
  }

  /** Whether `undo` has a text to restore. */
  get canUndo() {
    return this.#undoStack.length > 0;
  }

  /** Restore the text before the last replacement. */
  undo() {
    if (this.canUndo) this.#write(this.#undoStack.pop());
  }

  #write(text) {
    this.#area.value = text;
    this.#area.scrollTop = 0;
    this.#changed();
  }

  #changed() {
    this.#lines = lineOf(this.text, Infinity);
    this.mark([]);
  }

  /** Mark the lines at which `places` start; other marks are removed. */
  mark(places) {
    this.#marked = new Set(places.map(({ start }) => lineOf(this.text, start)));
    if (places.length) this.#area.setAttribute("aria-invalid", "true");
    else this.#area.removeAttribute("aria-invalid");
    this.#draw();
  }

  /** Select a place and scroll to it. */
  show({ start, end }) {
    this.#area.focus();
    const stop = this.text.indexOf("\n", start);
    this.#area.setSelectionRange(start, Math.min(end, stop < 0 ? end : stop));
    this.#area.scrollTop = (lineOf(this.text, start) - 4) * this.#height;
    this.#area.scrollLeft = 0;
  }

  get #height() {
    return parseFloat(getComputedStyle(this.#area).lineHeight);
  }

  /** Draw only the numbers in view: a recipe may have a hundred thousand lines. */
  #draw() {
    const first = Math.floor(this.#area.scrollTop / this.#height);
    const shown = Math.ceil(this.#area.clientHeight / this.#height) + 1;
    const numbers = Array.from({ length: Math.min(shown, this.#lines - first) }, (_, i) => {
      const number = document.createElement("span");
      number.textContent = first + i + 1;
      if (this.#marked.has(first + i + 1)) number.className = "wrong";
      return number;
    });
    this.#gutter.replaceChildren(...numbers);
    this.#gutter.style.translate = `0 ${first * this.#height - this.#area.scrollTop}px`;
    this.#gutter.parentElement.style.setProperty("--digits", String(Math.max(2, String(this.#lines).length)));
  }
}
