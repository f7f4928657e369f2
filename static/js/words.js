// The messages that scripts show, in the page's language.
const all = JSON.parse(document.getElementById('words').textContent);

/** t gives the message with an id, its {Placeholders} filled in. */
export function t(id, values = {}) {
  const text = all[id] ?? id;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');
}
