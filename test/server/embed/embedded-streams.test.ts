// What a program's own connections meet where users are asked for: an answer to every request, with threads and without, and access tokens.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { createRegistrar, type RegistrarOptions } from '../../../src/index.ts';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';
import { poll } from '../../support/child-process.ts';
import { authorization } from '../../support/digest-client.ts';
import { challenges } from '../../support/login-client.ts';
import { type Answer, bindings, headers, newToken, readAnswer, registerText } from '../../support/sip-client.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});
afterAll(removeDirectories);

/** A registrar with one connection of the program's, over TLS; asks over it. */
async function connected(options: RegistrarOptions): Promise<(row: string, aor?: string) => Promise<Answer>> {
  const answers: string[] = [];
  const registrar = createRegistrar({
    domains: ['example.com'],
    data: temporaryDirectory(),
    ...options,
    ...(options.threads !== false && { shards: 2 }),
    send: (bytes) => answers.push(bytes.toString('latin1')),
  });
  ends.push(() => registrar.stop());
  await registrar.start();
  const source = { address: '192.0.2.7', port: 5061, transport: 'tls' } as const;
  const flow = registrar.openFlow(source);
  return async (row, aor = 'alice@example.com') => {
    const callId = newToken();
    const text = registerText(
      { aor, callId, contacts: ['<sip:alice@192.0.2.7:5061;transport=tls>'], headers: row === '' ? [] : [row] },
      `SIP/2.0/TLS 192.0.2.7:5061;branch=z9hG4bK${newToken()}`,
    );
    registrar.handle(Buffer.from(text, 'latin1'), { ...source, flow });
    const answer = await poll('an answer', 10_000, () => answers.find((one) => one.includes(callId)), 5);
    return readAnswer(answer, source.address, source.port);
  };
}

describe.each([true, false])('a connection of the program (threads: %s)', (threads) => {
  it('draws 503 at once, not silence, where its user cannot be told', async () => {
    let asked = 0;
    const find = () => {
      asked++;
      throw new Error('no database');
    };
    const ask = await connected({ threads, credentials: { find, failures: 1000 } });
    for (let n = 1; n < 4; n++) {
      const [{ nonce }] = challenges(await ask(''));
      const answer = await ask(`Authorization: ${authorization({ nonce, qop: 'auth' })}`);
      expect([answer.status, headers(answer.text, 'Retry-After').length, asked]).toEqual([503, 1, n]);
    }
  });

  it('registers by an access token', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' }] };
    const issuer = createServer((_, response) => void response.end(JSON.stringify(keys)));
    await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
    ends.push(() => {
      issuer.closeAllConnections();
      issuer.close();
    });
    const [iss, aud] = ['https://login.example.com/', 'sip.example.com'];
    const jwks = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/`;
    const token = await new SignJWT({ iss, aud, sub: 'alice', exp: Math.floor(Date.now() / 1000) + 300 })
      .setProtectedHeader({ alg: 'ES256', kid: 'k' })
      .sign(privateKey);
    const ask = await connected({ threads, auth: { mode: 'digest', tokens: { issuer: iss, audience: aud, jwks } } });
    const offered = headers((await ask('')).text, 'WWW-Authenticate').map((row) => row.split(' ')[0]);
    expect(offered).toEqual(['Digest', 'Bearer']);
    const answer = await ask(`Authorization: Bearer ${token}`);
    expect(answer.status).toBe(200);
    expect(Math.max(...bindings(answer).values())).toBeLessThanOrEqual(310);
    expect((await ask(`Authorization: Bearer ${token}`, 'bob@example.com')).status).toBe(403);
    expect((await ask(`Authorization: Bearer ${token}x`)).status).toBe(401);
  });
});
