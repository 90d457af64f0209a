// Lookups that wake devices, with the configuration of docs/operating.md: real phones over TCP, and servers that stand in for Apple, Google
// and a program of the operator's.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll, poll, run } from '../support/child-process.ts';
import { Apns, Fcm, PushReceiver } from '../support/push-services.ts';
import { contacts, header, newToken, SipClient } from '../support/sip-client.ts';
import { StreamClient } from '../support/stream-client.ts';

const guide = readFileSync(join(import.meta.dirname, '../../docs/operating.md'), 'utf8');
const EXAMPLE = /^### Devices that sleep[\s\S]*?^```yaml\n([\s\S]*?)^```/m.exec(guide)?.[1] ?? '';
/** A device that has been told has to come within it; some tests wait until it is over. */
const WAIT_MS = 5000;
/** What is left of it when the push is sent, rounded up. */
const SECONDS_LEFT = /^[3-5]s$/;

const apns = new Apns();
const fcm = new Fcm();
const receiver = new PushReceiver();
let aorta: Aorta;
let proxy: SipClient;
let lookups: string;

beforeAll(async () => {
  await Promise.all([apns.open(), fcm.open(), receiver.open()]);
  const directory = temporaryDirectory();
  const put = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const example = EXAMPLE.replace('http:127.0.0.1:8061', 'http:127.0.0.1:0')
    .replace('wait-ms: 8s', `wait-ms: ${WAIT_MS}`)
    .replace('/etc/aorta/AuthKey_ABC123DEFG.p8', `${put('apns.p8', apns.pem)}\n    url: ${apns.url}`)
    .replace('/etc/aorta/fcm-account.json', `${put('fcm.json', fcm.accountFile)}\n    url: ${fcm.url}`)
    .replace('/etc/aorta/push-secret', put('secret', `${receiver.secret}\n`))
    .replace('http://127.0.0.1:8098', receiver.url);
  const flags = ['--config', put('aorta.yaml', example), '--admin', 'http:127.0.0.1:0'];
  aorta = await Aorta.start({ shards: 2, transports: ['udp', 'tcp'], flags });
  await meet();
});

afterAll(async () => {
  proxy?.close();
  await Promise.all([apns.close(), fcm.close(), receiver.close()]);
  await killAll();
  removeDirectories();
});

async function meet(): Promise<void> {
  lookups = /^lookups (\S+)\/v1/m.exec(aorta.stdout)?.[1] ?? '';
  proxy = await SipClient.open(aorta);
}

const APPLE = 'pn-provider=apns;pn-param=DEF123GHIJ.com.example.app.voip;pn-prid=';
const GOOGLE = 'pn-provider=fcm;pn-param=example-app;pn-prid=';
const WEB = 'pn-provider=webpush;pn-prid=';

/** An application on a phone. */
class App {
  readonly aor = `app${newToken()}@example.com`;
  readonly prid = `${newToken()}00fc13adff78512`;
  private readonly push: string;
  private connection: StreamClient | undefined;
  private cseq = 0;

  constructor(push: string) {
    this.push = push;
  }

  get contact(): string {
    return `<sip:app@127.0.0.1:${this.connection?.localPort};transport=tcp;${this.push}${this.prid}>`;
  }

  /** Starts, or wakes: connects and registers. Gives the Feature-Caps of the 200. */
  async register(expires = 600): Promise<string | undefined> {
    this.connection = await StreamClient.tcp(aorta);
    const fields = { aor: this.aor, contacts: [this.contact], expires, cseq: ++this.cseq, callId: this.prid };
    const answer = await this.connection.request(this.connection.register(fields));
    expect(answer.status).toBe(200);
    return header(answer.text, 'Feature-Caps');
  }

  /** The system suspends it; the server has noticed when this resolves. */
  async suspend(): Promise<void> {
    this.connection?.socket.destroy();
    await poll('the end of the connection', 5000, async () => (await this.uris('?wake=false')).length === 0);
  }

  async uris(query = ''): Promise<string[]> {
    const response = await fetch(`${lookups}/v1/aors/${this.aor}/contacts${query}`);
    const body = (await response.json()) as { contacts: { uri: string }[] };
    return body.contacts.map(({ uri }) => uri);
  }

