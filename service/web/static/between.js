/** The form of what a recipe does not say: activations, residual scale, what enters the chain. */

const DEFAULT = { activation: "relu", slope: 0.01, residual_scale: 1, correlation: 0.5, size: [] };

export class Between {
  #form;

  /**
   * @param {HTMLFormElement} form
   * @param {() => void} changed Called after each change.
   */
  constructor(form, changed) {
    this.#form = form;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", () => {
      this.#fit();
      if (form.reportValidity()) changed();
    });
  }

  get value() {
    const { activation, slope, residual_scale: scale, correlation, size } = this.#form;
    return {
      activation: activation.value,
      slope: Number(slope.value),
      residual_scale: Number(scale.value),
      correlation: Number(correlation.value),
      size: size.value.split(",").filter((axis) => axis.trim()).map(Number),
    };
  }

  set value(given) {
    for (const [name, value] of Object.entries({ ...DEFAULT, ...given })) this.#form[name].value = value;
    this.#fit();
  }

  /** The members of a calibration's request, but for the recipe. */
  get calibration() {
    const { activation, slope, residual_scale: scale, size } = this.value;
    const isAsked = size.length && !this.#form.size.parentElement.hidden;
    return {
      activation: activation === "leaky_relu" ? { name: activation, negative_slope: slope } : activation,
      residual_scale: scale,
      input: isAsked ? { size } : {},
    };
  }

  /** The members of a question about a recipe, but for the recipe. */
  question(measure) {
    const { input, ...others } = this.calibration;
    const { correlation } = this.value;
    return { ...others, input: { ...input, correlation }, ...(measure ? { measure } : {}) };
  }

  /** Ask for the images' size only where a recipe has convolutions. */
  fit(recipe) {
    this.#form.size.parentElement.hidden = !/"conv[123]d"/.test(recipe);
  }

  #fit() {
    this.#form.slope.parentElement.hidden = this.#form.activation.value !== "leaky_relu";
  }
}
