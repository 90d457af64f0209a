// Another process that has the user store open: writes the users named by its arguments, or many.

import { ha1sOf } from '../../src/users/ha1.ts';
import { UserStore } from '../../src/users/user-store.ts';

const [data, ...users] = process.argv.slice(2);
const realm = 'example.com';
const store = UserStore.open(data);
if (users[0] === '--many') {
  const count = Number(users[1]);
  for (let first = 0; first < count; first += 2000) {
    const batch = Array.from({ length: Math.min(2000, count - first) }, (_, i) => `user${first + i}`);
    store.put(
      batch.map((name) => ({ name, realm, ha1s: ha1sOf(name, realm, 'pw') })),
      'any',
    );
  }
} else {
  for (const text of users) {
    const [name, password] = text.split(':');
    store.put([{ name, realm, ha1s: ha1sOf(name, realm, password) }], 'any');
  }
}
await store.close();
