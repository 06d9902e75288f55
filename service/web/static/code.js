/** The panel of programs: one tab for each language, and a copy button. */

import { copy } from "./clipboard.js";
import { LANGUAGES, isFromFile, snippet } from "./snippets.js";
import { address, key } from "./service.js";
import { tabs } from "./tabs.js";

export class Code {
  #language = "curl";
  #recipe = "";
  #fields;

  /** @param {Record<string, HTMLElement>} fields tabs, panel, text, how, copy. */
  constructor(fields) {
    this.#fields = fields;
    const entries = Object.entries(LANGUAGES).map(([name, { label }]) => [name, label]);
    tabs(fields.tabs, entries, fields.panel, (language) => {
      this.#language = language;
      this.#draw();
    });
    fields.copy.addEventListener("click", () => copy(fields.text.textContent, fields.copy));
  }

  /** Show programs for a valid recipe. */
  show(recipe) {
    this.#recipe = recipe;
    this.#draw();
  }

  #draw() {
    const { file, run } = LANGUAGES[this.#language];
    const request = { recipe: this.#recipe, url: address("v1/weights"), hasKey: Boolean(key.value) };
    this.#fields.text.textContent = snippet(this.#language, request);
    const recipe = isFromFile(this.#recipe) ? " and the recipe as recipe.json in the same folder" : "";
    this.#fields.how.textContent = `Save it as ${file}${recipe}, then run: ${run}`;
  }
}
