// The queue of doubtful frames: choosing many, and deciding by one key.
import { plain, typing } from './keyboard.js';

const form = document.querySelector('[data-guard]');
if (form) {
  const boxes = [...form.querySelectorAll('input[name="frame"]')];
  const chosen = form.querySelector('[data-chosen]');
  const range = form.querySelector('[data-range]');
  let last = -1;

  const count = () => {
    const n = boxes.filter((b) => b.checked).length;
    if (chosen) chosen.textContent = String(n);
    for (const button of form.querySelectorAll('button[name="decision"]')) button.disabled = n === 0;
    for (const b of boxes) b.closest('li').classList.toggle('on', b.checked);
  };

  form.addEventListener('click', (event) => {
    const at = boxes.indexOf(event.target);
    if (at < 0) return;
    if (last >= 0 && (event.shiftKey || range?.getAttribute('aria-pressed') === 'true')) {
      for (let i = Math.min(at, last); i <= Math.max(at, last); i++) boxes[i].checked = event.target.checked;
      range?.setAttribute('aria-pressed', 'false');
    }
    last = at;
    count();
  });
  range?.addEventListener('click', () => range.setAttribute('aria-pressed', String(range.getAttribute('aria-pressed') !== 'true')));
  const all = () => {
    const on = boxes.some((b) => !b.checked);
    for (const b of boxes) b.checked = on;
    count();
  };
  form.querySelector('[data-all]')?.addEventListener('click', all);

  document.addEventListener('keydown', (event) => {
    if (typing(event) || !plain(event)) return;
    const key = event.key.toLowerCase();
    if (key === 'a' && boxes.length) {
      event.preventDefault();
      all();
      return;
    }
    const button = form.querySelector(`button[data-key="${CSS.escape(key)}"]`);
    if (!button) return;
    event.preventDefault();
    if (!button.disabled) {
      button.click();
      return;
    }
    // With nothing chosen, the key decides about the frame under focus, or the first.
    const item = document.activeElement?.closest?.('[data-doubts] > li') || form.querySelector('[data-doubts] > li');
    item?.querySelector(`button[name="${button.value}"]`)?.click();
  });
  count();
}
