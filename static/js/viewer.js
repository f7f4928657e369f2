// The inspection page: zoom and pan, the heat map, correcting, next and previous.
import Panzoom from '../vendor/panzoom-4.6.2/panzoom.es.js';
import { typing, plain, classButton } from './keyboard.js';

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
  if (button.dataset.class !== undefined) correct(button.dataset.class);
  else if (button.dataset.zoom) zoom[button.dataset.zoom]();
  else if ('boxes' in button.dataset) toggleBoxes();
});

const keys = {
  ArrowLeft: () => step('newer'), k: () => step('newer'), ArrowRight: () => step('older'), j: () => step('older'),
  '+': zoom.in, '=': zoom.in, '-': zoom.out, 0: zoom.fit, b: toggleBoxes,
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

