// The page of disagreements: one part at a time, one key says who is right.
import { t } from './words.js';
import { say } from './toasts.js';
import { typing, classButton } from './keyboard.js';

const duel = document.querySelector('[data-duel]');
const done = new Set(); // frames that are answered
const open = () => [...(duel?.querySelectorAll('article') ?? [])].filter((a) => !done.has(a.dataset.frame));

function refresh() {
  const [now] = open();
  for (const article of duel.querySelectorAll('article')) article.hidden = article !== now;
  const following = open()[1]?.querySelector('img');
  if (following) new Image().src = following.src;
  if (!now) location.assign(location.pathname); // the next ones, biggest first
}

function answer(article, name) {
  const { frame, seen } = article.dataset;
  done.add(frame);
  const post = window.htmx.ajax('POST', `/frames/${frame}/corrections`, { target: '#toasts', swap: 'beforeend', values: { class: name, seen } });
  if (open().length) refresh();
  else post.then(refresh, refresh);
}

document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-duel] button[data-class]');
  if (!button) return;
  event.preventDefault();
  answer(button.closest('article'), button.dataset.class);
});
document.addEventListener('keydown', (event) => {
  if (!duel || typing(event) || event.repeat) return;
  const button = classButton(open()[0], event);
  if (!button) return;
  event.preventDefault();
  button.click();
});
document.addEventListener('htmx:responseError', (event) => {
  const frame = event.detail.requestConfig?.path?.match(/frames\/(\d+)/)?.[1];
  if (!frame) return;
  done.delete(frame);
  refresh();
  say(t('js.failed'), { bad: true });
});
document.addEventListener('loupe:undone', () => location.reload());
