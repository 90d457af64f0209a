// The parts alone, without a server: parser, decisions, commits, refusals.

import type { Question } from '../question.ts';
import { grouped } from '../results.ts';
import type { Settings } from '../settings.ts';
import { benchCommits } from './commits.ts';
import { benchDecisions } from './decisions.ts';
import { benchHostile } from './hostile.ts';
import { benchParser } from './parser.ts';
import { benchPings } from './pings.ts';
import { benchRefusals } from './refusals.ts';
import { benchWatch } from './watch.ts';

/** Milliseconds for each row. */
function ms(settings: Settings, usual: number): number {
  return settings.number('seconds', usual / 1000, usual / 20_000) * 1000;
}

export const PART_QUESTIONS: readonly Question[] = [
  {
    name: 'parser',
    asks: 'nanoseconds for a message, parsed whole and indexed only',
    against: 'no',
    async run(settings) {
      const data = await benchParser(ms(settings, 3000));
      const rows = data.map((row) => [
        row.messages,
        row.work,
        String(row.count),
        String(row.meanBytes),
        grouped(row.bestNs),
        grouped(row.medianNs),
      ]);
      return [{ head: ['parser', 'work', 'messages', 'mean bytes', 'best ns', 'median ns'], rows, data }];
    },
  },
  {
    name: 'hostile',
    asks: 'messages of 64 KB made to cost more than they should',
    against: 'no',
    async run(settings) {
      const data = benchHostile(ms(settings, 40));
      const rows = data.map((row) => [
        row.message,
        row.us.toFixed(1),
        row.nsPerByte.toFixed(2),
        row.exponent.toFixed(2),
      ]);
      return [{ head: ['64 KB of', 'us', 'ns/byte', 'exponent'], rows, data }];
    },
  },
  {
    name: 'decisions',
    asks: 'requests that one shard decides, in virtual time, with the store in memory',
    against: 'no',
    async run(settings) {
      const data = await benchDecisions(ms(settings, 5000));
      const rows = data.map(({ request, bestPerSecond, perSecond }) => [
        request,
        grouped(bestPerSecond),
        grouped(perSecond),
        (1e6 / perSecond).toFixed(2),
      ]);
      return [{ head: ['decisions', 'per s, best batch', 'per s, median batch', 'us each'], rows, data }];
    },
  },
  {
    name: 'commits',
    asks: 'commits to the store by size of the batch',
    against: 'no',
    async run(settings) {
      const data = benchCommits(ms(settings, 2000), settings.base, settings.number('aors', 100_000, 2000));
      const rows = data.map((row) => [
        row.durability,
        String(row.batch),
        grouped(row.commitsPerSecond),
        grouped(row.recordsPerSecond),
        row.cpuUs.toFixed(1),
      ]);
      return [
        { head: ['commits of 500-byte records', 'batch', 'commits/s', 'records/s', 'CPU us/record'], rows, data },
      ];
    },
  },
  {
    name: 'pings',
    asks: 'the share of a core that pinging all contacts takes a shard, in virtual time and without sockets',
    against: 'no',
    async run(settings) {
      const row = benchPings(settings.number('aors', 1_000_000, 2000), settings.fresh());
      const cells = [
        grouped(row.contacts),
        `${row.intervalS} s`,
        grouped(row.sent),
        grouped(row.answered),
        row.cpuUs.toFixed(2),
        `${row.sharePercent.toFixed(1)}%`,
      ];
      const head = ['contacts', 'each pinged every', 'pings', 'answered', 'CPU us/ping', 'share of a core'];
      const note = 'What the kernel takes to send and receive comes on top.';
      return [{ head, rows: [cells], note, data: [row] }];
    },
  },
  {
    name: 'watch',
    asks: 'a subscriber to each AOR of a shard: memory, CPU of a change and a NOTIFY, and a restart, in virtual time and without sockets',
    against: 'no',
    async run(settings) {
      const row = benchWatch(settings.number('aors', 1_000_000, 2000), settings.fresh());
      const cells = [
        grouped(row.subscriptions),
        grouped(row.memoryBytes),
        grouped(row.diskBytes),
        row.subscribeUs.toFixed(1),
        row.unwatchedUs.toFixed(1),
        row.watchedUs.toFixed(1),
        row.notifyUs.toFixed(1),
        row.readS.toFixed(1),
        grouped(row.toldS),
      ];
      const head = [
        ...['subscriptions', 'bytes of memory each', 'on disk each', 'CPU us: SUBSCRIBE and NOTIFY'],
        ...[
          'refresh, unwatched',
          'refresh and NOTIFY',
          'NOTIFY alone',
          's to read after a restart',
          's until all are told',
        ],
      ];
      const note =
        'Each NOTIFY is answered 200, which is in its figure. What the kernel takes to send and receive comes on top.';
      return [{ head, rows: [cells], note, data: [row] }];
    },
  },
  {
    name: 'refusals',
    asks: 'an unknown user against a wrong password: the decision alone',
    against: 'no',
    async run(settings) {
      const data = await benchRefusals(settings.number('rounds', 60, 3), settings.base);
      const rows = data.map((row) => [
        row.algorithm,
        row.wrongUs.toFixed(2),
        row.unknownUs.toFixed(2),
        row.ratio.toFixed(3),
      ]);
      return [{ head: ['CPU us', 'wrong password', 'unknown user', 'unknown / wrong'], rows, data }];
    },
  },
];
