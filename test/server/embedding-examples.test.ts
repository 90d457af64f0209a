// The programs of docs/embedding.md, run as they stand but for their ports and directories.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { freePort, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { Child, killAll } from '../support/child-process.ts';
import { bindings, SipClient } from '../support/sip-client.ts';

const ROOT = join(import.meta.dirname, '../..');
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

/** Starts the program that contains `mark`, on `port`, and gives it and a phone for it. */
async function start(mark: string): Promise<{ program: Child; phone: SipClient }> {
  const port = await freePort();
  const text = blocks.find((block) => block.includes(mark)) ?? expect.unreachable(`no example with ${mark}`);
  mkdirSync(DIRECTORY, { recursive: true });
  const file = join(DIRECTORY, `${port}.mjs`);
  writeFileSync(file, text.replaceAll('5060', String(port)).replace("'./bindings'", `'${temporaryDirectory()}'`));
  const program = new Child(process.execPath, [file], { cwd: ROOT });
  const phone = await SipClient.open({ address: '127.0.0.1', port });
  for (let tries = 0; ; tries++) {
    const up = await phone.request(phone.other('OPTIONS', 'sip:example.com'), 250).catch(() => undefined);
    if (up !== undefined) return { program, phone };
    if (tries === 60 || program.exit !== undefined) throw new Error(`it does not answer\n${program.output()}`);
  }
}

describe('examples of docs/embedding.md', () => {
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

  it('on a socket of its own, in memory, without threads', async () => {
    const { program, phone } = await start("store: 'memory'");
    const answer = await phone.request(phone.register({ contacts: ['<sip:alice@127.0.0.1:7>'] }));
    expect([...bindings(answer).keys()]).toEqual(['sip:alice@127.0.0.1:7']);
    expect([...(await phone.fetch()).keys()]).toEqual(['sip:alice@127.0.0.1:7']);
    phone.close();
    program.killTree();
  });
});
