// The inspection page: zoom and pan, the heat map, correcting, drawing, next and previous.
import Panzoom from '../vendor/panzoom-4.6.2/panzoom.es.js';
import { typing, plain, classButton } from './keyboard.js';
import { say } from './toasts.js';
import { t } from './words.js';

const main = document.getElementById('main');
const stage = main.querySelector('[data-stage]');
const heat = main.querySelector('[data-heat]');
const strength = main.querySelector('[data-opacity]');
const heatClass = main.querySelector('[data-heat-class]');
const usual = 60; // per cent that H switches on

const view = Panzoom(stage.querySelector('[data-layer]'), {
  maxScale: 16, minScale: 1, contain: 'outside', step: 0.4, canvas: true, animate: false, cursor: 'grab', excludeClass: 'heatbar',
});
stage.addEventListener('wheel', (event) => view.zoomWithWheel(event, { step: 0.2 }), { passive: false });
stage.addEventListener('dblclick', (event) => (view.getScale() > 1 ? view.reset() : view.zoomToPoint(3, event)));

const zoom = { in: () => view.zoomIn(), out: () => view.zoomOut(), fit: () => view.reset() };

function showHeat() {
  const percent = Number(strength.value);
  main.querySelector('[data-opacity-value]').textContent = `${percent}%`;
  if (percent > 0 && heat.getAttribute('src') !== heatClass.value) heat.src = heatClass.value;
  heat.hidden = percent === 0;
  heat.style.opacity = String(percent / 100);
}

function setHeat(percent) {
  if (!strength) return;
  strength.value = String(Math.min(Math.max(percent, 0), 100));
  showHeat();
}

function toggleBoxes() {
  const button = main.querySelector('[data-boxes]');
  const on = button.getAttribute('aria-pressed') !== 'true';
  button.setAttribute('aria-pressed', String(on));
  const marks = stage.querySelector('[data-marks]');
  if (marks) marks.toggleAttribute('hidden', !on);
}

async function correct(name) {
  const about = main.querySelector('.about');
  const note = main.querySelector('[data-note]').value;
  await window.htmx.ajax('POST', `/frames/${main.dataset.frame}/corrections`, {
    target: '#toasts', swap: 'beforeend', values: { class: name, seen: about.dataset.seen, note },
  });
  renew();
}

// renew reads again who said what, and leaves the picture as it is looked at.
function renew() {
  window.htmx.ajax('GET', location.href, { target: '.about', select: '.about', swap: 'outerHTML' });
}

// Drawing where the defect is. Its library is read when somebody first draws.
let marking = null;
let marks = null;

async function draw() {
  if (marking || !main.querySelector('[data-draw]')) return;
  const layer = stage.querySelector('[data-layer]');
  const img = layer.querySelector('img');
  let [width, height] = [Number(main.dataset.width), Number(main.dataset.height)];
  if (width > height !== img.naturalWidth > img.naturalHeight) [width, height] = [height, width];
  try {
    marks = await import('./marking.js');
    const old = await marks.load(main.dataset.frame);
    if (marking) return;
    marking = new marks.Marking(layer, { width, height, marks: old, color: colorOf, changed: showDrawing });
  } catch (error) {
    say(error.message || t('js.failed'), { bad: true });
    return;
  }
  view.setOptions({ cursor: 'default' });
  setHeat(0);
  as(main.querySelector('.about').dataset.draws);
  main.classList.add('draws');
  for (const bar of main.querySelectorAll('.tools')) bar.hidden = 'drawing' in bar.dataset === false;
  showDrawing();
}

function colorOf(name) {
  return main.querySelector(`.about button[data-class="${CSS.escape(name)}"] .swatch rect`)?.getAttribute('fill') ?? '#7d8a90';
}

function as(name) {
  marking.as(name);
  for (const button of main.querySelectorAll('.about button[data-class]')) button.classList.toggle('draws', button.dataset.class === name);
  main.querySelector('[data-drawn-class]').textContent = name;
}

