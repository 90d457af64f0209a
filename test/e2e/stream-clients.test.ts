// Real clients over connections: baresip, linphone and sipp register over TCP and TLS, Kamailio passes registrations on over
// TCP and TLS. What happened is read from outside, by fetches over UDP.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { startPhone } from '../support/baresip-phone.ts';
import { type Certificate, selfSigned } from '../support/certificate.ts';
import { Child, killAll, poll, run } from '../support/child-process.ts';
import { freePort } from '../support/free-ports.ts';
import { startLinphone } from '../support/linphone-phone.ts';
import { configFile } from '../support/login-client.ts';
import { patience } from '../support/patience.ts';
import { peerMissing } from '../support/peers.ts';
import { SipClient } from '../support/sip-client.ts';

type Transport = 'tcp' | 'tls';

let aorta: Aorta;
let client: SipClient;
let certificate: Certificate;
const port: Record<Transport, number> = { tcp: 0, tls: 0 };

beforeAll(async () => {
  certificate = selfSigned();
  port.tls = await freePort();
  const { certFile, keyFile } = certificate;
  const tls = ['--listen', `tls:127.0.0.1:${port.tls}`, '--tls-cert', certFile, '--tls-key', keyFile];
  // linphone names the port it listens on when it registers, and its connection's own when it leaves.
  const config = configFile('policy: { connection-bindings: flow }');
  aorta = await Aorta.start({ transports: ['udp', 'tcp'], flags: [...tls, '--config', config, '--min-expires', '2'] });
  port.tcp = aorta.port;
  client = await SipClient.open(aorta);
});

afterAll(async () => {
  client?.close();
  await killAll();
  removeDirectories();
});

const bound = async (aor: string) => [...(await client.fetch(aor)).keys()];

describe.each(['tcp', 'tls'] as const)('over %s', (transport) => {
  it.skipIf(peerMissing('baresip'))('R3261-18-01: baresip registers, and is gone when its connection is', async () => {
    const aor = `bob-${transport}@example.com`;
    const phone = startPhone({ aor, transport, proxy: `sip:127.0.0.1:${port[transport]};transport=${transport}` });
    const [contact] = await poll('the binding', 10_000, async () => {
      const found = await bound(aor);
      return found.length === 1 ? found : undefined;
    });
    expect(contact).toContain(`transport=${transport}`);
    phone.killTree();
    await poll('the binding to go', 2000, async () => (await bound(aor)).length === 0);
  });

  it.skipIf(peerMissing('linphonec'))('R3261-18-01: linphone registers, and leaves nothing behind', async () => {
    const aor = `carol-${transport}@example.com`;
    const { child: phone } = await startLinphone({ aor, transport, registrar: port[transport] });
    await poll('the binding', 10_000, async () => (await bound(aor)).length === 1);
    phone.write('quit\n');
    await poll('nothing', 5000, async () => (await bound(aor)).length === 0);
  });

  it.skipIf(peerMissing('sipp') || (transport === 'tls' && peerMissing('stunnel')))(
    'R3261-18.2.2-01: sipp, 500 registrations over one connection, 50 at a time',
    async () => {
      const scenario = join(import.meta.dirname, '../../docs/sipp', 'register.xml');
      const to = transport === 'tls' ? await stunnel() : port.tcp;
      const sipp = await run(
        'sipp',
        [
          `127.0.0.1:${to}`,
          ...['-sf', scenario, '-s', `many-${transport}`, '-m', '500', '-r', '1000', '-l', '50', '-i', '127.0.0.1'],
          ...['-t', 't1'],
          ...['-p', String(await freePort()), '-nostdin', '-timeout', '20', '-timeout_error'],
        ],
        25_000,
        { env: { TERM: 'dumb' } },
      );
      expect(sipp.exit.code, sipp.output()).toBe(0);
    },
  );

  it.skipIf(peerMissing('kamailio'))(
    'R5626-6-02: Kamailio passes on registrations; they outlive its connection',
    async () => {
      const aor = `dave-${transport}@example.com`;
      const edge = await kamailio(transport);
      const phone = await SipClient.open({ address: '127.0.0.1', port: edge.port });
      await poll('a registration through it', 15_000, async () => {
        const request = phone.register({ aor, contacts: [`<sip:dave@127.0.0.1:${phone.port}>`] });
        return (await phone.request(request, 1000 * patience()).catch(() => undefined))?.status === 200;
      });
      expect(await bound(aor)).toHaveLength(1);
      edge.child.killTree();
      await edge.child.end(5000);
      await poll('a connection less', 5000, async () => (await bound(aor)).length === 1);
      expect(await bound(aor)).toEqual([`sip:dave@127.0.0.1:${phone.port}`]);
      phone.close();
    },
  );
});

/** A proxy that takes requests over UDP and sends them on over the transport. */
async function kamailio(transport: Transport): Promise<{ child: Child; port: number }> {
  const directory = temporaryDirectory();
  const own = await freePort();
  const file = join(directory, 'kamailio.cfg');
  const to = `sip:127.0.0.1:${port[transport]};transport=${transport}`;
  const tls = ['enable_tls=yes', `listen=tls:127.0.0.1:${await freePort()}`, 'loadmodule "tls.so"'];
  const { certFile, keyFile } = certificate;
  const parameters = {
    verify_certificate: 0,
    tls_method: '"TLSv1.2+"',
    certificate: `"${certFile}"`,
    private_key: `"${keyFile}"`,
  };
  const verify = Object.entries(parameters).map(([name, value]) => `modparam("tls", "${name}", ${value})`);
  const text = [
    ...['#!KAMAILIO', 'debug=0', 'log_stderror=yes', 'children=1', 'disable_tcp=no', 'dns=no', 'rev_dns=no'],
    ...[`listen=udp:127.0.0.1:${own}`, `listen=tcp:127.0.0.1:${own}`],
    ...(transport === 'tls' ? tls : []),
    ...['tm.so', 'sl.so', 'pv.so'].map((module) => `loadmodule "${module}"`),
    ...(transport === 'tls' ? verify : []),
    `request_route { $du = "${to}"; t_relay(); }`,
  ];
  writeFileSync(file, `${text.join('\n')}\n`);
  // biome-ignore format: a command line
  const child = new Child('kamailio', ['-DD', '-E', '-f', file, '-w', directory, '-Y', directory, '-m', '64', '-M', '8']);
  return { child, port: own };
}

/** Plain bytes in, TLS out: sipp may have been built without it. */
async function stunnel(): Promise<number> {
  const own = await freePort();
  const file = join(temporaryDirectory(), 'stunnel.conf');
  const service = ['[sip]', 'client=yes', `accept=127.0.0.1:${own}`, `connect=127.0.0.1:${port.tls}`];
  writeFileSync(file, `${['foreground=yes', 'pid=', ...service].join('\n')}\n`);
  await new Child('stunnel', [file]).until(/Configuration successful/, 5000);
  return own;
}
