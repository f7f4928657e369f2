// A job about labels that ends while its page is open: what it found is shown at
// once where there was nothing, and else when the person asks for it.
const box = document.querySelector('.work');
const known = box.querySelector('[data-reload]')?.dataset.reload;

new MutationObserver(() => {
  const link = box.querySelector('[data-reload]');
  if (!link || link.dataset.reload === known) return;
  if (document.querySelector('main .none:not([hidden])')) location.reload();
  else link.hidden = false;
}).observe(box, { childList: true, subtree: true });
