/** The form that builds a chain of layers. */

import { SCHEMES } from "./recipe.js";

export class Builder {
  #form;

  /**
   * @param {HTMLFormElement} form
   * @param {(value: object) => void} changed Called with the form's value after each change.
   */
  constructor(form, changed) {
    this.#form = form;
    form.scheme.replaceChildren(...Object.entries(SCHEMES).map(([name, { label }]) => new Option(label, name)));
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", () => {
      this.#fit();
      if (form.reportValidity()) changed(this.value);
    });
  }

  get value() {
    const { depth, width, scheme, distribution, seed, dtype, residual } = this.#form;
    return {
      depth: Number(depth.value),
      width: Number(width.value),
      scheme: scheme.value,
      distribution: distribution.value,
      seed: seed.value,
      dtype: dtype.value,
      residual: residual.checked,
    };
  }

  set value({ residual, ...others }) {
    for (const [name, value] of Object.entries(others)) this.#form[name].value = value;
    this.#form.residual.checked = residual;
    this.#fit();
  }

  #fit() {
    this.#form.distribution.disabled = !SCHEMES[this.#form.scheme.value].hasLaw;
  }
}
