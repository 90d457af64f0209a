// Access tokens in REGISTER (RFC 8898) over TLS, from an issuer of the test's own: signed ones by its keys over HTTP, others by introspection.

import { generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { selfSigned } from '../support/certificate.ts';
import { killAll, pause, poll } from '../support/child-process.ts';
import { freePort } from '../support/free-ports.ts';
import { configFile, importUsers, logIn } from '../support/login-client.ts';
import { type Answer, bindings, headers, newToken, SipClient } from '../support/sip-client.ts';
import { StreamClient } from '../support/stream-client.ts';
import { WsSipClient } from '../support/ws-sip-client.ts';

const ISSUER = 'https://login.example.com/';
const AUDIENCE = 'sip.example.com';
const nowS = () => Math.floor(Date.now() / 1000);

interface Key {
  readonly kid: string;
  readonly alg: string;
  readonly own: CryptoKey;
  readonly published: JWK;
  readonly pem: string;
}

async function newKey(kid: string, alg = 'ES256'): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const published = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' };
  return { kid, alg, own: privateKey, published, pem: await exportSPKI(publicKey) };
}

/** An issuer's web server: /jwks.json and /introspect. */
class Issuer {
  keys: JWK[] = [];
  keysAsked = 0;
  introspections: { token: string; login: string | undefined }[] = [];
  /** What it says of tokens at /introspect. */
  known: Record<string, Record<string, unknown>> = {};
  /** Answers 500 to everything. */
  isBroken = false;
  private readonly server: Server;

