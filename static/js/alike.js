// The labelling page of the frames that look like one: the slider selects those
// that look at least so much like it.
import { grid, show, hooks } from './label.js';

const alike = JSON.parse(document.getElementById('grid-alike').textContent) ?? [];
const cut = document.querySelector('[data-cut]');
const value = document.querySelector('[data-cut-value]');

// The slider's way is that of the frames at hand: all of them on the left.
const least = Math.max(0, Math.min(...alike, 1));
const most = Math.max(...alike, least + 0.01);
const at = () => least + (most - least) * Number(cut.value) / 100;

const labelled = (id) => !!grid.cells.get(id)?.l;

function choose() {
  const from = Number(cut.value) === 0 ? -1 : at();
  const chosen = grid.ids.filter((id, i) => alike[i] >= from && !labelled(id));
  grid.selected = new Set(chosen);
  value.textContent = `${Math.max(0, Math.floor(at() * 100))}%`;
  show();
}

cut.addEventListener('input', choose);
hooks.note = (index) => `${Math.max(0, Math.floor((alike[index] ?? 0) * 100))}%`;
grid.repaint();
