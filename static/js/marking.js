// Drawing on a picture where its defects are: box, brush and eraser. What is drawn
// becomes marks, in shares of the upright picture; what was marked before stays as
// it is until it is erased.
import '../vendor/konva-10.9.1/konva.min.js';
import { t } from './words.js';

const { Konva } = window;
const opaque = 128; // alpha from which a pixel counts as drawn
const least = 4; // smallest side of a box, in pixels of the screen
const csrf = document.querySelector('meta[name=csrf]').content;

/** shown is where the picture lies in its frame, which it does not fill. */
function shown(frame, width, height) {
  const scale = Math.min(frame.clientWidth / width, frame.clientHeight / height);
  return { left: (frame.clientWidth - width * scale) / 2, top: (frame.clientHeight - height * scale) / 2, scale };
}

/** runs are those of the drawn pixels down each column, as COCO has them. */
function runs({ data, width, height }) {
  const counts = [];
  let on = false;
  let run = 0;
  for (let x = 0; x < width; x++) {
    for (let y = 0; y < height; y++) {
      const drawn = data[4 * (y * width + x) + 3] >= opaque;
      if (drawn !== on) {
        counts.push(run);
        run = 0;
        on = drawn;
      }
      run++;
    }
  }
  counts.push(run);
  return counts;
}

/** around is the box around the drawn pixels, null where there are none. */
function around({ data, width, height }) {
  let [x0, y0, x1, y1] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[4 * (y * width + x) + 3] < opaque) continue;
      [x0, y0, x1, y1] = [Math.min(x0, x), Math.min(y0, y), Math.max(x1, x), Math.max(y1, y)];
    }
  }
  return x1 < 0 ? null : [x0 / width, y0 / height, (x1 - x0 + 1) / width, (y1 - y0 + 1) / height];
}

/** unpacked are the runs of a mask, from COCO's compressed form where it is in that. */
function unpacked(mask) {
  if (!mask.packed) return mask.counts;
  const counts = [];
  for (let at = 0; at < mask.packed.length;) {
    let [x, bits, more] = [0, 0, true];
    while (more) {
      const c = mask.packed.charCodeAt(at++) - 48;
      x |= (c & 0x1f) << bits;
      bits += 5;
      more = (c & 0x20) !== 0;
      if (!more && c & 0x10) x |= -1 << bits;
    }
    counts.push(counts.length > 2 ? x + counts[counts.length - 2] : x);
  }
  return counts;
}

/** painted is a canvas with a mask in a colour. */
function painted(mask, color) {
  const [height, width] = mask.size;
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext('2d');
  context.fillStyle = color;
  let at = 0;
  unpacked(mask).forEach((n, i) => {
    for (const end = at + n; at < end;) {
      const down = Math.min(end - at, height - (at % height));
      if (i % 2) context.fillRect(Math.floor(at / height), at % height, 1, down);
      at += down;
    }
  });
  return canvas;
}

export class Marking {
  /** frame is the element that the picture fills; marks are those in force. */
  constructor(frame, { width, height, marks, color, changed }) {
    Object.assign(this, { width, height, changed, tool: 'brush', size: 2, className: '', done: [], color });
    this.el = document.createElement('div');
    this.el.className = 'drawing';
    this.el.addEventListener('pointerdown', (event) => { if (this.tool !== 'move') event.stopPropagation(); });
    frame.append(this.el);
    const { left, top, scale } = shown(frame, width, height);
    Object.assign(this.el.style, { left: `${left}px`, top: `${top}px`, width: `${width * scale}px`, height: `${height * scale}px` });
    this.scale = scale;
    this.stage = new Konva.Stage({ container: this.el, width: width * scale, height: height * scale, scaleX: scale, scaleY: scale });
    this.strokes = new Konva.Layer({ listening: false, opacity: 0.55 });
    this.shapes = new Konva.Layer();
    this.stage.add(this.strokes, this.shapes);
    for (const mark of marks) this.show(mark);
    this.stage.on('pointerdown', (event) => this.begin(event));
    this.stage.on('pointermove', (event) => this.follow(event));
    this.stage.on('pointerup pointercancel pointerleave', () => this.end());
  }

  close() {
    this.stage.destroy();
    this.el.remove();
  }

  use(tool) {
    this.tool = tool;
    this.el.classList.toggle('moving', tool === 'move');
  }

  /** as says which class is drawn from now on; what is drawn already is of it too. */
  as(name) {
    this.className = name;
    const color = this.color(name);
    for (const line of this.strokes.getChildren()) line.stroke(color);
    for (const box of this.shapes.find('.new')) box.stroke(color);
  }