  constructor() {
    this.server = createServer((request, response) => {
      let body = '';
      request.on('data', (part) => {
        body += part;
      });
      request.on('end', () => {
        if (this.isBroken) return void response.writeHead(500).end();
        if (request.url === '/jwks.json') {
          this.keysAsked++;
          return void response.end(JSON.stringify({ keys: this.keys }));
        }
        const token = new URLSearchParams(body).get('token') ?? '';
        this.introspections.push({ token, login: request.headers.authorization });
        response.end(JSON.stringify(this.known[token] ?? { active: false }));
      });
    });
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

const issuer = new Issuer();
const secretFile = join(temporaryDirectory(), 'secret');
const certificate = selfSigned();
let first: Key;
let aorta: Aorta;
let admin: number;
let phone: StreamClient;

/** A good token of alice, but for what is changed. */
function token(
  claims: Record<string, unknown> = {},
  key = first,
  header: Record<string, unknown> = {},
): Promise<string> {
  const all = {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: 'alice',
    scope: 'openid sip',
    exp: nowS() + 600,
    jti: newToken(),
    ...claims,
  };
  const kept = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return new SignJWT(kept).setProtectedHeader({ alg: key.alg, kid: key.kid, ...header }).sign(key.own);
}

async function client({ address, port }: Aorta): Promise<StreamClient> {
  const socket = connect({ host: address, port, rejectUnauthorized: false });
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  return new StreamClient(socket, 'TLS');
}

function register(bearer: string, aor = 'alice@example.com', to = phone, expires = 3600): Promise<Answer> {
  const contacts = [`<sip:${newToken()}@127.0.0.1:5071;transport=tls>`];
  return to.request(to.register({ aor, contacts, expires, headers: [`Authorization: Bearer ${bearer}`] }));
}

const rows = (answer: Answer) => headers(answer.text, 'WWW-Authenticate');
const bearerRow = (answer: Answer) => rows(answer).find((row) => row.startsWith('Bearer '));
const OFFER = `Bearer realm="example.com", authz_server="${ISSUER}", scope="sip"`;

/** The configuration in the section of docs/operating.md. */
function documentedExample(): string {
  const text = readFileSync(join(import.meta.dirname, '../../docs/operating.md'), 'utf8');
  return /### Access tokens[\s\S]*?```yaml\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
}

function serve(tokens: string, extra: string[] = [], data = temporaryDirectory()): Promise<Aorta> {
  const file = configFile(`tls: {cert: ${certificate.certFile}, key: ${certificate.keyFile}}`, ...extra, tokens);
  return Aorta.start({ transports: ['udp', 'tls'], shards: 2, data, flags: ['--config', file] });
}

beforeAll(async () => {
  first = await newKey('first');
  issuer.keys = [first.published];
  await issuer.listen();
  writeFileSync(secretFile, 's3cret\n');
  admin = await freePort();
  const data = temporaryDirectory();
  await importUsers(data, ['bob@example.com']);
  const example = documentedExample()
    .replace('https://login.example.com/jwks.json', `${issuer.url}/jwks.json`)
    .replace(/^( *)clock-skew-s: .*$/m, '$1keys-cooldown-s: 1\n$1negative-ttl-s: 1\n$1failures: 1\n$1open-ms: 500\n$&');
  aorta = await serve(example, [`admin: 'http:127.0.0.1:${admin}'`], data);
  phone = await client(aorta);
});

afterAll(async () => {
  await aorta?.stop();
  issuer.close();
  await killAll();
  removeDirectories();
});

describe('R8898-2.2-01 access tokens', () => {
  it('are offered beside a digest, with the address of the authorisation server, over TLS alone', async () => {
    const answer = await phone.request(phone.register());
    expect([answer.status, rows(answer).map((row) => row.split(' ')[0])]).toEqual([401, ['Digest', 'Bearer']]);
    expect(bearerRow(answer)).toBe(OFFER);
    const plain = await SipClient.open(aorta);
    const row = `Authorization: Bearer ${await token()}`;
    const refused = await plain.request(plain.register({ contacts: ['<sip:a@127.0.0.1:1>'], headers: [row] }));
    expect([refused.status, bearerRow(refused)]).toEqual([401, undefined]);
  });

  it('let their user in, as whom the claims name, and no other; passwords count on', async () => {
    const good = await token({ aors: ['desk@example.com', 'sip:hall@example.com'] });
    expect((await register(good)).status).toBe(200);
    const { keysAsked } = issuer;
    expect((await register(good, 'desk@example.com')).status).toBe(200);
    expect((await register(good, 'hall@example.com')).status).toBe(200);
    expect((await register(good, 'bob@example.com')).status).toBe(403);
    expect((await register(await token({ sub: 'sip:carol@example.com' }), 'carol@example.com')).status).toBe(200);
    expect((await register(await token({ sub: undefined }))).status).toBe(403);
    expect((await register(await token({ scope: undefined, scp: ['sip'] }))).status).toBe(200);
    expect((await logIn(phone, { aor: 'bob@example.com', contacts: ['<sip:b@127.0.0.1:1>'] })).status).toBe(200);
    expect(issuer.keysAsked).toBe(keysAsked);
  });

  it('end bindings when they end themselves', async () => {
    const answer = await register(await token({ sub: 'dave', exp: nowS() + 100 }), 'dave@example.com');
    const [granted] = bindings(answer).values();
    expect(answer.status).toBe(200);
    expect(granted).toBeGreaterThan(90);
    expect(granted).toBeLessThanOrEqual(110); // with the clocks' difference
    // And no others: the next request of the same shard, by a password.
    expect((await register(await token({ sub: 'bob', exp: nowS() + 100 }), 'bob@example.com')).status).toBe(200);
    const longer = await logIn(phone, { aor: 'bob@example.com', contacts: ['<sip:b@127.0.0.1:2>'], expires: 3600 });
    expect(Math.max(...bindings(longer).values())).toBeGreaterThan(3000);
  });

  it('are refused with 401 and the reason where they are not good', async () => {
    const stranger = await newKey('first');
    const segment = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const good = await token();
    const [head, payload, signature] = good.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const hmac = new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'first' });
    const bad: Record<string, string> = {
      expired: await token({ exp: nowS() - 60 }),
      'not yet good': await token({ nbf: nowS() + 60 }),
      'for others': await token({ aud: 'mail.example.com' }),
      'of others': await token({ iss: 'https://evil.example/' }),
      'without an end': await token({ exp: undefined }),
      'without scope': await token({ scope: 'openid' }),
      'with an odd address': await token({ sub: 'a b@example.com' }),
      unsigned: `${segment({ alg: 'none' })}.${payload}.`,
      'unsigned, with a key': `${segment({ alg: 'none', kid: 'first' })}.${payload}.${signature}`,
      'signed with the public key as a secret': await hmac.sign(Buffer.from(first.pem)),
      'signed by another under the name of the key': await token({}, stranger),
      'with a key in its head': await token({}, stranger, { jwk: stranger.published }),
      changed: `${head}.${segment({ ...claims, sub: 'bob' })}.${signature}`,
      'no token': 'x',
      'with odd characters': `${good}"; x="y`,
      nothing: '',
      huge: await token({ padding: 'x'.repeat(7000) }),
    };
    for (const [what, text] of Object.entries(bad)) {
      const answer = await register(text, what === 'changed' ? 'bob@example.com' : 'alice@example.com');
      expect([what, answer.status, bearerRow(answer)]).toEqual([what, 401, `${OFFER}, error="invalid_token"`]);
    }
    expect((await register(good)).status).toBe(200);
  });

  it('with unknown keys do not make anybody ask for keys again and again', async () => {
    await pause(1100); // past the last fetch
    const { keysAsked } = issuer;
    const made = await Promise.all(Array.from({ length: 60 }, (_, n) => token({}, { ...first, kid: `made-up-${n}` })));
    const began = Date.now();
    const statuses = await Promise.all(made.map(async (text) => (await register(text)).status));
    expect(new Set(statuses)).toEqual(new Set([401]));
    expect(issuer.keysAsked - keysAsked).toBeLessThanOrEqual(2 + (Date.now() - began) / 1000);
    expect((await register(await token())).status).toBe(200);
  });

  it('may be signed with the next key as soon as the issuer publishes it', async () => {
    const next = await newKey('next', 'RS256');
    issuer.keys = [first.published, next.published];
    const text = () => token({}, next);
    await poll('the key', 10_000, async () => ((await register(await text())).status === 200 ? true : undefined), 300);
    expect((await register(await token())).status).toBe(200);
  });

  it('name a published key that is too weak and are refused, and cost no other token', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const weak = { ...publicKey.export({ format: 'jwk' }), kid: 'weak', alg: 'RS256', use: 'sig' };
    const broken = { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', kid: 'broken', alg: 'ES256', use: 'sig' };
    issuer.keys = [first.published, weak, broken];
    await pause(1100); // past the last fetch
    const forged = async (kid: string, alg: string) => {
      const parts = [
        { alg, kid },
        { iss: ISSUER, aud: AUDIENCE, sub: 'alice', scope: 'sip', exp: nowS() + 600 },
      ];
      const text = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
      return `${text}.${sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`;
    };
    await poll('the keys', 10_000, async () => {
      await register(await token({}, { ...first, kid: newToken() }));
      return (await register(await forged('weak', 'RS256'))).status === 401 && issuer.keysAsked > 1 ? true : undefined;
    });
    for (const text of [await forged('weak', 'RS256'), await forged('broken', 'ES256')]) {
      expect((await register(text)).status).toBe(401);
      expect((await register(await token())).status).toBe(200);
    }
  });

  it('count on while their issuer fails, as far as they were known; the others draw 503, passwords are served', async () => {
    const known = await token();
    expect((await register(known)).status).toBe(200);
    await pause(1100);
    issuer.isBroken = true;
    const unknown = await newKey('unknown');
    for (let n = 0; n < 2; n++) {
      const refused = await register(await token({}, unknown));
      expect([refused.status, headers(refused.text, 'Retry-After').length]).toEqual([503, 1]);
    }
    await aorta.child.until(/the issuer of tokens fails/, 10_000);
    expect((await register(known)).status).toBe(200);
    expect((await logIn(phone, { aor: 'bob@example.com' })).status).toBe(200);
    issuer.isBroken = false;
    await poll('tokens', 10_000, async () => ((await register(await token())).status === 200 ? true : undefined), 300);
  });

  it('survive a restart without a question, are counted, and stand in no log', async () => {
    const text = await token();
    expect((await register(text)).status).toBe(200);
    const metrics = await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text();
    expect(metrics).toMatch(/^aorta_token_issuer_up 1$/m);
    expect(metrics).toMatch(/^aorta_token_answers_total\{result="found"\} [1-9]/m);
    expect(metrics).toMatch(/^aorta_token_answers_total\{result="none"\} [1-9]/m);
    expect(metrics).toMatch(/reason="token_invalid"\} [1-9]/);
    await aorta.stop();
    aorta = await aorta.restart();
    phone = await client(aorta);
    const { keysAsked } = issuer;
    expect((await register(text)).status).toBe(200);
    expect(issuer.keysAsked).toBe(keysAsked);
    expect(`${aorta.stdout}${aorta.stderr}`).not.toContain(text.split('.')[2]);
  });
});

