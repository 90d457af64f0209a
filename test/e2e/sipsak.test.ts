// sipsak against a running Aorta: registers, fetches, unregisters, and throws trash.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories } from '../support/aorta-process.ts';
import { Child, killAll, pause, run } from '../support/child-process.ts';
import { peerMissing } from '../support/peers.ts';
import { SipClient } from '../support/sip-client.ts';

const CONTACT = 'sip:bob@127.0.0.1:7777';
const AOR = 'bob@127.0.0.1';

describe.skipIf(peerMissing('sipsak'))('sipsak', () => {
  let aorta: Aorta;
  let client: SipClient;

  beforeAll(async () => {
    aorta = await Aorta.start({ domains: ['127.0.0.1', 'example.com'] });
    client = await SipClient.open(aorta);
  });

  afterAll(async () => {
    client?.close();
    await killAll();
    removeDirectories();
  });

  const sipsak = (...args: string[]): ReturnType<typeof run> =>
    run('sipsak', [...args, '-vvv', '-s', `sip:bob@127.0.0.1:${aorta.port}`], 15_000);

  it('R3261-10.3-27 R3261-20-01 registers in usrloc mode, with a Contact without angle brackets', async () => {
    const began = Date.now();
    const said = await sipsak('-U', '-i', '-C', CONTACT, '-x', '600');
    expect(said.exit.code, said.output()).toBe(0);
    const found = await client.fetch(AOR);
    expect([...found.keys()]).toEqual([CONTACT]);
    expect(found.get(CONTACT)).toBeGreaterThanOrEqual(Math.floor(600 - (Date.now() - began) / 1000));
  });

  it('R3261-10.2.3-01 fetches', async () => {
    const said = await sipsak('-U', '-i', '-C', 'empty');
    expect(said.exit.code, said.output()).toBe(0);
    expect(said.stdout + said.stderr).toMatch(/Contact: <sip:bob@127\.0\.0\.1:7777>;expires=\d+/);
    expect((await client.fetch(AOR)).size).toBe(1);
  });

  it('R3261-10.3-18 R3261-10.3-34 unregisters with the wildcard', async () => {
    const said = await sipsak('-U', '-i', '-C', 'star', '-x', '0');
    expect(said.exit.code, said.output()).toBe(0);
    expect((await client.fetch(AOR)).size).toBe(0);
  });

  it('R3261-11.2-01 pings with OPTIONS', async () => {
    const said = await run('sipsak', ['-vv', '-s', `sip:127.0.0.1:${aorta.port}`], 15_000);
    expect(said.exit.code, said.output()).toBe(0);
    expect(said.stdout + said.stderr).toMatch(/SIP\/2\.0 200/);
  });

  it('R3261-8.2-01 random trash and a flood of OPTIONS hurt neither the server nor a binding', async () => {
    const bound = await client.request(client.register({ contacts: ['<sip:a@127.0.0.1:1>'], expires: 900 }));
    expect(bound.status).toBe(200);
    // It stops at the first answer that is no 4xx, so it is started again and again for some seconds.
    for (const end = Date.now() + 4000; Date.now() < end; ) {
      const trash = new Child('sipsak', ['-R', '-i', '-t', '40', '-s', `sip:bob@127.0.0.1:${aorta.port}`]);
      await Promise.race([trash.exited, pause(end - Date.now())]);
      trash.killTree();
    }
    const flood = new Child('sipsak', ['-F', '-e', '3000', '-s', `sip:bob@127.0.0.1:${aorta.port}`]);
    await Promise.race([flood.exited, pause(3000)]);
    flood.killTree();
    expect([...(await client.fetch('alice@example.com')).keys()]).toEqual(['sip:a@127.0.0.1:1']);
    expect(aorta.alive, aorta.stderr).toBe(true);
  });
});
