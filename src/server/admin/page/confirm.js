// A question before anything is changed.

import { $, setText } from './dom.js';

let settle = () => {};

/** Resolves to whether the user agrees; the focus returns to where it was. */
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

/** At once: the dialog's event "close" comes late, when the next question may stand there already. */
function answer(isYes) {
  $('confirm').close();
  settle(isYes);
}

$('confirm-no').addEventListener('click', () => answer(false));
$('confirm-yes').addEventListener('click', () => answer(true));
$('confirm').addEventListener('cancel', () => settle(false));
