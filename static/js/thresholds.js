// Two handles on one scale: NG up to the first, OK from the second.
import { t } from './words.js';

const form = document.querySelector('form[data-thresholds]');
const ng = form.querySelector('[data-ng]');
const ok = form.querySelector('[data-ok]');
const percent = (share) => `${Math.round(share * 100)}%`;

function show() {
  const low = Number(ng.value);
  const high = Number(ok.value);
  form.querySelector('[data-ng-value]').value = (1 - low).toFixed(2);
  form.querySelector('[data-ok-value]').value = high.toFixed(2);
  const zones = { ng: [0, low], unsure: [low, high], ok: [high, 1] };
  for (const [name, [from, to]] of Object.entries(zones)) {
    const zone = form.querySelector(`[data-zone=${name}]`);
    zone.setAttribute('x', String(from * 1000));
    zone.setAttribute('width', String((to - from) * 1000));
  }
  form.querySelector('[data-cut=ng]').setAttribute('d', `M${low * 1000} 0V120`);
  form.querySelector('[data-cut=ok]').setAttribute('d', `M${high * 1000} 0V120`);
  form.querySelector('[data-say=ng]').textContent = t('js.thresholds.ng', { Share: percent(1 - low) });
  form.querySelector('[data-say=ok]').textContent = t('js.thresholds.ok', { Share: percent(high) });
}

ng.addEventListener('input', show);
ok.addEventListener('input', show);
show();
