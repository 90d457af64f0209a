// Lists that are read page by page: users, static bindings, aliases.

import { open } from './addresses.js';
import { get } from './api.js';
import { $, button, setHidden, setText, Table } from './dom.js';
import { number } from './figures.js';

const PAGE = 50;

/** A list with a button for more below its table. @param rowOf makes a row of an item */
class PagedList {
  constructor(table, note, rowOf, place) {
    Object.assign(this, { table, note, rowOf, items: [], cursor: '', path: '' });
    this.more = button('Show more', () => this.next());
    setHidden(this.more, true);
    place.after(this.more);
  }

  async show(path) {
    Object.assign(this, { path, items: [], cursor: '' });
    await this.next();
  }

  async next() {
    const { path, cursor } = this;
    const page = await get(`${path}${path.includes('?') ? '&' : '?'}limit=${PAGE}${cursor && `&cursor=${cursor}`}`);
    this.items.push(...page.items);
    this.cursor = page.next ?? '';
    this.table.show(this.items.map(this.rowOf));
    setHidden(this.more, this.cursor === '');
    this.note(`${number(this.items.length)}${this.cursor ? ' or more' : ''}`, this.items.length);
  }
}

const users = new PagedList(
  new Table('users', [
    { title: 'User' },
    { title: 'May also register' },
    { title: 'Own rules' },
    { title: 'Contacts', hidden: true },
  ]),
  (count, length) => {
    setHidden($('users'), length === 0);
    setText($('users-note'), length === 0 ? 'No users.' : `${count} users.`);
  },
  ({ user, aors, policy }) => ({
    key: user,
    cells: [user, aors.join(', '), rulesText(policy), { actions: [['Contacts', () => open(user)]] }],
  }),
  $('users'),
);
const statics = new PagedList(
  new Table('statics', [{ title: 'Address' }, { title: 'Contacts' }]),
  () => {},
  ({ aor, contacts }) => ({
    key: aor,
    cells: [aor, contacts.map(({ uri, q = 1 }) => `${uri}${q < 1 ? ` (q ${q})` : ''}`).join(', ')],
  }),
  $('statics'),
);
const aliases = new PagedList(
  new Table('aliases', [{ title: 'Alias' }, { title: 'Stands for' }]),
  () => {},
  ({ alias, aor }) => ({ key: alias, cells: [alias, aor] }),
  $('aliases'),
);

function rulesText(policy) {
  return Object.entries(policy)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');
}

export async function showStatics() {
  await statics.show('/v1/static/bindings');
  await aliases.show('/v1/static/aliases');
}

$('users-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const match = $('users-match').value.trim();
  users
    .show(`/v1/users${match && `?match=${encodeURIComponent(match)}`}`)
    .catch((error) => setText($('users-note'), error.message));
});
setHidden($('users'), true);
