// REGISTER over TLS: handshakes, certificates by name and read anew, client certificates, and openssl's own client.

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { Child, killAll, poll, run, which } from '../support/child-process.ts';
import { bindings } from '../support/sip-client.ts';
import { StreamClient } from '../support/stream-client.ts';

const directory = temporaryDirectory();
const file = (name: string) => join(directory, name);
let aorta: Aorta;

/** `aorta cert self-signed`, its files named after the domain. */
async function certificate(domain: string): Promise<void> {
  const out = file(`made-${domain}`);
  mkdirSync(out);
  const made = await run(process.execPath, [CLI, 'cert', 'self-signed', '--domain', domain, '--out', out], 10_000);
  expect(made.exit.code, made.output()).toBe(0);
  copyFileSync(join(out, 'cert.pem'), file(`${domain}.pem`));
  copyFileSync(join(out, 'key.pem'), file(`${domain}.key`));
}

function tls(options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: aorta.address, port: aorta.port, rejectUnauthorized: false, ...options });
    socket.once('error', reject);
    socket.once('secureConnect', () => resolve(socket));
  });
}

async function client(options: ConnectionOptions = {}): Promise<StreamClient> {
  return new StreamClient(await tls(options), 'TLS');
}

function start(yaml = '', flags: readonly string[] = []): Promise<Aorta> {
  const config = file('aorta.yaml');
  const text = `tls: {cert: example.com.pem, key: example.com.key${yaml}}\n`;
  writeFileSync(config, text);
  return Aorta.start({ transports: ['tls'], shards: 2, flags: ['--config', config, ...flags] });
}

/** Whose certificate a new connection is shown. */
async function shownTo(options: ConnectionOptions = {}): Promise<unknown> {
  const socket = await tls(options);
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return CN;
}
/** With the client's own certificate. */
const showing = (domain: string): ConnectionOptions => ({
  cert: pem(`${domain}.pem`),
  key: pem(`${domain}.key`),
});
const pem = (name: string) => readFileSync(file(name), 'latin1');

beforeAll(async () => {
  for (const domain of ['example.com', 'other.example', 'proxy.example.net', 'stranger.example'])
    await certificate(domain);
  aorta = await start(', domains: {other.example: {cert: other.example.pem, key: other.example.key}}');
});

afterAll(async () => {
  await aorta.stop();
  await killAll();
  removeDirectories();
});