  /** What a proxy gets that looks the user up by SIP: all statuses, and the contacts of the last answer. */
  async call(): Promise<{ statuses: number[]; contacts: string[] }> {
    const invite = proxy.other('INVITE', `sip:${this.aor}`);
    const statuses: number[] = [];
    proxy.send(invite);
    for (;;) {
      const answer = await proxy.nextFor(invite);
      statuses.push(answer.status);
      if (answer.status < 200) continue;
      proxy.send(
        invite
          .replace(/^INVITE/, 'ACK')
          .replace(/^(CSeq: 1) INVITE/m, '$1 ACK')
          .replace(/^To:.*$/m, `To: ${header(answer.text, 'To')}`),
      );
      return { statuses, contacts: contacts(answer).map((row) => row.replace(/;expires=\d+$/, '')) };
    }
  }

  /** Registers once a push has come. */
  async wakesBy({ taken }: { readonly taken: readonly { body: object; path: string }[] }): Promise<void> {
    const isMine = (one: { body: object; path: string }) =>
      `${one.path} ${JSON.stringify(one.body)}`.includes(this.prid);
    await poll('the push', 5000, () => taken.some(isMine));
    await this.register();
  }
}

async function asleep(push: string): Promise<App> {
  const app = new App(push);
  await app.register();
  await app.suspend();
  return app;
}