  show(mark) {
    const color = this.color(mark.class);
    const thick = { stroke: color, strokeWidth: 3, strokeScaleEnabled: false, name: 'kept' };
    const [x, y, w, h] = mark.box;
    let shape;
    if (mark.mask) {
      shape = new Konva.Image({ image: painted(mark.mask, color), width: this.width, height: this.height, opacity: 0.55, name: 'kept' });
      shape.cache({ pixelRatio: 1 });
      shape.drawHitFromCache();
    } else if (mark.polygons) {
      shape = new Konva.Group({ name: 'kept' });
      for (const outline of mark.polygons) {
        shape.add(new Konva.Line({ ...thick, points: outline.map((v, i) => v * (i % 2 ? this.height : this.width)), closed: true, fill: `${color}55`, name: '' }));
      }
    } else {
      shape = new Konva.Rect({ ...thick, x: x * this.width, y: y * this.height, width: w * this.width, height: h * this.height, fill: `${color}22` });
    }
    shape.setAttr('mark', mark);
    this.shapes.add(shape);
  }

  at() {
    const { x, y } = this.stage.getRelativePointerPosition();
    return { x: Math.min(Math.max(x, 0), this.width), y: Math.min(Math.max(y, 0), this.height) };
  }

  begin(event) {
    event.evt.preventDefault();
    if (this.now || this.tool === 'move' || event.evt.button > 0) return;
    const { x, y } = this.at();
    const color = this.color(this.className);
    if (this.tool === 'box') {
      this.from = { x, y };
      this.now = new Konva.Rect({ x, y, width: 0, height: 0, stroke: color, strokeWidth: 3, strokeScaleEnabled: false, fill: `${color}22`, name: 'new' });
      this.shapes.add(this.now);
      return;
    }
    const erase = this.tool === 'erase';
    const hit = erase && this.taken(event.target);
    if (hit) {
      hit.remove();
      this.did(() => this.shapes.add(hit));
      return;
    }
    this.now = new Konva.Line({
      points: [x, y, x, y], stroke: color, strokeWidth: this.width * [0.006, 0.015, 0.035][this.size - 1] * Math.max(1, this.height / this.width), lineCap: 'round', lineJoin: 'round',
      globalCompositeOperation: erase ? 'destination-out' : 'source-over',
    });
    this.strokes.add(this.now);
  }

  /** taken is the box or kept mark that a shape belongs to. */
  taken(shape) {
    for (let s = shape; s && s !== this.stage; s = s.getParent()) if (s.hasName('kept') || s.hasName('new')) return s;
    return null;
  }

  follow(event) {
    if (!this.now) return;
    event.evt.preventDefault();
    const { x, y } = this.at();
    if (this.from) {
      this.now.setAttrs({ x: Math.min(x, this.from.x), y: Math.min(y, this.from.y), width: Math.abs(x - this.from.x), height: Math.abs(y - this.from.y) });
    } else {
      this.now.points(this.now.points().concat([x, y]));
    }
  }

  end() {
    const shape = this.now;
    if (!shape) return;
    const small = this.from && Math.min(shape.width(), shape.height()) * this.scale < least;
    this.now = this.from = null;
    if (small) shape.destroy();
    else this.did(() => shape.destroy());
  }

  did(undo) {
    this.done.push(undo);
    this.changed();
  }

  undo() {
    this.done.pop()?.();
    this.changed();
  }

  /** touched says whether there is anything to save or to undo. */
  get touched() { return this.done.length > 0; }

  /** marks are what is to be in force. */
  marks() {
    const all = this.shapes.find('.kept').map((s) => s.getAttr('mark'));
    for (const box of this.shapes.find('.new')) {
      all.push({ class: this.className, shape: 'box', box: [box.x() / this.width, box.y() / this.height, box.width() / this.width, box.height() / this.height] });
    }
    if (this.strokes.getChildren().length > 0) {
      const canvas = this.strokes.toCanvas({ x: 0, y: 0, width: this.width * this.scale, height: this.height * this.scale, pixelRatio: 1 / this.scale });
      const whole = document.createElement('canvas');
      [whole.width, whole.height] = [this.width, this.height];
      const context = whole.getContext('2d', { willReadFrequently: true });
      context.drawImage(canvas, 0, 0, this.width, this.height);
      const pixels = context.getImageData(0, 0, this.width, this.height);
      const box = around(pixels);
      if (box) all.push({ class: this.className, shape: 'mask', box, mask: { size: [this.height, this.width], counts: runs(pixels) } });
    }
    return all;
  }
}

/** load gives the marks of a frame that are in force. */
export async function load(frame) {
  const answer = await fetch(`/api/v1/frames/${frame}/marks`, { headers: { Accept: 'application/json' } });
  if (!answer.ok) throw new Error(t('js.failed'));
  return (await answer.json()).marks;
}

/** save puts marks in force. */
export async function save(frame, marks) {
  const answer = await fetch(`/frames/${frame}/marks`, {
    method: 'PUT', headers: { 'X-CSRF-Token': csrf, 'Content-Type': 'application/json', Accept: 'application/json' }, body: JSON.stringify({ marks }),
  });
  if (answer.ok) return;
  const problem = await answer.json().catch(() => ({}));
  throw new Error(problem.detail ?? t('js.failed'));
}
