// The programs of docs/embedding.md, run as they stand but for their ports and directories.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';
import { Child, killAll, poll } from '../../support/child-process.ts';
import { freePort } from '../../support/free-ports.ts';
import { logIn } from '../../support/login-client.ts';
import { bindings, newToken, SipClient } from '../../support/sip-client.ts';
import { StreamClient } from '../../support/stream-client.ts';

const ROOT = join(import.meta.dirname, '../../..');
// Below the project, so that the package finds itself by its name.
const DIRECTORY = join(ROOT, `.build/examples-${process.pid}`);
const blocks = [...readFileSync(join(ROOT, 'docs/embedding.md'), 'utf8').matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(
  ([, block]) => block,
);

afterAll(async () => {
  await killAll();
  removeDirectories();
  rmSync(DIRECTORY, { recursive: true, force: true });
});

/** Starts the program that contains `mark`, on a port of its own. */
async function launch(mark: string): Promise<{ program: Child; port: number }> {
  const port = await freePort();
  const text = blocks.find((block) => block.includes(mark)) ?? expect.unreachable(`no example with ${mark}`);
  mkdirSync(DIRECTORY, { recursive: true });
  const file = join(DIRECTORY, `${port}.mjs`);
  writeFileSync(file, text.replaceAll('5060', String(port)).replaceAll('./bindings', temporaryDirectory()));
  return { program: new Child(process.execPath, [file], { cwd: ROOT }), port };
}

/** Starts it, and gives it and a phone for it. */
async function start(mark: string): Promise<{ program: Child; phone: SipClient }> {
  const { program, port } = await launch(mark);
  const phone = await SipClient.open({ address: '127.0.0.1', port });
  for (let tries = 0; ; tries++) {
    const up = await phone.request(phone.other('OPTIONS', 'sip:example.com'), 250).catch(() => undefined);
    if (up !== undefined) return { program, phone };
    if (tries === 60 || program.exit !== undefined) throw new Error(`it does not answer\n${program.output()}`);
  }
}

describe('examples of docs/embedding.md', () => {
  it('R5626-7-01 on connections of its own: what is registered over one ends with it', async () => {
    const { program, port } = await launch('openFlow(peer)');
    const connect = () => StreamClient.tcp({ address: '127.0.0.1', port });
    const one = await poll('it to listen', 15_000, () => connect().catch(() => undefined));
    const two = await connect();
    const contact = `<sip:alice@127.0.0.1:${one.localPort};transport=tcp>`;
    expect((await one.request(one.register({ contacts: [contact] }))).status).toBe(200);
    expect(bindings(await two.request(two.register())).size).toBe(1);
    one.close();
    await poll('its end', 5000, async () => bindings(await two.request(two.register())).size === 0);
    two.close();
    program.killTree();
  });

  it('only the parser: says who registers where', async () => {
    const { program, port } = await launch("from 'aorta/parser';\n\nconst socket");
    const phone = await SipClient.open({ address: '127.0.0.1', port });
    const text = phone.register({ contacts: ['<sip:alice@127.0.0.1:7>'], expires: 300 });
    await poll('its line', 15_000, () => {
      phone.send(text);
      return /^alice@example\.com is at sip:alice@127\.0\.0\.1:7 for 300 s/m.test(program.stdout);
    });
    phone.close();
    program.killTree();
  });

  it('changes: a program goes on where it was', async () => {
    const { program, port } = await launch('registrar.changes({ since })');
    const phone = await SipClient.open({ address: '127.0.0.1', port });
    await poll('its line', 15_000, () => {
      phone.send(phone.register({ contacts: ['<sip:alice@127.0.0.1:7>'], expires: 300 }));
      return /^re(?:gistered|freshed) alice@example\.com at sip:alice@127\.0\.0\.1:7$/m.test(program.stdout);
    });
    program.signal('SIGTERM');
    expect((await program.end(5000)).code, program.output()).toBe(0);
    expect(program.stdout).toMatch(/^registered gate@example\.com at sip:gate@192\.0\.2\.30$/m);
    const again = new Child(process.execPath, [join(DIRECTORY, `${port}.mjs`)], { cwd: ROOT });
    await again.until(/^refreshed gate@example\.com at sip:gate@192\.0\.2\.30$/m, 15_000);
    again.signal('SIGTERM');
    expect((await again.end(5000)).code).toBe(0);
    phone.close();
  });

  it('messages: one is built, sent, and its answer read', async () => {
    const { program, phone } = await start('listen: [');
    const text = blocks.find((block) => block.includes('createRequest({')) ?? expect.unreachable();
    const file = join(DIRECTORY, 'options.mjs');
    writeFileSync(file, text);
    const asking = new Child(process.execPath, [file, String(phone.server.port)], { cwd: ROOT });
    await asking.until(/^200 REGISTER, OPTIONS/m, 5000);
    expect((await asking.end(5000)).code).toBe(0);
    phone.close();
    program.killTree();
  });

  it('a registrar: tells what happens and where users are', async () => {
    const { program, phone } = await start('listen: [');
    const text = phone.register({ contacts: ['<sip:alice@127.0.0.1:7>;q=0.4'], expires: 300 });
    expect((await phone.request(text)).status).toBe(200);
    await program.until(/^registered alice@example\.com at sip:alice@127\.0\.0\.1:7, 300 s$/m, 5000);
    await program.until(/^alice: sip:alice@127\.0\.0\.1:7 q=0\.4 \[\] sip:127\.0\.0\.1:\d+;transport=udp$/m, 5000);
    phone.close();
    program.signal('SIGTERM');
    expect((await program.end(5000)).code).toBe(0);
  });

  it('users of its own: they log in by what its function says', async () => {
    const { program, phone } = await start('const accounts');
    const logInFor = async (aor: string, password: string) =>
      (
        await logIn(
          phone,
          { aor, callId: newToken(), contacts: ['<sip:alice@127.0.0.1:7>'] },
          { username: 'alice', password },
        )
      ).status;
    expect(await logInFor('alice@example.com', 'secret')).toBe(200);
    expect(await logInFor('100@example.com', 'secret')).toBe(200);
    expect(await logInFor('alice@example.com', 'wrong')).toBe(401);
    phone.close();
    program.killTree();
  });

  it('on a socket of its own, in memory, without threads', async () => {
    const { program, phone } = await start("store: 'memory'");
    const answer = await phone.request(phone.register({ contacts: ['<sip:alice@127.0.0.1:7>'] }));
    expect([...bindings(answer).keys()]).toEqual(['sip:alice@127.0.0.1:7']);
    expect([...(await phone.fetch()).keys()]).toEqual(['sip:alice@127.0.0.1:7']);
    phone.close();
    program.killTree();
  });
});
