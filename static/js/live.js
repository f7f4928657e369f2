// Whether the page shows what is true now. It counts as fresh only from the
// first tick of the stream on, and only while something is heard from it.
import { t } from './words.js';

const root = document.documentElement;
const patience = 12000;
let heard = 0;
let waits = Date.now(); // since when, before anything is heard

function clock(when) {
  return when.toLocaleTimeString(root.lang, { hour12: false });
}

function lose() {
  if (root.dataset.live === 'lost') return;
  const lostAt = heard ? new Date(heard) : new Date();
  root.dataset.live = 'lost';
  const since = document.querySelector('[data-stale-since]');
  if (since) since.textContent = t('js.stale-since', { Time: clock(lostAt) });
}

function hear(event) {
  heard = Date.now();
  if (event.detail?.type === 'tick') root.dataset.live = 'fresh';
}

if (document.body.hasAttribute('sse-connect')) {
  document.addEventListener('htmx:sseBeforeMessage', hear);
  document.addEventListener('htmx:sseError', lose);
  document.addEventListener('loupe:seen', () => { // again, after the stream was closed
    waits = Date.now();
    if (root.dataset.live === 'fresh') delete root.dataset.live;
  });
  setInterval(() => {
    if (!document.hidden && Date.now() - Math.max(heard, waits) > patience) lose();
  }, 1000);
  window.addEventListener('offline', lose);
}

// "12 s ago" goes on counting.
function ago(seconds) {
  if (seconds < 90) return t('js.seconds', { N: Math.max(0, Math.floor(seconds)) });
  if (seconds < 5400) return t('js.minutes', { N: Math.floor(seconds / 60) });
  if (seconds < 129600) return t('js.hours', { N: Math.floor(seconds / 3600) });
  return t('js.days', { N: Math.floor(seconds / 86400) });
}

setInterval(() => {
  for (const el of document.querySelectorAll('time[data-ago]')) {
    const text = ago((Date.now() - Date.parse(el.dateTime)) / 1000);
    if (el.textContent !== text) el.textContent = text;
  }
}, 1000);