describe('an access token in a cookie', () => {
  const ORIGIN = 'https://phone.example.com';

  it.each(['wss', 'ws'] as const)(
    'of a %s handshake stands in for the credentials of its REGISTERs, for pages that may connect',
    async (scheme) => {
      const example = documentedExample().replace('https://login.example.com/jwks.json', `${issuer.url}/jwks.json`);
      const file = configFile(
        `tls: {cert: ${certificate.certFile}, key: ${certificate.keyFile}}`,
        `websocket: {token-cookie: sip_token, origins: ['${ORIGIN}']}`,
        example,
        '    transports: [ws, wss]',
      );
      const own = await Aorta.start({ transports: [scheme], flags: ['--config', file] });
      const address = { port: own.port, tls: scheme === 'wss' };
      const open = (cookie: string, origin = ORIGIN) =>
        WsSipClient.open(address, { headers: [`Origin: ${origin}`, ...(cookie === '' ? [] : [`Cookie: ${cookie}`])] });
      const ask = async (page: WsSipClient, aor = 'alice@example.com', more: string[] = []) =>
        page.request(page.register({ aor, contacts: [`<${page.contact}>`], headers: more }));
      const good = await token();
      const page = await open(`theme=dark; sip_token=${good}; x=1`);
      expect((await ask(page)).status).toBe(200);
      expect((await ask(page, 'bob@example.com')).status).toBe(403);
      // Its own credentials count, whatever the cookie says.
      expect(
        (await ask(page, 'alice@example.com', [`Authorization: Bearer ${await token({ aud: 'x' })}`])).status,
      ).toBe(401);
      for (const cookie of [
        '',
        'sip_token=',
        `other=${good}`,
        `sip_token=${await token({ exp: nowS() - 60 })}`,
        'sip_token=a b',
      ])
        expect([cookie, (await ask(await open(cookie))).status]).toEqual([cookie, 401]);
      await expect(open(`sip_token=${good}`, 'https://evil.example')).rejects.toThrow();
      await own.stop();
    },
  );
});

