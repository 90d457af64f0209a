// Alarms at 80% of what cannot be exceeded: in the log once, as a metric, on /readyz when it is reached.

import { statfsSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { CertificateWatch } from '../../src/server/process/certificate-watch.ts';
import { type LimitSource, LimitWatch } from '../../src/server/process/limit-watch.ts';
import { DEFAULT_STREAM_POLICY } from '../../src/transport/flow/stream-policy.ts';
import { samplesOf, startAdmin } from '../support/admin-server.ts';
import { removeDirectories } from '../support/aorta-process.ts';
import { selfSigned } from '../support/certificate.ts';
import { poll } from '../support/child-process.ts';
import { StreamClient } from '../support/stream-client.ts';

afterAll(removeDirectories);

describe('limits', () => {
  it('of connections: an alarm in the log and the metrics, and 503 on /readyz once they are used up', async () => {
    const admin = await startAdmin({
      listen: [{ transport: 'tcp', host: '127.0.0.1', port: 0 }],
      streams: { ...DEFAULT_STREAM_POLICY, connectionsMax: 10 },
    });
    const [{ host, port }] = admin.server.listen;
    const open = () => StreamClient.tcp({ address: host, port });
    const clients = await Promise.all(Array.from({ length: 8 }, open));
    const said = () => admin.log.filter(({ event }) => event === 'limit nearly reached');
    await poll('the alarm', 15_000, () => said().length > 0);
    expect(said()[0]).toMatchObject({ level: 'warn', fields: { limit: 'connections', used: 8, max: 10, percent: 80 } });
    const scrape = samplesOf(await (await fetch(`${admin.url}/metrics`)).text());
    expect(scrape.get('aorta_limit_used_ratio{limit="connections"}')).toBe(0.8);
    const { blocks, bavail } = statfsSync(admin.config.data);
    expect(scrape.get('aorta_limit_used_ratio{limit="disk"}')).toBeCloseTo(1 - bavail / blocks, 1);
    const ready = async () => (await fetch(`${admin.url}/readyz`)).status;
    expect(await ready()).toBe(200);

    clients.push(await open(), await open());
    await poll('not ready', 15_000, async () => (await ready()) === 503);
    for (const client of clients) client.close();
    await poll('ready again', 15_000, async () => (await ready()) === 200);
    expect(said()).toHaveLength(1);
    await poll('the end of the alarm', 15_000, () => admin.log.some(({ event }) => event === 'limit no longer near'));
    await admin.stop();
  });

  it('that this machine does not tell raise none', () => {
    const log: string[] = [];
    const source: LimitSource = () => ({
      memory: [81, 100],
      disk: undefined,
      connections: [0, 0],
      file_descriptors: [79, 100],
    });
    const watch = new LimitWatch(source, (_level, event, fields) => log.push(`${event} ${fields?.limit}`));
    expect(watch.usage.map(({ limit }) => limit)).toEqual(['memory', 'file_descriptors']);
    expect(log).toEqual(['limit nearly reached memory']);
    expect(watch.reached).toEqual([]);
    watch.close();
  });
});

describe('certificates that run out', () => {
  it('have a line when they end within a week, and not before', async () => {
    const files = [selfSigned('soon.example.com', 3), selfSigned('later.example.com')];
    const [tls, other] = files;
    const admin = await startAdmin({
      listen: [{ transport: 'tls', host: '127.0.0.1', port: 0 }],
      tls: { ...tls, domains: { 'later.example.com': other }, trustedDomains: [] },
    });
    expect(admin.log.filter(({ event }) => event.startsWith('certificate'))).toEqual([
      {
        level: 'warn',
        event: 'certificate ends soon',
        fields: expect.objectContaining({ file: tls.certFile, subject: 'CN=soon.example.com' }),
      },
    ]);
    await admin.stop();
  });

  it('have another one when they have ended', () => {
    const said: unknown[] = [];
    const tls = { ...selfSigned('old.example.com', 3), trustedDomains: [] };
    const log = (level: string, event: string) => said.push([level, event]);
    const later = () => Date.now() + 4 * 86_400_000;
    new CertificateWatch(() => ({ tls }), log, later).close();
    expect(said).toEqual([['error', 'certificate has ended']]);
  });
});
