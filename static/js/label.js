// The labelling page: selecting in the grid, labelling the selection, undo.
import { t } from './words.js';
import { say, clear } from './toasts.js';
import { typing, classButton } from './keyboard.js';
import { Grid } from './grid.js';
import { send } from './send.js';

const el = document.getElementById('grid');
const read = (id) => JSON.parse(document.getElementById(id)?.textContent ?? 'null') ?? [];
/** hooks are what the pages around the grid add: toggles (a tap adds or takes out),
    labelled(frames, class), undone(), note(index) for the line below a picture. */
export const hooks = {};
export const grid = new Grid(el, { cells: read('first-cells'), classes: read('grid-classes'), order: read('grid-order'), note: (index) => hooks.note?.(index) });
const bar = document.querySelector('[data-selection]');
const done = []; // what undo takes back: lists of corrections
const longPress = 450; // ms
let anchor = -1;
let base = new Set(); // selected before the range that is being drawn
let rangeMode = false;

grid.whole.catch(() => say(t('js.failed'), { bad: true }));

/** show brings the page in line with the selection. */
export function show() {
  bar.querySelector('[data-chosen]').textContent = String(grid.selected.size);
  bar.toggleAttribute('data-any', grid.selected.size > 0);
  bar.querySelector('[data-act=undo]').disabled = done.length === 0;
  bar.querySelector('[data-act=range]').setAttribute('aria-pressed', String(rangeMode));
  if (grid.cursor >= 0) el.setAttribute('aria-activedescendant', `cell-${grid.cursor}`);
  const one = grid.selected.size === 1 ? [...grid.selected][0] : undefined;
  const alike = document.querySelector('[data-alike]');
  if (alike) alike.disabled = one === undefined;
  grid.repaint();
}

function selectOnly(index) {
  grid.selected = new Set(index >= 0 ? [grid.ids[index]] : []);
  base = new Set();
  anchor = grid.cursor = index;
}

function toggle(index) {
  const id = grid.ids[index];
  if (!grid.selected.delete(id)) grid.selected.add(id);
  base = new Set(grid.selected);
  anchor = grid.cursor = index;
}

function extend(index) {
  if (anchor < 0) anchor = index;
  grid.selected = new Set(base);
  for (let i = Math.min(anchor, index); i <= Math.max(anchor, index); i++) grid.selected.add(grid.ids[i]);
  grid.cursor = index;
}

// Posts go out one after the other: an undo pressed while a label is on its way takes back that label.
let last = Promise.resolve();
const inOrder = (act) => { last = last.then(act, act); };

function give(name) {
  const frames = [...grid.selected].filter((id) => id !== undefined);
  if (!frames.length) return say(t('js.nothing'));
  advance(frames.length);
  inOrder(() => label(name, frames));
}

async function label(name, frames) {
  try {
    const answer = await send(el.dataset.post, { recipe: el.dataset.recipe, class: name, frames: frames.join(',') });
    grid.update(answer.cells);
    if (answer.corrections?.length) {
      done.push(answer.corrections);
      hooks.labelled?.(frames, name);
    }
    clear();
    say(name ? t('js.labelled', { N: frames.length, Class: name }) : t('js.taken-back', { N: frames.length }), { undo });
    const other = answer.overtaken?.[0];
    if (other) say(t('js.overtaken', { Person: other.person, Class: other.class }));
  } catch (error) {
    grid.selected = new Set(frames);
    say(error.message, { bad: true });
  }
  show();
}

// advance goes on to the next frame after one, or selects none after many.
function advance(n) {
  const next = Math.min(grid.cursor + 1, grid.total - 1);
  if (n === 1 && grid.cursor >= 0) {
    selectOnly(next);
    grid.reveal(next);
  } else {
    grid.selected = new Set();
    base = new Set();
    anchor = -1;
  }
  rangeMode = false;
  show();
}

const undo = () => inOrder(takeBack);

async function takeBack() {
  const corrections = done.pop();
  if (!corrections) return;
  clear();
  try {
    const answer = await send('/corrections/undo', { corrections: corrections.join(',') });
    grid.update(answer.cells);
    hooks.undone?.();
    say(t('js.undone', { N: answer.corrections?.length ?? 0 }));
  } catch (error) {
    done.push(corrections);
    say(error.message, { bad: true });
  }
  show();
}

function none() {
  selectOnly(-1);
  rangeMode = false;
  show();
}

async function all() {
  await grid.whole;
  grid.selected = new Set(grid.ids);
  show();
}

function open() {
  const id = grid.ids[grid.cursor];
  if (id !== undefined) location.assign(`/frames/${id}?${el.dataset.query}`);
}

