// Labelling a group of frames that look alike at once: all of it is selected, a
// tap takes a frame out, a class's key labels the rest and goes on to the next.
import './work.js';
import { t } from './words.js';
import { typing, plain } from './keyboard.js';
import { grid, show, hooks } from './label.js';

const groups = JSON.parse(document.getElementById('groups').textContent) ?? [];
const list = document.querySelector('[data-groups]');
const title = document.querySelector('[data-group-title]');
const done = new Set(); // frames labelled here
const from = []; // the groups that undo goes back to, with their frames
let at = 0;

const open = (i) => groups[i].f.filter((id) => !done.has(id));

function go(i) {
  if (!groups[i]) return;
  at = i;
  grid.reorder(groups[i].f);
  grid.selected = new Set(open(i));
  title.textContent = t('js.group', { N: i + 1, All: groups.length });
  for (const button of list.querySelectorAll('[data-group]')) {
    const index = Number(button.dataset.group);
    const left = open(index).length;
    button.toggleAttribute('data-done', left === 0);
    button.querySelector('[data-count]').textContent = left === 0 ? '✓' : String(left);
    if (index === i) {
      button.setAttribute('aria-current', 'true');
      button.scrollIntoView({ block: 'nearest' });
    } else button.removeAttribute('aria-current');
  }
  show();
}

// next is the nearest group after one that still has frames, or before it.
function next(i, step = 1) {
  for (let n = 1; n <= groups.length; n++) {
    const to = (i + n * step + n * groups.length) % groups.length;
    if (open(to).length) return to;
  }
  return i;
}

hooks.toggles = true;
hooks.labelled = (frames, name) => {
  for (const id of frames) name ? done.add(id) : done.delete(id);
  from.push({ at, frames });
  go(name ? next(at) : at);
};
hooks.undone = () => {
  const last = from.pop();
  if (!last) return;
  last.frames.forEach((id) => done.delete(id));
  go(last.at);
  grid.selected = new Set(last.frames);
  show();
};

list.addEventListener('click', (event) => {
  const button = event.target.closest('[data-group]');
  if (button) go(Number(button.dataset.group));
});
document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-group-step]');
  if (button && groups.length) go(next(at, Number(button.dataset.groupStep)));
});
document.addEventListener('keydown', (event) => {
  if (event.defaultPrevented || typing(event) || !plain(event) || !groups.length) return;
  const step = { n: 1, p: -1 }[event.key.toLowerCase()];
  if (!step) return;
  event.preventDefault();
  go(next(at, step));
});

if (groups.length) go(0);
