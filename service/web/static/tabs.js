/** Tabs: chosen by click, arrow keys, Home or End. */

/**
 * Fill an element with tabs.
 * @param {HTMLElement} list With role tablist and an id.
 * @param {[string, string][]} entries The value and the label of each tab.
 * @param {HTMLElement} panel The panel that the tabs control.
 * @param {(value: string) => void} choose Called with the value of the tab that is chosen.
 * @returns {(value: string) => void} Chooses a tab.
 */
export function tabs(list, entries, panel, choose) {
  const buttons = entries.map(([value, label]) => {
    const tab = document.createElement("button");
    Object.assign(tab, { type: "button", textContent: label, id: `${list.id}-${value}`, value });
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", panel.id);
    return tab;
  });
  list.replaceChildren(...buttons);

  function mark(value) {
    for (const tab of buttons) {
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
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    const tab = buttons.at(to % buttons.length);
    tab.focus();
    chosen(tab.value);
  });
  mark(entries[0][0]);
  return chosen;
}
