// Asking before what cannot simply be taken back, and copying a line.
import { t } from './words.js';
import { say } from './toasts.js';

function ask(question) {
  const dialog = document.createElement('dialog');
  const text = document.createElement('h2');
  text.textContent = question;
  const form = document.createElement('form');
  form.method = 'dialog';
  form.className = 'row end ask';
  for (const [value, name, look] of [['', t('js.no'), 'btn'], ['yes', t('js.yes'), 'btn first']]) {
    const button = document.createElement('button');
    button.value = value;
    button.textContent = name;
    button.className = look;
    form.append(button);
  }
  dialog.append(text, form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => { resolve(dialog.returnValue === 'yes'); dialog.remove(); });
  });
}

document.addEventListener('submit', async (event) => {
  const form = event.target;
  if (!form.dataset.confirm || form.dataset.confirmed) return;
  event.preventDefault();
  if (!await ask(form.dataset.confirm)) return;
  form.dataset.confirmed = 'yes';
  form.requestSubmit();
});

document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy]');
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    say(t('js.copied'));
  } catch {
    getSelection().selectAllChildren(source);
    say(document.execCommand('copy') ? t('js.copied') : t('js.copy-failed'));
  }
});
