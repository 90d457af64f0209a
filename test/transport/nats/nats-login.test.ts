// Credentials files, and the proof that follows from them.

import { createPublicKey, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { loginFields, parseLogin } from '../../../src/transport/nats/nats-login.ts';

// The pair of the NATS documentation (Authentication, NKeys).
const SEED = 'SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY';
const PUBLIC = 'UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4';

describe('a credentials file', () => {
  it('holds user and password, a token, a seed, or a JWT with its seed', () => {
    expect(parseLogin('aorta:s3cret:x\n')).toEqual({ kind: 'password', user: 'aorta', password: 's3cret:x' });
    expect(parseLogin(' t0ken\n')).toEqual({ kind: 'token', token: 't0ken' });
    expect(parseLogin(`${SEED}\n`)).toEqual({ kind: 'key', seed: SEED, jwt: '' });
    const creds =
      '-----BEGIN NATS USER JWT-----\neyJ0.abc.def\n------END NATS USER JWT------\n\n' +
      `************************* IMPORTANT *************************\n-----BEGIN USER NKEY SEED-----\n${SEED}\n------END USER NKEY SEED------\n`;
    expect(parseLogin(creds)).toEqual({ kind: 'key', seed: SEED, jwt: 'eyJ0.abc.def' });
  });

  it('is refused where it holds none, and no secret is told', () => {
    for (const content of ['', 'two words', 'line\nline'])
      expect(() => parseLogin(content), content).toThrow(/credentials/);
    expect(() => parseLogin('two secrets')).not.toThrow(/secrets/);
  });
});

describe('a login', () => {
  it('signs the nonce with the key that the server knows', () => {
    const fields = loginFields(parseLogin(SEED), 'nonce-1');
    expect(fields.nkey).toBe(PUBLIC);
    const raw = fromBase32(PUBLIC).subarray(1, 33);
    const key = createPublicKey({
      key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]),
      format: 'der',
      type: 'spki',
    });
    expect(verify(null, Buffer.from('nonce-1'), key, Buffer.from(fields.sig, 'base64url'))).toBe(true);
    expect(verify(null, Buffer.from('nonce-2'), key, Buffer.from(fields.sig, 'base64url'))).toBe(false);
  });

  it('sends what a password or token file says, and nothing without one', () => {
    expect(loginFields(parseLogin('u:p'), undefined)).toEqual({ user: 'u', pass: 'p' });
    expect(loginFields(parseLogin('t'), undefined)).toEqual({ auth_token: 't' });
    expect(loginFields({ kind: 'none' }, 'n')).toEqual({});
  });
});

function fromBase32(letters: string): Buffer {
  const bits = [...letters]
    .map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'))
    .join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}
