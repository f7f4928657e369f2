// A model file that is too large is refused before it is sent.
import { t } from './words.js';

document.addEventListener('change', (event) => {
  const input = event.target.closest('[data-most-mb]');
  if (!input) return;
  const large = input.files[0]?.size > Number(input.dataset.mostMb) * 1048576;
  input.setCustomValidity(large ? t('js.model-large') : '');
  input.reportValidity();
});
