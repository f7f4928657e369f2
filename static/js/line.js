// The Line page: where the class keys act, the tray, holding a part, the strip.
import { t } from './words.js';
import { say } from './toasts.js';
import { typing, plain, classButton } from './keyboard.js';

const settle = 500; // ms in which a key may still have been meant for the part before
const stripLength = 50;
const tray = document.getElementById('tray');
const shownSince = new Map(); // target → { frame, at }
const held = new Map(); // live element → { newest, count }
const answered = new Set(); // frames of the tray on their way to the server
let chosen = null; // name of the target that a person chose
let waitingFrame = null; // frame of the tray that is shown large

const targets = () => [...document.querySelectorAll('[data-target]')];
const waiting = () => [...tray.querySelectorAll('article.waiting')].filter((a) => !answered.has(a.dataset.frame));

function partOf(target) {
  if (!target) return null;
  if (target === tray) return waiting().find((a) => a.dataset.frame === waitingFrame) ?? null;
  return target.querySelector('.part[data-frame]');
}

function target() {
  const all = targets().filter(partOf);
  return all.find((el) => el.dataset.target === chosen) ?? (all.includes(tray) ? tray : all[0]) ?? null;
}

// refresh shows the tray's next part and where the keys act.
function refresh() {
  const open = waiting();
  if (!open.some((a) => a.dataset.frame === waitingFrame)) waitingFrame = open[0]?.dataset.frame ?? null;
  for (const article of tray.querySelectorAll('article.waiting')) article.hidden = article.dataset.frame !== waitingFrame;
  for (const button of tray.querySelectorAll('[data-pick]')) {
    button.parentElement.hidden = answered.has(button.dataset.pick);
    button.setAttribute('aria-pressed', String(button.dataset.pick === waitingFrame));
  }
  const next = open[open.findIndex((a) => a.dataset.frame === waitingFrame) + 1];
  if (next) new Image().src = next.querySelector('img').src;
  const now = target();
  for (const el of targets()) {
    const frame = partOf(el)?.dataset.frame ?? null;
    const before = shownSince.get(el);
    if (before?.frame !== frame) shownSince.set(el, { frame, at: before ? performance.now() : -settle });
    el.toggleAttribute('data-active', el === now);
  }
}

function correct(part, name) {
  const { frame, seen } = part.dataset;
  if (part.matches('article.waiting')) {
    answered.add(frame);
    setTimeout(() => { answered.delete(frame); refresh(); }, 5000);
    refresh();
    shownSince.set(tray, { frame: waitingFrame, at: -settle });
  }
  const failed = () => { answered.delete(frame); refresh(); };
  window.htmx.ajax('POST', `/frames/${frame}/corrections`, { target: '#toasts', swap: 'beforeend', values: { class: name, seen } }).catch(failed);
}

function press(button, el) {
  const part = partOf(el);
  const since = shownSince.get(el);
  if (!part) return say(t('js.no-target'));
  if (since && performance.now() - since.at < settle) return say(t('js.changed'));
  correct(part, button.dataset.class);
}

function choose(step) {
  const all = targets().filter(partOf);
  if (!all.length) return;
  const at = all.indexOf(target());
  chosen = all[(at + step + all.length) % all.length].dataset.target;
  refresh();
}

function pickWaiting(step) {
  const open = waiting();
  const at = open.findIndex((a) => a.dataset.frame === waitingFrame);
  if (open.length) waitingFrame = open[Math.min(Math.max(at + step, 0), open.length - 1)].dataset.frame;
  shownSince.set(tray, { frame: waitingFrame, at: -settle });
  refresh();
}

// hold keeps a station's part while newer ones come; letting go shows the newest.
function hold(station) {
  const live = station?.querySelector('.live');
  if (!live) return;
  if (held.has(live)) {
    const { newest } = held.get(live);
    held.delete(live);
    if (newest) window.htmx.swap(live, newest, { swapStyle: 'innerHTML' });
    refresh();
  } else {
    held.set(live, { newest: null, count: 0 });
  }
  showHold(live);
}

function showHold(live) {
  const button = live.querySelector('[data-hold]');
  const state = held.get(live);
  live.parentElement.toggleAttribute('data-held', Boolean(state));
  if (!button) return;
  button.setAttribute('aria-pressed', String(Boolean(state)));
  button.querySelector('span').textContent = state ? t('js.held', { N: state.count }) : t('js.hold');
}

function mergeStrip(strip, html) {
  const parsed = new DOMParser().parseFromString(`<ol>${html}</ol>`, 'text/html');
  for (const item of parsed.querySelectorAll('li')) {
    const fresh = document.importNode(item, true);
    const same = strip.querySelector(`li[data-frame="${CSS.escape(item.dataset.frame)}"]`);
    if (same) {
      same.replaceWith(fresh);
      continue;
    }
    const after = [...strip.children].find((li) => Number(li.dataset.order) < Number(item.dataset.order));
    strip.insertBefore(fresh, after ?? null);
  }
  while (strip.children.length > stripLength) strip.lastElementChild.remove();
}

document.addEventListener('htmx:sseBeforeMessage', (event) => {
  const el = event.target;
  const data = event.detail.data;
  if ('strip' in el.dataset) {
    event.preventDefault();
    mergeStrip(el, data);
  } else if ('stations' in el.dataset) {
    event.preventDefault();
    if (data.trim() !== el.dataset.stations.trim()) location.reload();
  } else if ('preload' in el.dataset) {
    event.preventDefault();
    new Image().src = data.trim();
  } else if (held.has(el) && !data.includes('class="lost"')) {
    event.preventDefault();
    const state = held.get(el);
    state.newest = data;
    state.count += 1;
    showHold(el);
  } else if (held.has(el)) {
    held.delete(el);
    showHold(el);
  }
});
document.addEventListener('htmx:afterSwap', refresh);
document.addEventListener('loupe:undone', () => { answered.clear(); refresh(); });
document.addEventListener('htmx:responseError', () => { answered.clear(); refresh(); });

document.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  const el = event.target.closest('[data-target]');
  if (!el) return;
  if (el.dataset.target !== chosen && partOf(el)) {
    chosen = el.dataset.target;
    refresh();
  }
  if (!button) return;
  if (button.dataset.class !== undefined) press(button, el);
  else if ('hold' in button.dataset) hold(el);
  else if (button.dataset.pick) {
    waitingFrame = button.dataset.pick;
    shownSince.set(tray, { frame: waitingFrame, at: -settle });
    refresh();
  }
});

document.addEventListener('keydown', (event) => {
  if (event.defaultPrevented || typing(event) || !plain(event)) return;
  const el = target();
  const button = classButton(partOf(el), event);
  const actions = { ArrowLeft: () => choose(-1), ArrowRight: () => choose(1), ArrowUp: () => pickWaiting(-1), ArrowDown: () => pickWaiting(1) };
  if (button) press(button, el);
  else if (actions[event.key]) actions[event.key]();
  else if (event.key.toLowerCase() === 'h') hold(el === tray ? targets().find((x) => x !== tray && partOf(x)) : el);
  else if (event.key === 'Enter' && !event.target.closest('a, button, summary') && partOf(el)) location.assign(partOf(el).dataset.open);
  else return;
  event.preventDefault();
});

refresh();
