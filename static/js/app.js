// What every page does: freshness, toasts, the keyboard sheet, navigation by key.
import './stream.js';
import './live.js';
import './toasts.js';
import { typing, plain } from './keyboard.js';

const sheet = document.getElementById('keysheet');

document.addEventListener('click', (event) => {
  const opener = event.target.closest('[data-open="keysheet"]');
  if (opener) sheet.showModal();
  for (const menu of document.querySelectorAll('details[data-menu][open]')) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') {
    const menu = document.querySelector('details[data-menu][open]');
    if (menu) {
      menu.open = false;
      menu.querySelector('summary').focus();
      event.preventDefault();
      event.stopImmediatePropagation();
    }
    return;
  }
  if (!plain(event)) return;
  const link = document.querySelector(`a[data-nav="${CSS.escape(event.key)}"]`);
  if (link) {
    event.preventDefault();
    location.assign(link.href);
  } else if (event.key === '?' && !typing(event)) {
    event.preventDefault();
    sheet.showModal();
  }
}, true);
