// Registrations by multicast (RFC 3261 §10.2.6): the group is joined where the configuration says so, and only there; answers go to
// the group, or to whoever asked.

import { createSocket } from 'node:dgram';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories } from '../support/aorta-process.ts';
import { killAll } from '../support/child-process.ts';
import { configFile } from '../support/login-client.ts';
import { SipClient } from '../support/sip-client.ts';

const GROUP = '224.0.1.75';

let aorta: Aorta;
let port: number;

beforeAll(async () => {
  aorta = await Aorta.start({
    shards: 2,
    flags: ['--config', configFile('multicast: { interface: 127.0.0.1, port: 0 }')],
  });
  port = Number(/^listening multicast 224\.0\.1\.75:(\d+) on 127\.0\.0\.1$/m.exec(aorta.stdout)?.[1]);
});

afterAll(async () => {
  await killAll();
  removeDirectories();
});

async function phone(): Promise<SipClient> {
  const client = await SipClient.open({ address: GROUP, port });
  client.socket.setMulticastInterface('127.0.0.1');
  return client;
}

describe('a multicast REGISTER', () => {
  it('R3261-18.2.2-03 without maddr is answered to whoever sent it, and binds', async () => {
    const alice = await phone();
    expect((await alice.request(alice.register({ contacts: ['<sip:alice@127.0.0.1:5071>'] }))).status).toBe(200);
    const direct = await SipClient.open(aorta);
    expect([...(await direct.fetch()).keys()]).toEqual(['sip:alice@127.0.0.1:5071']);
    alice.close();
    direct.close();
  });

  it('R3261-18.2.2-03 with the group as maddr is answered to the group, at the port of the Via', async () => {
    const alice = await phone();
    const member = createSocket({ type: 'udp4', reuseAddr: true });
    await new Promise<void>((resolve) => member.bind(0, GROUP, resolve));
    member.addMembership(GROUP, '127.0.0.1');
    const heard = new Promise<string>((resolve) =>
      member.once('message', (bytes) => resolve(bytes.toString('latin1'))),
    );
    const via = `SIP/2.0/UDP 127.0.0.1:${member.address().port};branch=z9hG4bKgroup;maddr=${GROUP};ttl=1`;
    const text = alice.register({ via });
    alice.send(text);
    const again = setInterval(() => alice.send(text), 500); // the kernel may drop it
    const answer = await heard;
    clearInterval(again);
    expect(answer).toMatch(/^SIP\/2\.0 200 OK\r\nVia: .*;maddr=224\.0\.1\.75;ttl=1/);
    member.close();
    alice.close();
  });

  it('R3261-18.2.2-03 with any other maddr makes nobody a target', async () => {
    const alice = await phone();
    const victim = await SipClient.open(aorta);
    const via = `${alice.via('z9hG4bKvictim')};maddr=127.0.0.1`.replace(/:\d+;/, `:${victim.port};`);
    expect((await alice.request(alice.register({ via }))).status).toBe(200);
    expect(victim.inbox).toEqual([]);
    alice.close();
    victim.close();
  });
});

it('R3261-26.1.1-01 the group is not joined where other machines reach it and nobody authenticates', async () => {
  const flags = ['--config', configFile('multicast: { interface: 192.0.2.20 }', 'auth: none')];
  await expect(Aorta.start({ flags })).rejects.toThrow(/without authentication anyone/);
});
