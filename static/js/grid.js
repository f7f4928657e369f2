// A grid of thousands of frames in which only what is seen is in the document.
// The order is a list of frame IDs that the page fetches once; what a cell
// shows is fetched in windows as it comes into view and kept.

const smallest = 132; // px of a cell's picture
const label = 26; // px of the line below it
const gap = 6;
const spare = 2; // rows kept above and below
const window_ = 200; // cells asked for at once

export class Grid {
  constructor(el, { cells, classes, order = [], note = () => undefined }) {
    this.el = el;
    this.spacer = el.querySelector('[data-spacer]');
    this.classes = new Map(classes.map((c) => [c.name, c]));
    this.total = Number(el.dataset.total);
    this.ids = order.length ? order : cells.map((c) => c.f);
    this.note = note; // index → what the line below a picture ends with
    this.cells = new Map(cells.map((c) => [c.f, c]));
    this.asked = new Set();
    this.shown = new Map(); // index → element
    this.free = [];
    this.selected = new Set(); // frame IDs
    this.cursor = -1;
    this.spacer.replaceChildren();
    this.spacer.classList.add('virtual');
    this.layout();
    el.addEventListener('scroll', () => this.soon(), { passive: true });
    new ResizeObserver(() => this.layout()).observe(el);
    this.whole = this.fetchOrder();
  }

  async fetchOrder() {
    if (this.ids.length >= this.total) return;
    const answer = await fetch(`${this.el.dataset.ids}?${this.el.dataset.query}`, { headers: { Accept: 'application/json' } });
    if (!answer.ok) throw new Error(`the order of the frames: ${answer.status}`);
    const { ids } = await answer.json();
    const first = new Set(this.ids);
    this.ids = this.ids.concat(ids.filter((id) => !first.has(id)));
    this.total = this.ids.length;
    this.layout();
  }

  layout() {
    const keep = this.columns ? Math.floor(this.el.scrollTop / this.rowHeight) * this.columns : 0;
    const width = this.el.clientWidth - 2 * gap;
    this.columns = Math.max(1, Math.floor((width + gap) / (smallest + gap)));
    this.side = Math.floor((width + gap) / this.columns) - gap;
    this.rowHeight = this.side + label + gap;
    this.rows = Math.ceil(this.total / this.columns);
    this.spacer.style.height = `${this.rows * this.rowHeight + gap}px`;
    for (const index of [...this.shown.keys()]) this.drop(index);
    if (keep) this.el.scrollTop = Math.floor(keep / this.columns) * this.rowHeight;
    this.render();
  }

  soon() {
    if (this.due) return;
    this.due = requestAnimationFrame(() => { this.due = 0; this.render(); });
  }

  render() {
    const first = Math.max(0, Math.floor(this.el.scrollTop / this.rowHeight) - spare);
    const last = Math.min(this.rows, Math.ceil((this.el.scrollTop + this.el.clientHeight) / this.rowHeight) + spare);
    const from = first * this.columns;
    const to = Math.min(this.total, last * this.columns);
    for (const index of [...this.shown.keys()]) if (index < from || index >= to) this.drop(index);
    for (let index = from; index < to; index++) if (!this.shown.has(index)) this.show(index);
    this.want(from, to);
  }

  drop(index) {
    const el = this.shown.get(index);
    this.shown.delete(index);
    el.hidden = true;
    this.free.push(el);
  }

  show(index) {
    const el = this.free.pop() ?? this.make();
    const row = Math.floor(index / this.columns);
    const column = index % this.columns;
    el.hidden = false;
    el.dataset.index = index;
    el.style.width = `${this.side}px`;
    el.style.height = `${this.side + label}px`;
    el.style.transform = `translate(${gap + column * (this.side + gap)}px, ${gap + row * this.rowHeight}px)`;
    this.shown.set(index, el);
    this.paint(index);
  }

  make() {
    const el = document.createElement('div');
    el.className = 'cell';
    el.setAttribute('role', 'option');
    const img = document.createElement('img');
    img.alt = '';
    img.draggable = false;
    img.decoding = 'async';
    const sign = document.createElement('span');
    sign.className = 'corner';
    const tag = document.createElement('span');
    tag.className = 'tag';
    el.append(img, sign, tag);
    this.spacer.append(el);
    return el;
  }

