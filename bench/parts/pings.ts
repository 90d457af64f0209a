// What pinging costs a shard: all contacts of its store, each once in an interval, and each answers. The driver of `decisions`: no
// sockets and virtual time, but the store of a server.

import { DEFAULT_PING_POLICY } from '../../src/core/pings/ping-policy.ts';
import { createPingResults } from '../../src/core/pings/ping-results.ts';
import { DEFAULT_POLICY } from '../../src/core/uas/policy.ts';
import { openLogStore } from '../../src/location/open-log-store.ts';
import { BATCH, Driver } from './driver.ts';

/** Pings that are due between two batches, where the shard's wheel allows: a batch sends 64 at most. */
const PINGS_A_BATCH = 16;
/** Between two batches. */
const STEP_MS_MAX = 50;
const STATUS_LINE = Buffer.from('SIP/2.0 200 OK');

export interface PingsRow {
  readonly contacts: number;
  readonly intervalS: number;
  readonly sent: number;
  readonly answered: number;
  readonly cpuUs: number;
  readonly sharePercent: number;
}

/** @param contacts one an AOR @param directory empty: for the store */
export function benchPings(contacts: number, directory: string): PingsRow {
  const { intervalS } = DEFAULT_PING_POLICY;
  const stepMs = Math.min(STEP_MS_MAX, (PINGS_A_BATCH * intervalS * 1000) / contacts);
  let answers: Uint8Array[] = [];
  const store = openLogStore(directory, 'process');
  const driver = new Driver(
    store,
    {
      policy: { ...DEFAULT_POLICY, domains: ['bench.example.org'], ping: 'all' },
      pings: {
        results: [createPingResults()],
        sentBy: [{ host: '192.0.2.1', port: 5060 }],
        ...{ udpByMain: false, tcpByMain: false },
      },
    },
    ({ bytes, at, end, count }) => {
      for (let row = 0; row < count; row++) answers.push(answerTo(bytes.subarray(at[row], end[row])));
    },
  );
  for (let aor = 0; aor < contacts; aor += BATCH) driver.batch(aor, 1, contacts);
  driver.check();
  const rounds = (seconds: number) => {
    const before = process.cpuUsage();
    for (let ms = 0; ms < seconds * 1000; ms += stepMs) driver.messages(answers.splice(0, BATCH), stepMs);
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  rounds(intervalS); // each has been pinged once
  answers = answers.slice(0, BATCH);
  const before = [driver.counter('pings_sent'), driver.counter('pings_answered')];
  const cpuUs = rounds(intervalS);
  const sent = driver.counter('pings_sent') - before[0];
  const answered = driver.counter('pings_answered') - before[1];
  store.close();
  if (sent < 0.9 * contacts) throw new Error(`${sent} pings for ${contacts} contacts`);
  return { contacts, intervalS, sent, answered, cpuUs: cpuUs / sent, sharePercent: cpuUs / (intervalS * 10_000) };
}

/** As a phone answers that copies the header fields. */
function answerTo(request: Uint8Array): Uint8Array {
  return Buffer.concat([STATUS_LINE, request.subarray(request.indexOf(0x0d))]);
}
