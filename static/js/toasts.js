// Short answers to actions, and undo.
import { t } from './words.js';
import { typing } from './keyboard.js';

const box = document.getElementById('toasts');
const staysFor = 15000;

/** say shows a toast; undo is a function that takes the action back. */
export function say(text, { bad = false, undo = null } = {}) {
  const toast = document.createElement('div');
  toast.className = bad ? 'toast bad' : 'toast';
  const p = document.createElement('p');
  p.textContent = text;
  if (bad) p.setAttribute('role', 'alert');
  toast.append(p);
  if (undo) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'btn';
    button.dataset.undo = '';
    button.append(t('js.undo') + ' ');
    const cap = document.createElement('kbd');
    cap.textContent = 'Z';
    button.append(cap);
    button.addEventListener('click', (event) => { event.stopPropagation(); toast.remove(); undo(); });
    toast.append(button);
  } else if (bad) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'btn';
    button.dataset.dismiss = '';
    button.textContent = t('js.close');
    toast.append(button);
  }
  box.append(toast);
}

/** clear removes the toasts that offer an undo which is no longer the last. */
export function clear() {
  for (const toast of box.querySelectorAll('.toast:not(.bad)')) toast.remove();
}

new MutationObserver((changes) => {
  for (const change of changes) {
    for (const node of change.addedNodes) {
      if (node instanceof HTMLElement) setTimeout(() => node.remove(), staysFor);
    }
  }
  while (box.children.length > 3) box.firstElementChild.remove();
}).observe(box, { childList: true });

function undoLast() {
  const last = [...box.querySelectorAll('[data-undo]')].pop();
  if (!last) return false;
  last.click();
  return true;
}

box.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if ('dismiss' in button.dataset) {
    button.closest('.toast').remove();
  } else if (button.dataset.undo) {
    const corrections = button.dataset.undo;
    button.closest('.toast').remove();
    window.htmx.ajax('POST', '/corrections/undo', { target: '#toasts', swap: 'beforeend', values: { corrections } })
      .then(() => document.dispatchEvent(new CustomEvent('loupe:undone')));
  }
});

document.addEventListener('keydown', (event) => {
  if (event.defaultPrevented || typing(event) || event.altKey || event.metaKey || event.shiftKey) return;
  if (event.key.toLowerCase() === 'z' && undoLast()) event.preventDefault();
});

document.addEventListener('htmx:sendError', () => say(t('js.failed'), { bad: true }));