  // paint brings a cell in line with what is known of its frame.
  paint(index) {
    const el = this.shown.get(index);
    if (!el) return;
    const id = this.ids[index];
    const cell = this.cells.get(id);
    const [img, sign, tag] = el.children;
    const src = id === undefined ? '' : `/frames/${id}/thumb`;
    if (img.getAttribute('src') !== src) {
      if (src) img.src = src;
      else img.removeAttribute('src');
    }
    el.id = `cell-${index}`;
    const on = this.selected.has(id);
    el.classList.toggle('selected', on);
    el.classList.toggle('cursor', index === this.cursor);
    el.setAttribute('aria-selected', String(on));
    sign.replaceChildren();
    tag.replaceChildren();
    tag.className = cell?.l ? 'tag' : 'tag guess';
    if (!cell) return;
    const mark = cell.d ? 'disagreed' : cell.v;
    const drawn = document.querySelector(`template[data-sign="${mark}"]`);
    if (drawn && !(cell.l && !cell.d)) sign.append(drawn.content.cloneNode(true));
    this.write(tag, cell, this.note(index));
    el.setAttribute('aria-label', cell.l || cell.p || '');
  }

  write(tag, cell, note) {
    const name = document.createElement('span');
    name.className = 'name';
    name.textContent = cell.l || cell.w || cell.p || '';
    if (cell.l) {
      const square = document.createElement('span');
      square.className = 'swatch';
      square.style.backgroundColor = this.classes.get(cell.l)?.color ?? '#7d8a90';
      tag.append(square, name);
    } else tag.append(name);
    const text = note ?? (!cell.l && !cell.w && cell.p ? `${Math.floor(cell.s * 100)}%` : '');
    if (!text) return;
    const score = document.createElement('span');
    score.className = 'score';
    score.textContent = text;
    tag.append(score);
  }

  /** reorder shows other frames, from the first on. */
  reorder(ids) {
    this.ids = ids;
    this.total = ids.length;
    this.cursor = -1;
    this.el.scrollTop = 0;
    this.layout();
  }

  // want asks for the cells of a stretch that are not known yet.
  want(from, to) {
    const missing = [];
    for (let i = from; i < to; i++) {
      const id = this.ids[i];
      if (id !== undefined && !this.cells.has(id) && !this.asked.has(id)) missing.push(id);
    }
    if (!missing.length) return;
    clearTimeout(this.asking);
    this.asking = setTimeout(() => this.ask(from, to), 40);
  }

  async ask(from, to) {
    const around = window_ - Math.min(window_, to - from);
    const ids = [];
    for (let i = Math.max(0, from - around / 2); i < Math.min(this.ids.length, to + around / 2); i++) {
      const id = this.ids[Math.floor(i)];
      if (!this.cells.has(id) && !this.asked.has(id)) ids.push(id);
    }
    for (let at = 0; at < ids.length; at += window_) {
      const some = ids.slice(at, at + window_);
      some.forEach((id) => this.asked.add(id));
      try {
        const answer = await fetch(`${this.el.dataset.cells}?ids=${some.join(',')}`, { headers: { Accept: 'application/json' } });
        if (!answer.ok) throw new Error(String(answer.status));
        this.update((await answer.json()).cells);
      } catch {
        some.forEach((id) => this.asked.delete(id));
        setTimeout(() => this.render(), 2000);
      }
    }
  }

  /** update takes cells as they stand now. */
  update(cells) {
    for (const cell of cells ?? []) this.cells.set(cell.f, { w: this.cells.get(cell.f)?.w, ...cell });
    for (const index of this.shown.keys()) this.paint(index);
  }

  repaint() {
    for (const index of this.shown.keys()) this.paint(index);
  }

  /** at gives the index of the cell under a point, or -1. */
  at(clientX, clientY) {
    const box = this.el.getBoundingClientRect();
    const x = Math.min(Math.max(clientX - box.left, gap), box.width - gap) - gap;
    const y = clientY - box.top + this.el.scrollTop - gap;
    const column = Math.min(Math.floor(x / (this.side + gap)), this.columns - 1);
    const index = Math.floor(y / this.rowHeight) * this.columns + column;
    return index >= 0 && index < this.total ? index : -1;
  }

  /** reveal scrolls so that a cell is seen whole. */
  reveal(index) {
    const top = Math.floor(index / this.columns) * this.rowHeight;
    if (top < this.el.scrollTop) this.el.scrollTop = top;
    const bottom = top + this.rowHeight + gap - this.el.clientHeight;
    if (bottom > this.el.scrollTop) this.el.scrollTop = bottom;
    this.render();
  }
}
