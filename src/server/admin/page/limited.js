// Sources and accounts that abuse control limits now, and the release of one.

import { change, get } from './api.js';
import { confirmed } from './confirm.js';
import { $, setText, Table, tell } from './dom.js';
import { number } from './figures.js';
import { listeners } from './live.js';

const ASKED_MS = 3000;
const SHOWN = 50;

const table = new Table('limited', [
  { title: 'Limited' },
  { title: 'Why' },
  { title: 'Seconds left', n: true },
  { title: 'Forgive', hidden: true },
]);
let askedAt = -ASKED_MS;

async function show() {
  askedAt = performance.now();
  const { items, next } = await get(`/v1/abuse?limit=${SHOWN}`);
  setText($('limited-note'), next === undefined ? '' : `The first ${SHOWN}; aorta abuse ls has all.`);
  table.show(
    items.map((one) => ({
      key: `${one.kind} ${one.name}`,
      name: one.name,
      alarm: one.successes > 0,
      cells: [one.name, whyOf(one), number(one.leftSeconds), { actions: [['Forgive …', forgive]] }],
    })),
  );
}

/** A source with successful logins, too, may be an address that victims share. */
function whyOf({ reason, successes }) {
  const why = reason.replaceAll('-', ' ');
  return successes > 0 ? `${why}; ${number(successes)} that succeed` : why;
}

async function forgive({ name }) {
  const text = 'It is answered again, and what it does next counts anew.';
  if (!(await confirmed(`Forgive ${name}?`, text, 'Forgive'))) return;
  await change('POST', '/v1/abuse/forgive', { name });
  tell(`${name} is let go.`);
  await show();
}

listeners.push(() => {
  if (performance.now() - askedAt >= ASKED_MS) show().catch(() => {}); // the page already reports that the server does not answer
});
