// Labels that are probably wrong, one at a time: keep or change, and go on.
import './work.js';
import { t } from './words.js';
import { say, clear } from './toasts.js';
import { typing, plain, classButton } from './keyboard.js';
import { send } from './send.js';

const suspects = JSON.parse(document.getElementById('suspect-list').textContent) ?? [];
const main = document.getElementById('main');
const list = document.querySelector('[data-suspects]');
const part = (name) => document.querySelector(`[data-${name}]`);
const settled = new Map(); // index → what was said
const done = []; // what undo takes back
let at = 0;

const percent = (p) => (p > 0 && p < 0.01 ? '<1%' : `${Math.floor(p * 100)}%`);

function show(i) {
  at = i;
  const s = suspects[i];
  part('shown').src = `/frames/${s.frame}/image?side=1600`;
  for (const [name, text] of Object.entries({ label: s.label, said: s.said, own: t('js.doubt.own', { Share: percent(s.own) }), p: t('js.doubt.said', { Share: percent(s.p) }), person: s.person })) {
    part(name).textContent = text;
  }
  part('label-swatch').style.backgroundColor = s.label_color;
  part('said-swatch').style.backgroundColor = s.said_color;
  part('open-frame').href = `/frames/${s.frame}`;
  for (const button of part('change').querySelectorAll('[data-class]')) {
    button.classList.toggle('now', button.dataset.class === s.label);
    button.classList.toggle('hinted', button.dataset.class === s.said);
  }
  paint();
}

function paint() {
  for (const button of list.querySelectorAll('[data-suspect]')) {
    const i = Number(button.dataset.suspect);
    button.toggleAttribute('data-done', settled.has(i));
    if (i === at) {
      button.setAttribute('aria-current', 'true');
      button.scrollIntoView({ block: 'nearest' });
    } else button.removeAttribute('aria-current');
  }
  part('undo-last').disabled = done.length === 0;
  part('finished').hidden = settled.size < suspects.length;
}

function next(step = 1) {
  for (let n = 1; n <= suspects.length; n++) {
    const to = (at + n * step + n * suspects.length) % suspects.length;
    if (!settled.has(to)) return show(to);
  }
  paint();
}

// Posts go out one after the other.
let last = Promise.resolve();
const inOrder = (act) => { last = last.then(act, act); };

function settle(url, values, text) {
  const i = at;
  if (settled.has(i)) return next();
  settled.set(i, true);
  next();
  inOrder(async () => {
    try {
      const answer = await send(url, values);
      done.push({ i, corrections: answer.corrections });
      clear();
      say(text, { undo });
    } catch (error) {
      settled.delete(i);
      say(error.message, { bad: true });
    }
    paint();
  });
}

function keep() {
  const s = suspects[at];
  settle(`/frames/${s.frame}/confirm`, { label: s.label_id }, t('js.kept', { Class: s.label }));
}

function change(name) {
  const s = suspects[at];
  if (name === s.label) return keep();
  settle('/label', { recipe: main.dataset.recipe, class: name, frames: s.frame }, t('js.labelled', { N: 1, Class: name }));
}

const undo = () => inOrder(async () => {
  const entry = done.pop();
  if (!entry) return;
  clear();
  try {
    const answer = await send('/corrections/undo', { corrections: entry.corrections.join(',') });
    settled.delete(entry.i);
    if (answer.corrections?.length) suspects[entry.i].label_id = answer.corrections[0]; // the label is in force by it now
    show(entry.i);
    say(t('js.undone', { N: answer.corrections?.length ?? 0 }));
  } catch (error) {
    done.push(entry);
    say(error.message, { bad: true });
  }
});

if (suspects.length) {
  list.addEventListener('click', (event) => {
    const button = event.target.closest('[data-suspect]');
    if (button) show(Number(button.dataset.suspect));
  });
  document.querySelector('.case').addEventListener('click', (event) => {
    const button = event.target.closest('button');
    if (!button) return;
    if ('keep' in button.dataset) keep();
    else if ('undoLast' in button.dataset) undo();
    else if (button.dataset.step) next(Number(button.dataset.step));
    else if (button.dataset.class !== undefined) change(button.dataset.class);
  });
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || typing(event) || !plain(event)) return;
    const focused = event.target.closest('a, button, summary');
    if (focused && (event.key === 'Enter' || event.key === ' ')) return;
    const button = classButton(part('change'), event);
    const acts = { Enter: keep, ArrowRight: () => next(1), ArrowLeft: () => next(-1), z: undo, Z: undo };
    const act = button ? () => change(button.dataset.class) : acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }, true);
  show(0);
}
