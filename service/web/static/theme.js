/** Light and dark: as the system has it, until the reader chooses. */

const CHOICE = "tensorseed-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

function current() {
  return document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light");
}

/** Let a button change the theme, and call `changed` after each change. */
export function themed(button, changed) {
  const kept = localStorage.getItem(CHOICE);
  if (kept) document.documentElement.dataset.theme = kept;

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

/** The colour that a custom property of an element has now, for a canvas. */
export function colour(property, element = document.body) {
  const probe = document.createElement("span");
  probe.style.color = `var(${property})`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
