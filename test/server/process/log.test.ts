// The log as text and as JSON: what a person reads of an event, and that nothing in it is taken for another.

import { describe, expect, it } from 'vitest';
import { createLog, type Log } from '../../../src/server/process/log.ts';
import type { TextStyle } from '../../../src/server/process/log-text.ts';
import { showProgress } from '../../../src/server/process/progress.ts';

const PLAIN = { colors: false, dated: true };

function written(style: TextStyle | undefined, tell: (log: Log) => void): string {
  let text = '';
  tell(createLog('info', (line) => (text += line), style));
  return text;
}

describe('the log as text', () => {
  it('has the time, the level, the event and its fields, and the same as JSON where no style is given', () => {
    const tell = (log: Log) =>
      log('warn', 'source refused', { source: '192.0.2.1', shard: 0, listen: ['udp:[::1]:5060', 'tcp:[::1]:5060'] });
    expect(written(PLAIN, tell)).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z warn {2}source refused source=192\.0\.2\.1 shard=0 listen=udp:\[::1\]:5060,tcp:\[::1\]:5060\n$/,
    );
    expect(JSON.parse(written(undefined, tell))).toMatchObject({ level: 'warn', event: 'source refused', shard: 0 });
  });

  it('quotes what would be taken for more, and lets no field begin a line or colour one', () => {
    const text = written(PLAIN, (log) =>
      log('info', 'refused', {
        agent: 'x\n2026-01-01T00:00:00Z fatal forged',
        reason: 'a b=c',
        bell: '\u001b[31mred',
        none: '',
      }),
    );
    expect(text.split('\n')).toHaveLength(2);
    expect(text).toContain('reason="a b=c"');
    expect(text).toContain('none=""');
    expect(text).not.toContain('\u001b');
  });

  it('shows where an error stands below its event', () => {
    const lines = written(PLAIN, (log) => log('fatal', 'uncaught error', { err: new TypeError('boom') })).split('\n');
    expect(lines[0]).toMatch(/ fatal uncaught error$/);
    expect(lines[1]).toBe('  TypeError: boom');
    expect(lines[2]).toMatch(/^ {4,}at /);
  });

  it('is in colour where it may be, and has the hour alone on a terminal', () => {
    const text = written({ colors: true, dated: false }, (log) => log('error', 'no', { a: 1 }));
    expect(text).toContain('\u001b[31merror');
    const plain = text.replaceAll(/\u001b\[[\d;]*m/g, '');
    expect(plain).toMatch(/^\d\d:\d\d:\d\d error no a=1\n$/);
  });
});

describe('the log as JSON', () => {
  it('says what an error is, where it stands and why, and writes numbers that JSON has not as text', () => {
    const cause = new RangeError('too far');
    const err = Object.assign(new TypeError('boom', { cause }), { code: 'EBOOM' });
    const line = written(undefined, (log) => log('fatal', 'uncaught error', { err, count: 2n ** 64n }));
    expect(line).toMatch(/^\{"level":"fatal","time":"\d{4}-[^"]*Z",.*"event":"uncaught error"\}\n$/);
    const said = JSON.parse(line);
    expect(said.count).toBe('18446744073709551616');
    expect(said.err).toMatchObject({ type: 'TypeError', message: 'boom', code: 'EBOOM' });
    expect(said.err.cause).toMatchObject({ type: 'RangeError', message: 'too far' });
    expect(said.err.stack).toContain('log.test.ts');
  });

  it('has events of its level and above, which may change', () => {
    const text = written(undefined, (log) => {
      for (const level of ['info', 'warn', 'error', 'silent', 'trace'] as const) {
        log.setLevel?.(level);
        log('info', `info at ${level}`);
        log('warn', `warn at ${level}`);
        log('fatal', `fatal at ${level}`);
      }
    });
    const events = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).event);
    expect(events).toEqual([
      ...['info at info', 'warn at info', 'fatal at info', 'warn at warn', 'fatal at warn', 'fatal at error'],
      ...['info at trace', 'warn at trace', 'fatal at trace'],
    ]);
  });
});

describe('a bar of progress', () => {
  it('leaves its row to what is printed, and is there again below it', async () => {
    let screen = '';
    const out = { columns: 40, write: (text: string) => (screen += text) } as unknown as NodeJS.WriteStream;
    const bar = showProgress(out, () => {});
    await expect
      .poll(() => {
        bar.report('reading', 5, 10);
        return screen;
      })
      .toContain('reading [');
    const drawn = screen;
    screen = '';
    bar.around(() => out.write('a line\n'));
    expect(screen).toBe(`\r\u001b[2Ka line\n${drawn}`);
    screen = '';
    bar.end();
    expect(screen).toBe('\r\u001b[2K');
  });
});
