// Starting with another number of shards moves the bindings; killed in the middle, the next start finds what was there.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories } from '../support/aorta-process.ts';
import { killAll } from '../support/child-process.ts';
import { fetchAll, keeps, Load } from '../support/load.ts';

afterEach(killAll);
afterAll(removeDirectories);

async function compare(load: Load, aorta: Aorta): Promise<void> {
  const seen = await fetchAll(load, aorta);
  const wrong = load.lines.filter((line, index) => {
    const { remaining, askedAt, toldAt } = seen[index];
    return !keeps(line.promised, remaining, askedAt, toldAt);
  });
  expect(wrong.slice(0, 3), `${wrong.length} of ${load.lines.length} AORs are wrong`).toEqual([]);
}

describe('another number of shards', () => {
  it('R3261-10.3-32 keeps every binding, both ways, and leaves nothing behind', async () => {
    const aorta = await Aorta.start({ shards: 1 });
    const interval = (round: number, index: number): number => (round > 0 && index % 5 === 0 ? 0 : 900 + index);
    const load = new Load({ port: aorta.port, aors: 1000, window: 64, rounds: 2, interval });
    await load.open();
    await load.start();
    expect(load.refused).toEqual([]);
    await aorta.kill9();

    const start = { ...aorta.options, port: aorta.port, data: aorta.data };
    const three = await Aorta.start({ ...start, shards: 3 });
    expect(three.stderr).toMatch(/"records":800,.*"event":"bindings moved"/);
    await compare(load, three);
    await three.kill9();
    const same = await Aorta.start({ ...start, shards: 3 });
    expect(same.stderr).not.toContain('moving bindings');
    await compare(load, same);
    await same.stop();

    const back = await Aorta.start({ ...start, shards: 2 });
    await compare(load, back);
    load.close();
    await back.stop();
    const folders = readdirSync(aorta.data).filter((name) => /^(shard|bindings)-/.test(name));
    expect(folders).toEqual(['bindings-2']);
    expect(readdirSync(join(aorta.data, folders[0])).sort()).toEqual(['shard-0', 'shard-1']);
    expect(existsSync(join(aorta.data, 'aorta.json.new'))).toBe(false);
  });
});