describe('R8898-2.2-01 access tokens that are signed and introspected', () => {
  it('count while both agree; nothing unsigned reaches the issuer', async () => {
    const own = await serve(`
auth:
  mode: digest
  tokens:
    issuer: ${ISSUER}
    audience: ${AUDIENCE}
    jwks: ${issuer.url}/jwks.json
    introspection: ${issuer.url}/introspect
    client-id: aorta
    client-secret-file: ${secretFile}
`);
    const to = await client(own);
    const [good, withdrawn] = [await token(), await token()];
    issuer.known = { [good]: { active: true }, forged: { active: true } };
    issuer.introspections = [];
    expect((await register(good, 'alice@example.com', to)).status).toBe(200);
    expect((await register(withdrawn, 'alice@example.com', to)).status).toBe(401);
    expect((await register('forged', 'alice@example.com', to)).status).toBe(401);
    expect(issuer.introspections.map((asked) => asked.token)).toEqual([good, withdrawn]);
    issuer.introspections = [];
    await own.stop();
  });
});

describe('R8898-2.2-01 access tokens of any kind', () => {
  it('are shown to the issuer, once in a while, and end when it says so', async () => {
    const tokens = `
auth:
  mode: digest
  tokens:
    issuer: ${ISSUER}
    audience: ${AUDIENCE}
    introspection: ${issuer.url}/introspect
    client-id: aorta
    client-secret-file: ${secretFile}
    clock-skew-s: 0
    negative-ttl-s: 1
`;
    const own = await serve(tokens);
    const to = await client(own);
    const active = { active: true, sub: 'alice', aud: AUDIENCE };
    issuer.known = {
      good: { ...active, exp: nowS() + 600 },
      endless: active,
      others: { ...active, aud: 'mail.example.com' },
      foreign: { ...active, iss: 'https://evil.example/' },
    };
    expect((await register('good', 'alice@example.com', to)).status).toBe(200);
    expect((await register('good', 'alice@example.com', to)).status).toBe(200);
    const login = `Basic ${Buffer.from('aorta:s3cret').toString('base64')}`;
    expect(issuer.introspections).toEqual([{ token: 'good', login }]);
    expect(Math.max(...bindings(await register('endless', 'alice@example.com', to)).values())).toBeLessThanOrEqual(600);
    for (const text of ['others', 'foreign', 'unknown'])
      expect([text, (await register(text, 'alice@example.com', to)).status]).toEqual([text, 401]);
    issuer.known.short = { ...active, exp: nowS() + 5 };
    const answer = await register('short', 'alice@example.com', to);
    expect([answer.status, Math.min(...bindings(answer).values())]).toEqual([200, expect.any(Number)]);
    expect(Math.min(...bindings(answer).values())).toBeLessThanOrEqual(5);
    issuer.known.short = { active: false };
    await poll('its end', 10_000, async () => {
      const { status } = await register('short', 'alice@example.com', to);
      return status === 401 || undefined;
    });
    await own.stop();
  });
});
