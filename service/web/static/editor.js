/** The recipe's text area with numbered lines, of which those with mistakes are marked. */

import { lineOf } from "./json.js";

const MOST_UNDONE = 50;

export class Editor {
  #area;
  #gutter;
  #marked = new Set();
  #lines = 1;
  #before = [];

  /**
   * @param {HTMLTextAreaElement} area
   * @param {HTMLElement} gutter Beside it.
   * @param {() => void} typed Called after each change by its user.
   */
  constructor(area, gutter, typed) {
    this.#area = area;
    this.#gutter = gutter;
    area.addEventListener("input", () => {
      this.#took();
      typed();
    });
    area.addEventListener("scroll", () => this.#draw());
    new ResizeObserver(() => this.#draw()).observe(area);
  }

  get text() {
    return this.#area.value;
  }

  /** Write another text; what was there can be brought back. */
  replace(text) {
    if (text === this.text) return;
    if (this.text) this.#before = [...this.#before.slice(-MOST_UNDONE), this.text];
    this.#write(text);
  }

  /** Whether a text can be brought back. */
  get hasBefore() {
    return this.#before.length > 0;
  }

  /** Bring back what the last replacement replaced. */
  undo() {
    if (this.hasBefore) this.#write(this.#before.pop());
  }

  #write(text) {
    this.#area.value = text;
    this.#area.scrollTop = 0;
    this.#took();
  }

  #took() {
    this.#lines = lineOf(this.text, Infinity);
    this.mark([]);
  }

  /** Mark the lines of some places, and no others. */
  mark(places) {
    this.#marked = new Set(places.map(({ start }) => lineOf(this.text, start)));
    if (places.length) this.#area.setAttribute("aria-invalid", "true");
    else this.#area.removeAttribute("aria-invalid");
    this.#draw();
  }

  /** Put the cursor to a place, and the place into view. */
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

  /** Draw the numbers of the lines in view: a recipe may have a hundred thousand. */
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
