// The SIP messages of one address as they pass, while the user follows them.

import { $, element, setHidden, setText } from './dom.js';
import { readEvents } from './events.js';
import { clock } from './figures.js';

const KEPT = 50;
let following;

/** Starts or stops following the messages of an address. Returns whether it follows. */
export function toggleMessages(aor) {
  if (following !== undefined) {
    endMessages();
    return false;
  }
  following = new AbortController();
  const { signal } = following;
  $('messages-list').replaceChildren();
  setHidden($('messages'), false);
  setText($('messages-note'), 'Waiting for the next message.');
  readEvents(`/v1/traces/${encodeURIComponent(aor)}/messages`, { signal }, add).then(
    () => signal.aborted || setText($('messages-note'), 'The server ended it.'),
    (error) => signal.aborted || setText($('messages-note'), error.message),
  );
  return true;
}

export function endMessages() {
  following?.abort();
  following = undefined;
  setHidden($('messages'), true);
}

function add(event, data) {
  if (event === 'gap') return setText($('messages-note'), `${data.missed} messages were missed.`);
  setText($('messages-note'), 'Following; credentials are left out.');
  const text = new TextDecoder().decode(Uint8Array.from(atob(data.bytes), (char) => char.charCodeAt(0)));
  const first = text.split(/\r?\n/, 1)[0];
  const peer = `${data.transport} ${data.peer.address}:${data.peer.port}`;
  const item = element('details', undefined, { class: data.isReceived ? 'received' : 'sent' });
  const summary = element('summary');
  summary.append(element('time', clock(data.at)), ` ${data.isReceived ? '→' : '←'} `, element('b', first), ` ${peer}`);
  item.append(summary, element('pre', text.trimEnd()));
  const list = $('messages-list');
  list.prepend(item);
  while (list.childElementCount > KEPT) list.lastElementChild.remove();
  return undefined;
}
