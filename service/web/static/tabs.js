/** Tabs of which one is chosen: by click, or by arrows, Home and End. */

/**
 * Make an element a list of tabs.
 * @param {HTMLElement} list With role tablist and a name.
 * @param {[string, string][]} entries A value and a label each.
 * @param {HTMLElement} panel What they change.
 * @param {(value: string) => void} choose Called with the value of a tab that was chosen.
 * @returns {(value: string) => void} Chooses a tab.
 */
export function tabs(list, entries, panel, choose) {
  const made = entries.map(([value, label]) => {
    const tab = document.createElement("button");
    Object.assign(tab, { type: "button", textContent: label, id: `${list.id}-${value}`, value });
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", panel.id);
    return tab;
  });
  list.replaceChildren(...made);

  function mark(value) {
    for (const tab of made) {
      const isChosen = tab.value === value;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      if (isChosen) panel.setAttribute("aria-labelledby", tab.id);
    }
  }

  function chosen(value) {
    mark(value);
    choose(value);
  }

  list.addEventListener("click", ({ target }) => target.value && chosen(target.value));
  list.addEventListener("keydown", (event) => {
    const at = made.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    const tab = made.at(to % made.length);
    tab.focus();
    chosen(tab.value);
  });
  mark(entries[0][0]);
  return chosen;
}
