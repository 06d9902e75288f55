/** Copying text, also without HTTPS, where browsers have no clipboard API. */

/** Copy a text to the clipboard, and show the result on the button. */
export async function copy(text, button) {
  const label = button.dataset.label ?? button.textContent;
  button.dataset.label = label;
  button.textContent = (await copied(text)) ? "Copied" : "Not copied";
  setTimeout(() => {
    button.textContent = label;
  }, 2000);
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
