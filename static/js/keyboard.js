// What the keys of all pages have in common.

/** typing says whether a key press belongs to a field that takes text. */
export function typing(event) {
  const el = event.target;
  if (!(el instanceof HTMLElement)) return false;
  if (el.isContentEditable || el.closest('dialog[open]')) return true;
  return el.matches('textarea, select, input:not([type=range], [type=checkbox], [type=radio], [type=button], [type=submit])');
}

/** plain says that no modifier is held besides Shift. */
export function plain(event) {
  return !event.ctrlKey && !event.altKey && !event.metaKey;
}

/** classButton finds the class button of a key inside an element. */
export function classButton(within, event) {
  if (!within || !plain(event) || event.key.length !== 1) return null;
  const key = event.key.toLowerCase();
  for (const button of within.querySelectorAll('button[data-class]')) {
    if (button.dataset.key && button.dataset.key.toLowerCase() === key) return button;
  }
  return null;
}
