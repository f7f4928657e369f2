// The table of a recipe's classes: more rows, and their order.
const form = document.querySelector('form[data-classes]');
const rows = form.querySelector('[data-rows]');

form.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  const row = button?.closest('tr');
  if (!button) return;
  if ('addRow' in button.dataset) {
    rows.append(form.querySelector('[data-row-template]').content.cloneNode(true));
    rows.lastElementChild.querySelector('[name=class_name]').focus();
  } else if ('up' in button.dataset && row.previousElementSibling) {
    row.previousElementSibling.before(row);
    button.focus();
  } else if ('down' in button.dataset && row.nextElementSibling) {
    row.nextElementSibling.after(row);
    button.focus();
  }
});