// --- pointer: click, Ctrl-click, Shift-click, drag; tap, long press ---
let press = null;

function pick(index, event) {
  if (event.shiftKey || rangeMode && anchor >= 0) {
    extend(index);
    rangeMode = false;
  } else if (hooks.toggles || event.ctrlKey || event.metaKey || event.pointerType === 'touch' || rangeMode) toggle(index);
  else selectOnly(index);
  show();
}

el.addEventListener('pointerdown', (event) => {
  const index = grid.at(event.clientX, event.clientY);
  if (event.button !== 0 || index < 0 || event.offsetX > el.clientWidth && event.target === el) return;
  press = { index, event, moved: false, x: event.clientX, y: event.clientY };
  if (event.pointerType === 'touch') {
    press.timer = setTimeout(() => {
      press = null;
      toggle(index);
      rangeMode = true;
      show();
    }, longPress);
  }
});
el.addEventListener('pointermove', (event) => {
  if (!press || event.pointerType === 'touch') return;
  if (!press.moved && Math.hypot(event.clientX - press.x, event.clientY - press.y) < 8) return;
  if (!press.moved) {
    press.moved = true;
    el.setPointerCapture(event.pointerId);
    base = event.ctrlKey || event.metaKey ? new Set(grid.selected) : new Set();
    anchor = press.index;
  }
  const box = el.getBoundingClientRect();
  if (event.clientY > box.bottom - 24) el.scrollTop += 28;
  if (event.clientY < box.top + 24) el.scrollTop -= 28;
  const index = grid.at(event.clientX, event.clientY);
  if (index >= 0) extend(index);
  show();
});
el.addEventListener('pointerup', (event) => {
  if (!press) return;
  clearTimeout(press.timer);
  if (!press.moved) pick(press.index, event);
  press = null;
});
el.addEventListener('pointercancel', () => { clearTimeout(press?.timer); press = null; });
el.addEventListener('dblclick', open);
el.addEventListener('contextmenu', (event) => { if (event.pointerType === 'touch') event.preventDefault(); });

// --- keyboard ---
function go(index, event) {
  const to = Math.min(Math.max(index, 0), grid.total - 1);
  if (event.shiftKey) extend(to);
  else if (event.ctrlKey) grid.cursor = to;
  else selectOnly(to);
  grid.reveal(to);
  show();
}

const move = (step, event) => go(grid.cursor < 0 ? 0 : grid.cursor + step, event);
const page = () => Math.max(1, Math.floor(el.clientHeight / grid.rowHeight) - 1) * grid.columns;
const keys = {
  ArrowRight: (e) => move(1, e), ArrowLeft: (e) => move(-1, e), ArrowDown: (e) => move(grid.columns, e), ArrowUp: (e) => move(-grid.columns, e),
  PageDown: (e) => move(page(), e), PageUp: (e) => move(-page(), e), Home: (e) => go(0, e), End: (e) => go(grid.total - 1, e),
  ' ': () => { if (grid.cursor >= 0) toggle(grid.cursor); show(); },
  Enter: open, Escape: none, Delete: () => give(''),
};

document.addEventListener('keydown', (event) => {
  if (event.defaultPrevented || typing(event) || event.altKey || event.metaKey) return;
  const focused = event.target.closest('a, button, summary');
  if (focused && (event.key === 'Enter' || event.key === ' ')) return;
  const button = classButton(bar, event);
  const key = event.key.toLowerCase();
  let act = keys[event.key];
  if (button) act = () => give(button.dataset.class);
  else if (key === 'z') act = undo;
  else if (event.ctrlKey && key === 'a') act = all;
  if (!act) return;
  event.preventDefault();
  act(event);
}, true);

bar.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.dataset.class !== undefined) give(button.dataset.class);
  else ({ undo, none, 'clear-label': () => give(''), range: () => { rangeMode = !rangeMode; anchor = -1; show(); } })[button.dataset.act]?.();
});

document.querySelector('[data-alike]')?.addEventListener('click', () => {
  const [one] = grid.selected;
  if (one !== undefined) location.assign(`/label?recipe=${encodeURIComponent(el.dataset.recipe)}&like=${one}`);
});

document.querySelector('[data-submit]')?.addEventListener('change', (event) => {
  location.assign(`/label?recipe=${encodeURIComponent(event.target.value)}`);
});

document.addEventListener('htmx:sseBeforeMessage', (event) => {
  if (!('cellsChanged' in event.target.dataset)) return;
  event.preventDefault();
  const known = JSON.parse(event.detail.data).cells.filter((c) => grid.cells.has(c.f));
  if (known.length) grid.update(known);
});

show();
