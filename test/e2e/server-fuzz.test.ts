import { afterAll, describe, expect, it } from 'vitest';
import { serverFuzz } from '../fuzz/server-fuzz.ts';
import { removeDirectories } from '../support/aorta-process.ts';
import { killAll } from '../support/child-process.ts';

describe('mutated messages and odd HTTP requests', () => {
  afterAll(async () => {
    await killAll();
    removeDirectories();
  });

  it('neither end the server nor draw a 500 from it', async () => {
    const { sent, statuses } = await serverFuzz({ messages: 20_000, requests: 1200, seed: 2026 });
    expect(sent.udp + sent.tcp).toBeGreaterThanOrEqual(19_000);
    expect(sent.http).toBeGreaterThanOrEqual(1200);
    // They were read as messages, not thrown away as noise.
    expect(Object.keys(statuses)).toEqual(expect.arrayContaining(['200', '400', '404', 'http 400', 'http 404']));
  });
});
