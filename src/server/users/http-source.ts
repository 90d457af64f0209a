// Users from a web service: GET by user and realm -> HA1s, as JSON.

import { readFoundUser } from './found-user.ts';
import { jsonOf } from './json-answer.ts';
import type { HttpSourceOptions } from './provider-options.ts';
import type { UserSource } from './user-provider.ts';

/** Missing, gone, or a name that the service does not accept: odd names must not open the breaker. */
const NO_SUCH_USER = [400, 404, 410, 414, 422];

export function httpSource({ url, headers }: HttpSourceOptions): UserSource {
  return {
    name: 'the user service',
    knowsOf: ({ name }) => !/^\.\.?$/.test(name), // it would be a step in the URL's path
    async find({ name, realm }, signal) {
      const whole = url.replaceAll('{user}', encodeURIComponent(name)).replaceAll('{realm}', encodeURIComponent(realm));
      const response = await fetch(whole, {
        headers: { accept: 'application/json', ...headers },
        redirect: 'error',
        signal,
      });
      if (response.status === 200) return readFoundUser(await jsonOf(response), { name, realm });
      await response.body?.cancel();
      if (NO_SUCH_USER.includes(response.status)) return null;
      throw new Error(`status ${response.status}`);
    },
  };
}
