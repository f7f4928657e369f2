// A change that a script asks the server for.
import { t } from './words.js';

const csrf = document.querySelector('meta[name=csrf]').content;

/** send posts a form and gives the JSON of the answer; the error's message is for a person. */
export async function send(url, values) {
  const answer = await fetch(url, {
    method: 'POST', headers: { 'X-CSRF-Token': csrf, Accept: 'application/json' }, body: new URLSearchParams(values),
  });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Error(problem.detail || t('js.failed'));
  }
  return answer.json();
}
