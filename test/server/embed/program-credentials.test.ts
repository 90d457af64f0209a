// Users that the program around knows, by its own function: with threads and without.

import { createSocket } from 'node:dgram';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import {
  type ConfigError,
  createRegistrar,
  type FindCredentials,
  type Registrar,
  type RegistrarOptions,
} from '../../../src/index.ts';
import { ha1sOf } from '../../../src/users/ha1.ts';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';
import { pause, poll } from '../../support/child-process.ts';
import { logIn } from '../../support/login-client.ts';
import { newToken, SipClient } from '../../support/sip-client.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});
afterAll(removeDirectories);

/** A registrar with the program's own users, and a phone for it; without threads the program has the socket. */
async function start(options: RegistrarOptions): Promise<{ registrar: Registrar; phone: SipClient }> {
  const common = { domains: ['example.com'], data: temporaryDirectory(), ...options };
  if (options.threads !== false) {
    const registrar = createRegistrar({ shards: 2, ...common, listen: ['udp:127.0.0.1:0'] });
    ends.push(() => registrar.stop());
    await registrar.start();
    return { registrar, phone: await phoneFor(registrar.listen[0].port) };
  }
  const socket = createSocket('udp4');
  const registrar = createRegistrar({
    ...common,
    send: (bytes, { address, port }) => socket.send(bytes, port, address),
  });
  ends.push(async () => {
    await registrar.stop();
    socket.close();
  });
  await registrar.start();
  socket.on('message', (bytes, { address, port }) => registrar.handle(bytes, { address, port }));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return { registrar, phone: await phoneFor(socket.address().port) };
}

async function phoneFor(port: number): Promise<SipClient> {
  const phone = await SipClient.open({ address: '127.0.0.1', port });
  ends.push(() => phone.close());
  return phone;
}

const status = async (phone: SipClient, user: string, password: string, aor = `${user}@example.com`) => {
  const fields = { aor, callId: newToken(), contacts: [`<sip:${user}@127.0.0.1:${phone.port}>`] };
  return (await logIn(phone, fields, { username: user, password })).status;
};

describe.each([true, false])('a function that knows users (threads: %s)', (threads) => {
  it('is asked once for each user, who then registers by its answer', async () => {
    const asked: string[] = [];
    const credentials: FindCredentials = async (user, realm) => {
      asked.push(`${user} in ${realm}`);
      if (user === 'alice') return { password: 'one', aors: ['desk@example.com'] };
      if (user === 'bob') return { ha1: ha1sOf('bob', realm, 'two')[0]?.toString('hex') };
      return null;
    };
    const { registrar, phone } = await start({ threads, credentials });
    const results = [
      await status(phone, 'alice', 'one'),
      await status(phone, 'alice', 'one', 'desk@example.com'),
      await status(phone, 'alice', 'wrong'),
      await status(phone, 'bob', 'two'),
      await status(phone, 'bob', 'two', 'alice@example.com'),
      await status(phone, 'nobody', 'one'),
    ];
    expect(results).toEqual([200, 200, 401, 200, 403, 401]);
    expect(asked).toEqual(['alice in example.com', 'bob in example.com', 'nobody in example.com']);
    expect(registrar.lookup('desk@example.com').contacts).toHaveLength(1);
  });

  it('that fails, hangs or answers nonsense draws 503, and is left alone until it is well again', async () => {
    let isWell = false;
    const events: string[] = [];
    const { phone } = await start({
      threads,
      log: (_, event) => events.push(event),
      credentials: {
        find: (user) => {
          if (isWell) return { password: 'pw' };
          if (user === 'alice') return Promise.reject(new Error('no database'));
          return user === 'bob' ? { ha1: 'no hash' } : new Promise<null>(() => {});
        },
        failures: 3,
        openMs: 3000,
        timeoutMs: 100,
      },
    });
    // The first failure is answered and logged: nothing was repeated until the function is left alone.
    expect(await status(phone, 'alice', 'pw')).toBe(503);
    expect(events.filter((event) => event.includes('fails'))).toEqual(['the function "credentials" fails']);
    const users = ['alice', 'bob', 'carol'];
    expect(await Promise.all(users.map((user) => status(phone, user, 'pw')))).toEqual([503, 503, 503]);
    expect(events).toContain('the function "credentials" fails and is left alone for a while');
    isWell = true;
    await poll('an answer', 15_000, async () => (await status(phone, 'alice', 'pw')) === 200);
    expect(events).toContain('the function "credentials" answers again');
  });

  it('fails as any other does where it rejects with nothing', async () => {
    const events: string[] = [];
    const log: RegistrarOptions['log'] = (_level, event) => events.push(event);
    const { phone } = await start({ threads, log, credentials: () => Promise.reject() });
    expect(await status(phone, 'alice', 'pw')).toBe(503);
    expect(events.filter((event) => /credentials|told of a user/.test(event))).toEqual([
      'the function "credentials" fails',
    ]);
  });

  it('is asked once for a message when it cannot tell, and its place is given back: more come than may wait', async () => {
    let asked = 0;
    let isWell = false;
    const find: FindCredentials = () => {
      asked++;
      if (isWell) return { password: 'pw' };
      throw new Error('no database');
    };
    const { phone } = await start({ threads, shards: 1, credentials: { find, failures: 1000 } });
    const waiting = status(phone, 'alice', 'pw').catch(() => 0);
    await poll('the question', 5000, () => asked > 0);
    await pause(200);
    expect(asked).toBeLessThan(3); // a phone may have repeated its request
    isWell = true;
    await waiting;
    const [most, atOnce] = [1024, 8]; // of a shard
    for (let n = 0; n < most + 64; n += atOnce) {
      const users = Array.from({ length: atOnce }, (_, i) => `user${n + i}`);
      await Promise.all(users.map((user) => poll(user, 5000, async () => (await status(phone, user, 'pw')) === 200)));
    }
  });
});

describe('the option "credentials"', () => {
  const find: FindCredentials = () => null;
  it.each<[object, string]>([
    [{ credentials: 'alice' }, 'credentials: expected a function (user, realm)'],
    [{ credentials: {} }, 'credentials: expected a function (user, realm)'],
    [{ credentials: { find, ttlS: 0 } }, 'credentials.ttlS: expected'],
    [{ credentials: { find, ttl: 1 } }, 'credentials.ttl: unknown key'],
    [{ credentials: { find, 'ttl-s': 1 } }, 'credentials.ttl-s: unknown key, did you mean "ttlS"?'],
    [{ credentials: find, auth: 'none' }, 'credentials: nobody is asked'],
    [{ credentials: find, auth: { provider: { http: { url: 'http://x/{user}' } } } }, 'credentials: stands instead'],
  ])('%j is refused', (options, problem) => {
    let problems: readonly string[] = [];
    try {
      createRegistrar({ data: temporaryDirectory(), ...options });
    } catch (error) {
      problems = (error as ConfigError).problems;
    }
    expect(problems).toEqual([expect.stringContaining(problem)]);
  });
});