function showDrawing() {
  main.querySelector('[data-draw-undo]').disabled = !marking.touched;
  main.querySelector('[data-draw-save]').disabled = !marking.touched;
}

function stopDrawing() {
  marking.close();
  marking = null;
  view.setOptions({ cursor: 'grab' });
  main.classList.remove('draws');
  for (const button of main.querySelectorAll('.about .draws')) button.classList.remove('draws');
  for (const bar of main.querySelectorAll('.tools')) bar.hidden = 'drawing' in bar.dataset;
}

async function saveDrawing() {
  if (!marking?.touched) return;
  const name = marking.className;
  const all = marking.marks();
  try {
    await marks.save(main.dataset.frame, all);
  } catch (error) {
    say(error.message, { bad: true });
    return;
  }
  stopDrawing();
  if (all.some((m) => m.class === name) && main.querySelector('.about').dataset.label !== name) await correct(name);
  else renew();
  say(t('js.marked', { N: all.length }));
}

const drawingKeys = {
  Escape: stopDrawing, Enter: saveDrawing, z: () => marking.undo(), '+': () => view.zoomIn(), '-': () => view.zoomOut(), 0: () => view.reset(),
  b: () => useTool('box'), p: () => useTool('brush'), e: () => useTool('erase'), m: () => useTool('move'),
};

function useTool(tool) {
  main.querySelector(`[data-tool="${tool}"]`).checked = true;
  marking.use(tool);
}

main.addEventListener('change', (event) => {
  if (!marking) return;
  if (event.target.dataset.tool) marking.use(event.target.dataset.tool);
  if (event.target.dataset.width) marking.size = Number(event.target.dataset.width);
});

window.addEventListener('keydown', (event) => {
  if (!marking || typing(event) || !plain(event)) return;
  if (event.key === 'Enter' && event.target.closest('button')) return;
  const button = classButton(main.querySelector('.about'), event);
  const act = button ? () => as(button.dataset.class) : drawingKeys[event.key] ?? drawingKeys[event.key.toLowerCase()];
  event.stopPropagation();
  if (!act) return;
  event.preventDefault();
  act();
}, true);

function step(which) {
  const link = main.querySelector(`[data-step="${which}"]`);
  if (link) location.assign(link.href);
  return Boolean(link);
}

strength?.addEventListener('input', showHeat);
heatClass?.addEventListener('change', () => (Number(strength.value) === 0 ? setHeat(usual) : showHeat()));
document.addEventListener('loupe:undone', renew);
main.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.dataset.class !== undefined && marking) as(button.dataset.class);
  else if (button.dataset.class !== undefined) correct(button.dataset.class);
  else if ('draw' in button.dataset) draw();
  else if ('drawUndo' in button.dataset) marking.undo();
  else if ('drawSave' in button.dataset) saveDrawing();
  else if ('drawStop' in button.dataset) stopDrawing();
  else if (button.dataset.zoom) zoom[button.dataset.zoom]();
  else if ('boxes' in button.dataset) toggleBoxes();
});

const keys = {
  ArrowLeft: () => step('newer'), k: () => step('newer'), ArrowRight: () => step('older'), j: () => step('older'),
  '+': zoom.in, '=': zoom.in, '-': zoom.out, 0: zoom.fit, b: toggleBoxes, d: draw,
  h: () => setHeat(Number(strength?.value) > 0 ? 0 : usual),
  '[': () => setHeat(Number(strength?.value) - 10), ']': () => setHeat(Number(strength?.value) + 10),
  Escape: () => location.assign(main.dataset.back),
};

document.addEventListener('keydown', (event) => {
  if (event.defaultPrevented || typing(event) || !plain(event)) return;
  if (event.target.matches('input[type=range]') && event.key.startsWith('Arrow')) return;
  const button = classButton(main.querySelector('.about'), event);
  const act = button ? () => correct(button.dataset.class) : keys[event.key] ?? keys[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
});

