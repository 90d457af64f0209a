// `aorta top` as it stands on a terminal of 80 by 24, and what its keys do; tables and bars that know the width of characters.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { painter } from '../../src/commands/terminal/colours.ts';
import { sparkline } from '../../src/commands/terminal/sparkline.ts';
import { textTable } from '../../src/commands/terminal/text-table.ts';
import { cut, toWidth, widthOf } from '../../src/commands/terminal/text-width.ts';
import { FIRST_STATE, stateAfter } from '../../src/commands/top/live-top.ts';
import type { Figures } from '../../src/commands/top/top-figures.ts';
import { drawTop, type TopPage, type TopState } from '../../src/commands/top/top-view.ts';
import { progressBar } from '../../src/server/process/progress.ts';
import { type AdminFixture, startAdmin } from '../support/admin-server.ts';
import { removeDirectories } from '../support/aorta-process.ts';
import { TerminalRun } from '../support/terminal-run.ts';

const plain = painter(false);
const sender = (name: string, perSecond: number) => ({ name, perSecond, refusedPerSecond: perSecond / 10 });

const figures: Figures = {
  bindings: 62_576,
  aors: 20_001,
  perSecond: { ok: 301.4, refused: 4, put_off_new: 0 },
  latencyMs: { p50: 2.5, p95: 10, p99: 25 },
  shards: Array.from({ length: 16 }, (_, shard) => ({
    shard,
    bindings: 1000 + shard,
    perSecond: 90 - shard,
    busyPercent: 30,
    diskPercent: 20,
    ringBytes: 0,
  })),
  refusals: { wrong_response: 3, interval_too_brief: 1 },
  topSenders: {
    sources: [sender('127.1.2.5', 5), sender('2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff', 90), sender('127.1.6.4', 40)],
    aors: [sender('電話番号電話番号電話番号電話番号電話番号@example.com', 7), sender('a\u0301lice@example.com', 2)],
  },
};
const page: TopPage = {
  url: 'http://127.0.0.1:8060',
  status: { ready: true, problems: [], uptimeSeconds: 7380, connections: { tcp: 3, tls: 4 }, limits: [] },
  figures,
  past: { accepted: [1, 2, 300], refused: [0, 0, 4], disk: [0, 0.2, 0.1], p99: [null, 10, 25] },
  clock: '12:34:56',
};
const screen = (state: TopState, columns = 80, rows = 24) => drawTop(page, state, columns, rows, plain);
const keys = (...names: string[]) =>
  names.reduce<TopState>((state, name) => stateAfter(state, name) ?? expect.unreachable(), FIRST_STATE);

describe('aorta top', () => {
  it.each([
    [80, 24],
    [40, 10],
    [200, 60],
    [120, 12],
  ])('fits %d by %d, whatever it shows', (columns, rows) => {
    for (const state of [FIRST_STATE, keys('1'), keys('3'), keys('4'), keys('?'), keys('/', 'x', 'y')]) {
      const lines = screen(state, columns, rows);
      expect(lines).toHaveLength(rows);
      for (const line of lines) expect(widthOf(line), line).toBeLessThanOrEqual(columns);
    }
  });

  it('shows all parts at once', () => {
    const text = screen(FIRST_STATE).join('\n');
    expect(text).toMatch(/^aorta {2}http:\/\/127\.0\.0\.1:8060 {2}ready {2}up 2 h 3 min +12:34:56$/m);
    expect(text).toMatch(/^62,576 contacts {2}20,001 addresses {2}7 connections$/m);
    expect(text).toMatch(/^accepted +301\/s {2} +▁▁█$/m);
    expect(text).toMatch(/^p99 +≤25 ms {2} +▄█$/m);
    for (const part of ['shard*', 'refused because', 'source', 'address of record', 'wrong response', '電話'])
      expect(text).toContain(part);
  });

  it('shows rates of less than one a second', () => {
    const few = { ...figures, perSecond: { ok: 0.24, refused: 0, put_off_new: 0 } };
    const shards = [{ ...figures.shards[0], perSecond: 0.51 }];
    const lines = drawTop({ ...page, figures: { ...few, shards } }, keys('1'), 80, 24, plain).join('\n');
    expect(lines).toMatch(/^accepted +0\.2\/s/m);
    expect(lines).toMatch(/^ +0 +1,000 +0\.5 +10% +20%$/m);
  });

  it('sorts, filters, scrolls and changes its tables by keys', () => {
    const names = (state: TopState) =>
      screen(state)
        .join('\n')
        .match(/127\.1\.\d\.\d|2001:db8/g);
    expect(names(keys('3'))).toEqual(['2001:db8', '127.1.6.4', '127.1.2.5']);
    expect(names(keys('3', 's', 's'))).toEqual(['127.1.2.5', '127.1.6.4', '2001:db8']);
    expect(names(keys('3', '/', '.', '6', 'enter'))).toEqual(['127.1.6.4']);
    expect(names(keys('3', '/', '.', '6', 'backspace', 'enter', 'down'))).toEqual(['127.1.2.5']);
    expect(names(keys('3', '/', '.', '6', 'escape'))).toHaveLength(3);
    expect(keys('tab', 'tab', 'back tab')).toEqual(keys('1'));
    expect(screen(keys('?')).join('\n')).toContain('sort by the next column');
    expect(keys('?', 'x').help).toBe(false);
    expect(stateAfter(FIRST_STATE, 'q')).toBeUndefined();
    expect(stateAfter(keys('/'), 'q')?.filter).toBe('q');
    expect(stateAfter(keys('/'), 'interrupt')).toBeUndefined();
  });

  it('escapes what phones chose', () => {
    const evil = { ...page, figures: { ...figures, topSenders: { sources: [sender('a\u001b[2Jb', 1)], aors: [] } } };
    expect(drawTop(evil, keys('3'), 80, 24, plain).join('')).not.toContain('\u001b');
  });

  it('has colours on a terminal, but not with NO_COLOR', () => {
    expect(painter(true, {})('red', 'x')).toBe('\u001b[31mx\u001b[39m');
    expect(painter(true, { NO_COLOR: '1' })('red', 'x')).toBe('x');
    expect(painter(true, { TERM: 'dumb' })('red', 'x')).toBe('x');
  });
});

