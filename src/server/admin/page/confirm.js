// A question before anything is changed.

import { $, setText } from './dom.js';

/** Resolves to whether the user agrees; the focus returns to where it was. */
export function confirmed(title, text, yes) {
  const dialog = $('confirm');
  setText($('confirm-title'), title);
  setText($('confirm-text'), text);
  setText($('confirm-yes'), yes);
  dialog.returnValue = '';
  dialog.showModal();
  $('confirm-no').focus();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}

$('confirm-no').addEventListener('click', () => $('confirm').close('no'));
$('confirm-yes').addEventListener('click', () => $('confirm').close('yes'));
