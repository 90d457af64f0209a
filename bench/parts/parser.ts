// Nanoseconds that the parser takes per message, in place in the slab: all of it, and its first steps alone.

import { Bench } from 'tinybench';
import { TYPICAL_MESSAGES, variedMessages } from '../../src/commands/bench/sample-messages.ts';
import { E_OK } from '../../src/sip/parser/parse-error.ts';
import { indexOnly, parse } from '../../src/sip/parser/parser.ts';
import { fastest, median } from '../results.ts';
import { loadMessages } from './messages.ts';

export interface ParserRow {
  readonly messages: string;
  readonly work: string;
  readonly count: number;
  readonly meanBytes: number;
  /** Per message: the best iteration, and the median one. */
  readonly bestNs: number;
  readonly medianNs: number;
}

/** @param ms time for each of the sets */
export async function benchParser(ms: number): Promise<ParserRow[]> {
  const rows: ParserRow[] = [];
  for (const [name, texts] of [
    ['typical', TYPICAL_MESSAGES],
    ['varied', variedMessages(1024)],
  ] as const) {
    const { at, end, meanBytes } = loadMessages(texts);
    const count = texts.length;
    for (let i = 0; i < count; i++) {
      const error = parse(at[i], end[i]);
      if (error !== E_OK)
        throw new Error(`message ${i} of the ${name} set does not parse (code ${error}):\n${texts[i]}`);
    }
    const rounds = Math.ceil(1024 / count);
    const bench = new Bench({ time: ms, warmupTime: ms / 4 });
    bench.add('parse', () => {
      for (let round = 0; round < rounds; round++) for (let i = 0; i < count; i++) parse(at[i], end[i]);
    });
    bench.add('index only', () => {
      for (let round = 0; round < rounds; round++) for (let i = 0; i < count; i++) indexOnly(at[i], end[i]);
    });
    const perMessage = 1e6 / (rounds * count);
    for (const task of await bench.run()) {
      rows.push({
        messages: name,
        work: task.name,
        count,
        meanBytes,
        bestNs: fastest(task) * perMessage,
        medianNs: median(task) * perMessage,
      });
    }
  }
  return rows;
}