async function metric(sample: string): Promise<number> {
  const admin = /admin (http:\S+)/.exec(aorta.stdout)?.[1];
  const text = await (await fetch(`${admin}/metrics`)).text();
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${sample} `))
      ?.split(' ')[1] ?? Number.NaN,
  );
}

describe('a lookup of a user whose device sleeps', () => {
  it('R8599-5.6.1.1-02 R8599-5.3-01 by SIP wakes an application of Apple’s and names its new contact', async () => {
    const app = new App(APPLE);
    expect(await app.register()).toBe('*;+sip.pns="apns"');
    expect((await app.call()).statuses).toEqual([302]);
    await app.suspend();
    const [call] = await Promise.all([app.call(), app.wakesBy(apns)]);
    expect(call).toEqual({ statuses: [100, 302], contacts: [app.contact] });
    const { path, headers, body } = apns.taken[0];
    expect([path, body]).toEqual([`/3/device/${app.prid}`, { aps: {}, reason: 'call' }]);
    expect(headers).toMatchObject({
      'apns-topic': 'com.example.app.voip',
      'apns-push-type': 'voip',
      'apns-priority': '10',
    });
    expect(Number(headers['apns-expiration']) - Date.now() / 1000).toBeLessThan(WAIT_MS / 1000 + 1);
    expect([apns.wrong, apns.requests]).toEqual([[], 1]);
  });

  it('by HTTP wakes one of Google’s, whose token of access is asked for once and anew where it does not count', async () => {
    const [first, second, third] = await Promise.all([asleep(GOOGLE), asleep(GOOGLE), asleep(GOOGLE)]);
    const [one, two] = await Promise.all([first.uris(), second.uris(), first.wakesBy(fcm), second.wakesBy(fcm)]);
    expect([one.length, two.length, fcm.tokens, fcm.wrong]).toEqual([1, 1, 1, []]);
    const { path, body } = fcm.taken.find((push) => JSON.stringify(push.body).includes(first.prid)) ?? fcm.taken[0];
    expect([path, body]).toEqual([
      '/v1/projects/example-app/messages:send',
      {
        message: {
          token: first.prid,
          android: { priority: 'HIGH', ttl: expect.stringMatching(SECONDS_LEFT) },
          data: { reason: 'call' },
        },
      },
    ]);
    fcm.valid = 'another';
    const [found] = await Promise.all([third.uris(), third.wakesBy(fcm)]);
    expect([found.length, fcm.tokens]).toEqual([1, 2]);
  });

  it('wakes one of another service by a signed webhook, once for however many ask', async () => {
    const app = await asleep(WEB);
    const before = receiver.requests;
    const [call, other, found] = await Promise.all([app.call(), app.call(), app.uris(), app.wakesBy(receiver)]);
    expect([call.statuses, other.statuses, found.length]).toEqual([[100, 302], [100, 302], 1]);
    expect([receiver.requests - before, receiver.wrong]).toEqual([1, []]);
    const { body } = receiver.taken[receiver.taken.length - 1];
    expect(body).toEqual({
      ...{ type: 'push', reason: 'call', provider: 'webpush', param: '', prid: app.prid },
      until: expect.any(Number),
    });
  });

  it('tries again where the service is busy, also over a new connection', async () => {
    const app = await asleep(APPLE);
    apns.answers.push({ status: 503, body: { reason: 'ServiceUnavailable' } });
    apns.hangUp();
    const before = apns.requests;
    const [call] = await Promise.all([app.call(), app.wakesBy(apns)]);
    expect([call.statuses, apns.requests - before, apns.connections]).toEqual([[100, 302], 2, 2]);
  });

  it('is answered 480 when the device does not come in time, and at once where its service does not know it any more', async () => {
    const app = await asleep(WEB);
    expect((await app.call()).statuses).toEqual([100, 480]);
    const gone = await asleep(APPLE);
    apns.answers.push({ status: 410, body: { reason: 'Unregistered', timestamp: 1 } });
    const before = Date.now();
    expect((await gone.call()).statuses).toEqual([100, 480]);
    expect(Date.now() - before).toBeLessThan(WAIT_MS);
    const requests = apns.requests;
    expect([(await gone.call()).statuses.at(-1), await gone.uris()]).toEqual([480, []]);
    expect(apns.requests, 'it is let be').toBe(requests);
    await gone.register();
    expect((await gone.call()).contacts).toEqual([gone.contact]);
  });

  it('names whom it reaches already, and whom it has woken', async () => {
    const app = await asleep(GOOGLE);
    const desk = '<sip:desk@127.0.0.1:5099>';
    expect((await proxy.request(proxy.register({ aor: app.aor, contacts: [desk] }))).status).toBe(200);
    const [call] = await Promise.all([app.call(), app.wakesBy(fcm)]);
    expect(call.contacts.sort()).toEqual([app.contact, desk].sort());
  });

  it('is foreseen by `aorta ul dump --asleep` and the admin API, which name those who sleep and no others', async () => {
    const sleeper = await asleep(APPLE);
    const other = new App(GOOGLE);
    await other.register();
    const dump = async (...words: string[]) => {
      const { stdout } = await run(
        process.execPath,
        [CLI, 'ul', 'dump', ...words, '--json', '--data', aorta.data],
        20_000,
      );
      return stdout.split('\n').filter((line) => line.includes(sleeper.aor) || line.includes(other.aor));
    };
    const found = await dump('--asleep');
    expect(found.map((line) => JSON.parse(line))).toMatchObject([
      { aor: sleeper.aor, contacts: [{ push: { provider: 'apns', prid: sleeper.prid } }] },
    ]);
    expect((await dump()).map((line) => JSON.parse(line).aor)).toContain(other.aor);
    const admin = /admin (http:\S+)/.exec(aorta.stdout)?.[1];
    const page = await (await fetch(`${admin}/v1/aors?asleep=true&match=${sleeper.aor}`)).json();
    expect(page).toMatchObject({ items: [{ aor: sleeper.aor }] });
    await sleeper.register();
    expect(await dump('--asleep')).toEqual([]);
  });

  it('wakes it also where it was registered before the server was killed', async () => {
    const app = await asleep(GOOGLE);
    const awake = new App(WEB);
    await awake.register();
    proxy.close();
    await aorta.kill9();
    aorta = await aorta.restart();
    await meet();
    const calls = await Promise.all([app.call(), awake.call(), app.wakesBy(fcm), awake.wakesBy(receiver)]);
    expect([calls[0].statuses, calls[1].statuses]).toEqual([
      [100, 302],
      [100, 302],
    ]);
  });

  it('is counted, and nothing secret is logged', async () => {
    expect(await metric('aorta_pushes_total{service="webhook",outcome="sent"}')).toBe(1);
    expect(await metric('aorta_pushes_total{service="fcm",outcome="sent"}')).toBe(1);
    expect(await metric('aorta_push_devices_total{result="woken"}')).toBe(2);
    expect(await metric('aorta_push_lookups_total')).toBe(2);
    expect(await metric('aorta_push_waiting')).toBe(0);
    expect(aorta.stderr).not.toMatch(/PRIVATE KEY|token-\d|00fc13adff78512/);
    expect(aorta.stderr).not.toContain(receiver.secret);
  });
});
