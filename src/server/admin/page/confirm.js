// A question before a change.

import { $, setText } from './dom.js';

let settle = () => {};

/** Resolves to whether the user agrees; the focus returns to its former element. */
export function confirmed(title, text, yes) {
  const dialog = $('confirm');
  setText($('confirm-title'), title);
  setText($('confirm-text'), text);
  setText($('confirm-yes'), yes);
  dialog.showModal();
  $('confirm-no').focus();
  return new Promise((resolve) => {
    settle = resolve;
  });
}

/** Settles at once: the dialog's event "close" comes late, when the next question may be open already. */
function answer(isYes) {
  $('confirm').close();
  settle(isYes);
}

$('confirm-no').addEventListener('click', () => answer(false));
$('confirm-yes').addEventListener('click', () => answer(true));
$('confirm').addEventListener('cancel', () => settle(false));