describe('aorta top on a real terminal', () => {
  let admin: AdminFixture;
  beforeAll(async () => {
    admin = await startAdmin();
    const phone = await admin.client();
    await phone.request(phone.register({ aor: 'alice@example.com', contacts: ['<sip:alice@127.0.0.1>'] }));
  });
  afterAll(async () => {
    await admin.stop();
    removeDirectories();
  });

  it('takes the alternate screen, hears keys, and leaves the terminal as it was', async () => {
    const run = new TerminalRun(['top', '--data', admin.config.data, '--interval', '0.2'], { columns: 80, rows: 24 });
    await run.until(/1 contacts {2}1 addresses/);
    expect(run.output.startsWith('\u001b[?1049h\u001b[?25l')).toBe(true);
    expect(run.output).toMatch(/\u001b\[\d+m/);
    run.type('?');
    await run.until(/sort by the next column/);
    run.type('xq');
    expect(await run.ended()).toBe(0);
    expect(run.output).toMatch(/\u001b\[\?25h\u001b\[\?1049l\s*$/);
    for (const frame of run.output.split('\u001b[H').slice(1)) expect(frame.split('\r\n').length).toBe(24);
  });

  it('has no colours with NO_COLOR', async () => {
    const run = new TerminalRun(['top', '--data', admin.config.data, '--interval', '0.2'], {
      columns: 80,
      rows: 24,
      environment: { NO_COLOR: '1' },
    });
    await run.until(/1 contacts/);
    run.type('\u0003');
    expect(await run.ended()).toBe(0);
    expect(run.output).not.toMatch(/\u001b\[\d+m/);
  });
});

describe('text on a terminal', () => {
  it('is measured by what it takes there', () => {
    expect([widthOf('abc'), widthOf('電話'), widthOf('a\u0301'), widthOf('👩‍👩‍👧')]).toEqual([3, 4, 1, 2]);
    expect([cut('電話番号', 5), cut('abcdef', 4), cut('abc', 3)]).toEqual(['電話…', 'abc…', 'abc']);
    expect(toWidth('電', 4)).toBe('電  ');
    expect(toWidth('7', 3, true)).toBe('  7');
  });

  it('is a table that fits, its numbers whole', async () => {
    const rows = [
      ['contact', 'n', 'user agent'],
      ['sip:電話@example.com;transport=tcp', '1,234', 'Linphone/5.2.5 (belle-sip/5.3.0)'],
      ['sip:bob@example.com', '5', 'x'],
    ];
    const narrow = (await textTable(rows, 40)).split('\n').slice(0, -1);
    for (const line of narrow) expect(widthOf(line)).toBeLessThanOrEqual(40);
    expect(narrow[1]).toContain('1,234');
    expect(narrow[1]).toContain('…');
    expect(await textTable(rows)).toContain('Linphone/5.2.5 (belle-sip/5.3.0)');
  });

  it('is a row of bars', () => {
    expect(sparkline([0, null, 4, 8], 6)).toBe('  ▁ ▅█');
    expect(sparkline([1, 2, 3], 2)).toBe('▆█');
    expect(sparkline([0, 0], 2)).toBe('▁▁');
  });
});

describe('progress', () => {
  const step = { what: 'users', done: 500, total: 2000, counted: undefined, tookMs: 5000 };
  it.each([
    [{ ...step, tookMs: 100 }, 'users [###..........]  25%  500 of 2,000'],
    [step, 'users [#....]  25%  500 of 2,000  100/s  15 s left'],
    [{ ...step, counted: 30 }, 'users [##.....]  25%  30  6/s  15 s left'],
    [{ ...step, total: 0 }, 'users: 500  100/s'],
  ])('has rate and remaining time once it has lasted: %j', (given, text) => {
    expect(progressBar(given, 40)).toBe(text.slice(0, 40));
  });

  it('says minutes and hours', () => {
    expect(progressBar({ ...step, total: 60_000 }, 80)).toContain('10 min left');
    expect(progressBar({ ...step, total: 2_000_000 }, 80)).toContain('5.6 h left');
  });
});
