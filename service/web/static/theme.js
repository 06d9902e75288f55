/** Light or dark theme: that of the system, until the user chooses one. */

const CHOICE = "tensorseed-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

function current() {
  return document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light");
}

/** Make a button switch the theme; `changed` is called after each change. */
export function initTheme(button, changed) {
  const stored = localStorage.getItem(CHOICE);
  if (stored) document.documentElement.dataset.theme = stored;

  function show() {
    button.setAttribute("aria-pressed", String(current() === "dark"));
    changed();
  }
  button.addEventListener("click", () => {
    const next = current() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    localStorage.setItem(CHOICE, next);
    show();
  });
  system.addEventListener("change", show);
  show();
}

/** The present colour of a CSS custom property, for a canvas. */
export function colour(property, element = document.body) {
  const probe = document.createElement("span");
  probe.style.color = `var(${property})`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
