// The region of interest: a rectangle drawn on a picture, in shares of it.
const form = document.querySelector('form[data-region]');
const drawing = form.querySelector('[data-drawing]');
const least = 0.02; // smallest side, as a share
const field = (name) => form.querySelector(`[data-share=${name}]`);
const clamp = (v, low, high) => Math.min(Math.max(v, low), high);

let region = { x: Number(field('x').value), y: Number(field('y').value), w: Number(field('w').value), h: Number(field('h').value) };

function set(next, from) {
  const w = clamp(next.w, least, 1);
  const h = clamp(next.h, least, 1);
  region = { x: clamp(next.x, 0, 1 - w), y: clamp(next.y, 0, 1 - h), w, h };
  for (const name of ['x', 'y', 'w', 'h']) if (from !== name) field(name).value = region[name].toFixed(3);
  if (drawing) draw();
}

function draw() {
  const [x, y, w, h] = ['x', 'y', 'w', 'h'].map((n) => region[n] * 1000);
  const frame = drawing.querySelector('[data-frame]');
  for (const [name, value] of Object.entries({ x, y, width: w, height: h })) frame.setAttribute(name, String(value));
  drawing.querySelector('[data-outside]').setAttribute('d', `M0 0H1000V1000H0ZM${x} ${y}H${x + w}V${y + h}H${x}Z`);
  for (const corner of drawing.querySelectorAll('[data-corner]')) {
    const [vertical, side] = corner.dataset.corner;
    corner.style.left = `${(region.x + (side === 'e' ? region.w : 0)) * 100}%`;
    corner.style.top = `${(region.y + (vertical === 's' ? region.h : 0)) * 100}%`;
  }
}

function point(event) {
  const box = drawing.getBoundingClientRect();
  return { x: clamp((event.clientX - box.left) / box.width, 0, 1), y: clamp((event.clientY - box.top) / box.height, 0, 1) };
}

function between(a, b) {
  return { x: Math.min(a.x, b.x), y: Math.min(a.y, b.y), w: Math.abs(a.x - b.x), h: Math.abs(a.y - b.y) };
}

let drag = null; // the point that stays, or where the whole was taken

function begin(event) {
  const at = point(event);
  const corner = event.target.dataset?.corner;
  const inside = at.x > region.x && at.x < region.x + region.w && at.y > region.y && at.y < region.y + region.h;
  const whole = region.w > 0.98 && region.h > 0.98;
  if (corner) {
    drag = { fixed: { x: region.x + (corner[1] === 'e' ? 0 : region.w), y: region.y + (corner[0] === 's' ? 0 : region.h) } };
  } else if (inside && !whole) {
    drag = { take: { x: at.x - region.x, y: at.y - region.y } };
  } else {
    drag = { fixed: at };
  }
  drawing.setPointerCapture(event.pointerId);
  event.preventDefault();
  drawing.focus();
}

function follow(event) {
  if (!drag) return;
  const at = point(event);
  if (drag.take) set({ ...region, x: at.x - drag.take.x, y: at.y - drag.take.y });
  else set(between(drag.fixed, at));
}

function keys(event) {
  const step = 0.01;
  const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
  const by = moves[event.key];
  if (!by) return;
  event.preventDefault();
  if (event.shiftKey) set({ ...region, w: Math.min(region.w + by[0], 1 - region.x), h: Math.min(region.h + by[1], 1 - region.y) });
  else set({ ...region, x: region.x + by[0], y: region.y + by[1] });
}

if (drawing) {
  drawing.addEventListener('pointerdown', begin);
  drawing.addEventListener('pointermove', follow);
  drawing.addEventListener('pointerup', () => { drag = null; });
  drawing.addEventListener('pointercancel', () => { drag = null; });
  drawing.addEventListener('keydown', keys);
  draw();
}
for (const name of ['x', 'y', 'w', 'h']) field(name).addEventListener('input', () => set({ ...region, [name]: Number(field(name).value) }, name));
form.querySelector('[data-whole]').addEventListener('click', () => set({ x: 0, y: 0, w: 1, h: 1 }));