describe('TLS', () => {
  it('R3261-26.3.1-01 R3261-26.3.1-02: serves REGISTER, sip and sips, on one connection', async () => {
    const phone = await client();
    const sip = ['<sip:alice@127.0.0.1:5071;transport=tls>'];
    expect((await phone.request(phone.register({ contacts: sip }))).status).toBe(200);
    const sips = {
      requestUri: 'sips:example.com',
      to: '<sips:alice@example.com>',
      from: '<sips:alice@example.com>;tag=1',
    };
    const answer = await phone.request(phone.register({ ...sips, contacts: ['<sips:alice@127.0.0.1:5072>'] }));
    expect([...bindings(answer).keys()]).toContain('sips:alice@127.0.0.1:5072');
    phone.close();
  });

  it('R5626-5.4-01 R5626-6-13 R3261-7.5-01: answers a double CRLF by one, within its connection', async () => {
    const phone = await client();
    phone.send('\r\n\r\n');
    expect((await phone.request(phone.register())).status).toBe(200);
    expect(phone.blanks).toBe('\r\n');
    phone.close();
  });

  it('R3261-26.3.1-03: shows the certificate of the domain that the client asks for', async () => {
    const names = ['example.com', 'other.example', 'OTHER.example.', 'unknown.example'];
    const shown = await Promise.all(names.map((servername) => shownTo({ servername })));
    expect(shown).toEqual(['example.com', 'other.example', 'other.example', 'example.com']);
  });

  it('R3261-26.2.1-01: speaks TLS 1.2 and 1.3 with authenticated encryption, nothing older', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await tls({ minVersion: version, maxVersion: version });
      expect(socket.getCipher().name).toMatch(/GCM|CHACHA20/);
      socket.destroy();
    }
    await expect(tls({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' })).rejects.toThrow();
    await expect(tls({ maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA:ECDHE-ECDSA-AES128-SHA' })).rejects.toThrow();
  });

  it('reads certificates anew on SIGHUP; connections that there are go on', async () => {
    const phone = await client();
    copyFileSync(file('other.example.pem'), file('example.com.pem'));
    copyFileSync(file('other.example.key'), file('example.com.key'));
    aorta.child.signal('SIGHUP');
    await poll('the new certificate', 5000, async () => (await shownTo()) === 'other.example');
    await aorta.child.until(/other\.example until 20\d\d-.*certificates read/, 5000);
    expect((await phone.request(phone.register())).status).toBe(200);
    copyFileSync(file('proxy.example.net.key'), file('example.com.key'));
    aorta.child.signal('SIGHUP');
    await aorta.child.until(/certificate and key do not go together/, 5000);
    expect((await phone.request(phone.register())).status).toBe(200);
    expect(await shownTo()).toBe('other.example');
    phone.close();
  });

  it('reads them by itself once the files have changed', async () => {
    const phone = await client();
    for (const kind of ['pem', 'key']) copyFileSync(file(`proxy.example.net.${kind}`), file(`example.com.${kind}`));
    await poll('the new certificate', 15_000, async () => (await shownTo()) === 'proxy.example.net');
    expect((await phone.request(phone.register())).status).toBe(200);
    phone.close();
  });

  it('what is no TLS ends its own connection alone', async () => {
    const plain = await StreamClient.tcp(aorta);
    plain.send(plain.register());
    await poll('the connection to close', 5000, () => plain.closed);
    const phone = await client();
    expect((await phone.request(phone.register())).status).toBe(200);
    phone.close();
  });

  it.skipIf(which('openssl') === undefined)('openssl s_client registers', async () => {
    const at = ['-connect', `${aorta.address}:${aorta.port}`, '-servername', 'other.example'];
    const peer = new Child('openssl', [
      's_client',
      ...at,
      '-CAfile',
      file('other.example.pem'),
      '-verify_return_error',
      '-ign_eof',
    ]);
    await peer.until(/Verify return code: 0 \(ok\)/, 10_000);
    const lines = [
      'REGISTER sip:example.com SIP/2.0',
      'Via: SIP/2.0/TLS x.invalid;branch=z9hG4bKs',
      'Max-Forwards: 70',
    ];
    lines.push('From: <sip:o@example.com>;tag=1', 'To: <sip:o@example.com>', 'Call-ID: s', 'CSeq: 1 REGISTER');
    peer.write(`${[...lines, 'Contact: <sip:o@x.invalid>', 'Content-Length: 0'].join('\r\n')}\r\n\r\n`);
    await peer.until(/SIP\/2\.0 200 OK[\s\S]*Contact: <sip:o@x\.invalid>/, 10_000);
  });
});

describe('client certificates', () => {
  it('R5922-7.4-01: one of a trusted domain makes its peer a proxy that vouches for its users; another does not', async () => {
    await aorta.stop();
    for (const kind of ['pem', 'key']) copyFileSync(file(`other.example.${kind}`), file(`example.com.${kind}`));
    writeFileSync(file('clients.pem'), `${pem('proxy.example.net.pem')}${pem('other.example.pem')}`);
    aorta = await start(', ca: clients.pem, trusted-domains: [proxy.example.net]', ['--auth', 'digest']);
    const statuses: number[] = [];
    for (const options of [{}, showing('other.example'), showing('proxy.example.net')]) {
      const peer = await client(options);
      statuses.push((await peer.request(peer.register({ contacts: ['<sip:alice@192.0.2.7>'] }))).status);
      peer.close();
    }
    expect(statuses).toEqual([401, 401, 200]);
  });

  it('R3261-26.3.1-01: where they are required, nobody comes in without a known one', async () => {
    await aorta.stop();
    aorta = await start(', ca: clients.pem, client-certificates: required');
    const phone = await client(showing('proxy.example.net'));
    expect((await phone.request(phone.register())).status).toBe(200);
    phone.close();
    // With TLS 1.3 a client learns only later that its certificate was not taken.
    for (const options of [{}, showing('stranger.example')])
      await expect(tls({ ...options, maxVersion: 'TLSv1.2' })).rejects.toThrow();
    const late = await client(showing('stranger.example')).catch(() => undefined);
    late?.send(late.register());
    await poll('the connection to close', 5000, () => late?.closed !== false);
    expect(late?.inbox ?? []).toEqual([]);
  });
});
