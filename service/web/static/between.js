/** The form for what a recipe leaves out: activation, residual scale, and the chain's input. */

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

  /** The members of a calibration request, without the recipe. */
  get calibration() {
    const { activation, slope, residual_scale: scale, size } = this.value;
    const hasSize = size.length && !this.#form.size.parentElement.hidden;
    return {
      activation: activation === "leaky_relu" ? { name: activation, negative_slope: slope } : activation,
      residual_scale: scale,
      input: hasSize ? { size } : {},
    };
  }

  /** The members of an analysis request, without the recipe. */
  analysis(measure) {
    const { input, ...others } = this.calibration;
    const { correlation } = this.value;
    return { ...others, input: { ...input, correlation }, ...(measure ? { measure } : {}) };
  }

  /** Show the image size only for a recipe that has convolutions. */
  fit(recipe) {
    this.#form.size.parentElement.hidden = !/"conv[123]d"/.test(recipe);
  }

  #fit() {
    this.#form.slope.parentElement.hidden = this.#form.activation.value !== "leaky_relu";
  }
}
