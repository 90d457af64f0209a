// What a refusal costs by its reason: an unknown user against a wrong password, in turn, with users from the real store.
// CPU time of a decision about a request already parsed; the clock must not tell who exists.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_AUTH_POLICY } from '../../src/core/auth/auth-policy.ts';
import { Authenticator } from '../../src/core/auth/authenticator.ts';
import { AUTH_UNKNOWN_USER, AUTH_WRONG_RESPONSE } from '../../src/core/auth/outcome.ts';
import { ShardExchange } from '../../src/core/uas/exchange.ts';
import { E_OK } from '../../src/sip/parser/parse-error.ts';
import { parse } from '../../src/sip/parser/parser.ts';
import { slab } from '../../src/sip/parser/slab.ts';
import { ha1sOf } from '../../src/users/ha1.ts';
import { UserStore } from '../../src/users/user-store.ts';
import { UserTable } from '../../src/users/user-table.ts';

const REALM = 'bench.example.org';
const NOW = Date.UTC(2026, 0, 1);
const BATCH = 2000;
const WARM_UP = 10;

export interface RefusalRow {
  readonly algorithm: string;
  readonly wrongUs: number;
  readonly unknownUs: number;
  /** Median of unknown / wrong, round by round. */
  readonly ratio: number;
}

/** @param directory where the user store is made */
export async function benchRefusals(rounds: number, directory = tmpdir()): Promise<RefusalRow[]> {
  const data = mkdtempSync(join(directory, 'aorta-refusals-'));
  const store = UserStore.open(data);
  store.put([{ name: 'alice', realm: REALM, ha1s: ha1sOf('alice', REALM, 'pw'), aors: [] }], 'add');
  const table = new UserTable({ data, realms: [REALM] });
  try {
    return (['MD5', 'SHA-256'] as const).map((algorithm) => compare(algorithm, table, rounds));
  } finally {
    table.close();
    await store.close();
    rmSync(data, { recursive: true, force: true });
  }
}

function compare(algorithm: 'MD5' | 'SHA-256', users: UserTable, rounds: number): RefusalRow {
  const policy = { ...DEFAULT_AUTH_POLICY, algorithms: [algorithm] };
  const secret = new Uint8Array(32).fill(7);
  const authenticator = new Authenticator({ policy, realms: [REALM], users, secret, nonceStart: 0, life: 1 });
  const cost = (user: string, outcome: number) => costOf(authenticator, request(user, algorithm), outcome);
  const pairs: [number, number][] = [];
  for (let round = 0; round < rounds + WARM_UP; round++) {
    const wrong = cost('alice', AUTH_WRONG_RESPONSE);
    const unknown = cost('alicf', AUTH_UNKNOWN_USER);
    if (round >= WARM_UP) pairs.push([wrong, unknown]);
  }
  return {
    algorithm,
    wrongUs: middle(pairs.map(([wrong]) => wrong)),
    unknownUs: middle(pairs.map(([, unknown]) => unknown)),
    ratio: middle(pairs.map(([wrong, unknown]) => unknown / wrong)),
  };
}

/** CPU microseconds of one decision. */
function costOf(authenticator: Authenticator, message: string, outcome: number): number {
  const exchange = new ShardExchange();
  const key = Uint32Array.of(1, 2, 3, 4);
  const bytes = Buffer.from(message, 'latin1');
  slab.set(bytes, 0);
  if (parse(0, bytes.length) !== E_OK) throw new Error('malformed request');
  exchange.request.peers.family[0] = 4;
  const aor = Buffer.from(`alice@${REALM}`, 'latin1');
  const before = process.cpuUsage();
  for (let i = 0; i < BATCH; i++) {
    exchange.reset();
    exchange.request.now = NOW;
    authenticator.authenticate(exchange, key, aor, aor.length);
    if (authenticator.outcome !== outcome) throw new Error(`outcome ${authenticator.outcome}, not ${outcome}`);
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / BATCH;
}

function request(user: string, algorithm: 'MD5' | 'SHA-256'): string {
  const response = '0123456789abcdef'.repeat(algorithm === 'MD5' ? 2 : 4);
  return [
    `REGISTER sip:${REALM} SIP/2.0`,
    'Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1',
    `From: <sip:alice@${REALM}>;tag=1`,
    `To: <sip:alice@${REALM}>`,
    'Call-ID: call',
    'CSeq: 1 REGISTER',
    `Authorization: Digest username="${user}", realm="${REALM}", nonce="${'A'.repeat(32)}", uri="sip:${REALM}", ` +
      `response="${response}", algorithm=${algorithm}, cnonce="0a4f113b", qop=auth, nc=00000001`,
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}
