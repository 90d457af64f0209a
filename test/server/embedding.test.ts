// The embedding API: a server inside a program, through the package's one public module.

import { afterAll, describe, expect, it } from 'vitest';
import {
  type BindingEvent,
  COUNTER,
  ConfigError,
  DataDirectoryError,
  DEFAULT_CONFIG,
  DEFAULT_POLICY,
  type LostEvents,
  startServer,
} from '../../src/index.ts';
import { freePort, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { SipClient } from '../support/sip-client.ts';

afterAll(removeDirectories);

describe('startServer', () => {
  it('serves until it is stopped, counts, and keeps the bindings for the next one', async () => {
    const config = {
      ...DEFAULT_CONFIG,
      listen: [{ transport: 'udp' as const, host: '127.0.0.1', port: 0 }],
      data: temporaryDirectory(),
      shards: 2,
      policy: { ...DEFAULT_POLICY, domains: ['example.com'] },
    };
    const events: string[] = [];
    const server = await startServer(config, (_level, event) => events.push(event));
    const [{ host, port }] = server.listen;
    expect(host).toBe('127.0.0.1');
    expect(port).toBeGreaterThan(0);
    const told: (BindingEvent | LostEvents)[] = [];
    const enough = new Promise<void>((resolve) => {
      server.subscribe((event) => {
        if (told.push(event) === 2) resolve();
      });
    });
    const client = await SipClient.open({ address: host, port });
    await client.request(client.register({ aor: 'alice@example.com', contacts: ['<sip:alice@127.0.0.1:5070>'] }));
    const bob = client.register({ aor: 'bob@example.com', contacts: ['<sip:bob@127.0.0.1:5071>'] });
    await client.request(bob);
    await enough;
    expect(told.map((event) => event.type !== 'lost' && [event.type, event.aor, event.binding.uri]).sort()).toEqual([
      ['registered', 'alice@example.com', 'sip:alice@127.0.0.1:5070'],
      ['registered', 'bob@example.com', 'sip:bob@127.0.0.1:5071'],
    ]);
    client.close();
    const sum = (index: number) => server.counters().reduce((total, shard) => total + shard[index], 0);
    expect([sum(COUNTER.registered), sum(COUNTER.bindings)]).toEqual([2, 2]);
    await server.stop();
    await server.stop();
    expect(events).toContain('shard open');

    const again = await startServer(config);
    const reader = await SipClient.open({ address: host, port: again.listen[0].port });
    expect([...(await reader.fetch('alice@example.com')).keys()]).toEqual(['sip:alice@127.0.0.1:5070']);
    reader.close();
    await again.stop();
  });

  it('refuses what the command refuses', async () => {
    const data = temporaryDirectory();
    const open = { ...DEFAULT_CONFIG, data, listen: [{ transport: 'udp' as const, host: '0.0.0.0', port: 0 }] };
    await expect(startServer(open)).rejects.toThrow(ConfigError);
    const config = {
      ...DEFAULT_CONFIG,
      data,
      listen: [{ transport: 'udp' as const, host: '127.0.0.1', port: await freePort() }],
    };
    const server = await startServer(config);
    await expect(
      startServer({ ...config, listen: [{ transport: 'udp' as const, host: '127.0.0.1', port: 0 }] }),
    ).rejects.toThrow(DataDirectoryError);
    const other = { ...config, data: temporaryDirectory() };
    await expect(startServer(other)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await server.stop();
    // What failed left nothing behind.
    const after = await startServer(other);
    await after.stop();
  });
});
