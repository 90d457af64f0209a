// Every message of RFC 4475 and RFC 5118 to a running Aorta over a real UDP socket: each has the outcome its index states.
// The messages leave as they are. Their Vias name hosts of the examples, so the answers come to the source address at the
// port of the top Via: the client binds that port on a loopback address of its own.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories } from '../support/aorta-process.ts';
import { killAll, pause } from '../support/child-process.ts';
import {
  type Answer,
  bindings,
  contacts,
  header,
  headers,
  newToken,
  SipClient,
  splitList,
} from '../support/sip-client.ts';

interface Entry {
  readonly file: string;
  readonly title: string;
  readonly message: string;
  readonly parse: 'accept' | 'reject' | 'either';
  readonly responseCodes: readonly number[];
  readonly action: 'process' | 'register' | 'respond' | 'discard' | 'process-response';
}

const VECTORS = join(import.meta.dirname, '../vectors');
// One address per process, so that two runs at a time do not take each other's port 5060.
const OWN_ADDRESS =
  process.platform === 'linux' ? `127.1.${(process.pid >> 8) & 255}.${(process.pid & 127) + 1}` : '127.0.0.1';
const QUIET_MS = 250;

function entries(set: string): Entry[] {
  return JSON.parse(readFileSync(join(VECTORS, set, 'index.json'), 'utf8')).messages;
}

/** Ports the answer may come to: the top Via's, or the defaults of its transport. */
function answerPorts(message: string): number[] {
  const via = splitList(header(message, 'Via', 'v') ?? '')[0] ?? '';
  const sentBy = /^SIP\s*\/\s*[\d.]+\s*\/\s*\w+\s+(\[[^\]]*\]|[^\s;:,]+)\s*(?::\s*(\d+))?/i.exec(via);
  return sentBy?.[2] ? [Number(sentBy[2])] : [5060, 5061];
}

/**
 * Which of several servers a message goes to: some messages share branch, sent-by and method, and where one server saw both,
 * the second would rightly be taken for a retransmission of the first.
 */
function serverOf(set: string, file: string): number {
  const key = (entry: Entry): string => {
    const text = readFileSync(join(VECTORS, set, entry.file), 'latin1');
    return `${entry.message} ${splitList(header(text, 'Via', 'v') ?? '')[0]}`;
  };
  const all = entries(set);
  const at = all.findIndex((entry) => entry.file === file);
  return all.slice(0, at).filter((entry) => key(entry) === key(all[at])).length;
}

type Deliver = (file: string) => Promise<Answer | undefined>;
type Behaviours = (deliver: Deliver, stillServes: () => Promise<void>, aorta: () => Aorta) => void;

function outcomes(set: string, domains: readonly string[], behaviours: Behaviours): void {
  const servers: Aorta[] = [];
  let aorta: Aorta;

  beforeAll(async () => {
    const count = 1 + Math.max(...entries(set).map((entry) => serverOf(set, entry.file)));
    const start = () => Aorta.start({ domains, shards: 1, flags: ['--lookup-sip', 'off'] });
    servers.push(...(await Promise.all(Array.from({ length: count }, start))));
    aorta = servers[0];
  });

  afterAll(async () => {
    await killAll();
    removeDirectories();
  });

  /** Sends the bytes of a file and gives the first answer, if one comes. */
  async function deliver(file: string): Promise<Answer | undefined> {
    const bytes = readFileSync(join(VECTORS, set, file));
    aorta = servers[serverOf(set, file)];
    const clients: SipClient[] = [];
    for (const port of answerPorts(bytes.toString('latin1')))
      clients.push(await SipClient.open(aorta, OWN_ADDRESS, port));
    try {
      const answers = clients.map((client) => client.nextFor(bytes.toString('latin1'), 1000).catch(() => undefined));
      clients[0].send(bytes);
      const quiet = isSilent(file) ? pause(QUIET_MS) : new Promise<undefined>(() => {});
      const arrived = answers.map((answer) => answer.then((one) => one ?? new Promise<undefined>(() => {})));
      return (await Promise.race([...arrived, quiet, Promise.all(answers).then(() => undefined)])) ?? undefined;
    } finally {
      for (const client of clients) client.close();
    }
  }

  function isSilent(file: string): boolean {
    const entry = entries(set).find((one) => one.file === file);
    return entry?.action === 'discard' || entry?.action === 'process-response';
  }

  async function stillServes(): Promise<void> {
    expect(aorta.alive, aorta.stderr).toBe(true);
    const client = await SipClient.open(aorta);
    const answer = await client.request(client.register({ aor: 'bystander@example.com' }));
    client.close();
    expect(answer.status).toBe(200);
  }

  const cases = existsSync(join(VECTORS, set)) ? entries(set) : [];

  it.each(cases.map((entry) => [entry.file, entry.title, entry] as const))('%s: %s', async (file, _, entry) => {
    const answer = await deliver(file);
    const shown = answer?.text ?? 'no answer';
    if (isSilent(file)) {
      expect(answer, shown).toBeUndefined();
    } else {
      expect(answer, shown).toBeDefined();
      const status = answer?.status ?? 0;
      expect(status, `R3261-10.3-01 a final answer and no 6xx\n${shown}`).toBeGreaterThanOrEqual(200);
      expect(status).toBeLessThan(600);
      if (entry.action === 'register') expect(status, shown).toBe(200);
      else if (entry.action === 'respond') expect(allowed(entry), shown).toContain(outcome(entry, status));
      else expect(status, shown).not.toBe(400);
    }
    await stillServes();
  });

  /** Codes that fulfil an entry; 'ordinary' stands for processing it as if it were well formed. */
  function allowed(entry: Entry): (number | 'ordinary')[] {
    return entry.parse === 'either'
      ? [...entry.responseCodes, 'ordinary']
      : [...entry.responseCodes, ...notServed(entry)];
  }

  /** An INVITE at a registrar that has no INVITE service may end at its method before its body or Accept is looked at. */
  function notServed(entry: Entry): number[] {
    return entry.message === 'INVITE' && entry.parse === 'accept' ? [405] : [];
  }

  function outcome(entry: Entry, status: number): number | 'ordinary' {
    if (entry.parse !== 'either' || entry.responseCodes.includes(status)) return status;
    return [200, 404, 405, 480, 501].includes(status) ? 'ordinary' : status;
  }

  behaviours(deliver, stillServes, () => aorta);
}

describe('RFC 4475 (R3261-7.1-01: request lines are held to the grammar)', () => {
  outcomes('rfc4475', ['example.com', 'registrar.example.com'], (deliver, stillServes, aorta) => {
    it('escnull: R3261-10.3-15 a NUL cuts neither the AOR nor a contact', async () => {
      const answer = await deliver('escnull.dat');
      const found = [...bindings(answer as Answer).keys()];
      expect(found.sort()).toEqual(['sip:%00%00@host5.example.com', 'sip:%00@host5.example.com']);
      const client = await SipClient.open(aorta());
      expect((await client.fetch('null-%00-null@example.com')).size).toBe(2);
      expect((await client.fetch('null-@example.com')).size).toBe(0);
      client.close();
    });

    it('cparam01: R3261-10.3-38 a header parameter stays one', async () => {
      const [value] = contacts((await deliver('cparam01.dat')) as Answer).filter((one) => one.includes('unknownparam'));
      expect(value).toMatch(/^<sip:\+19725552222@gw1\.example\.net>.*;unknownparam(;|$)/);
    });

    it('cparam02: R3261-10.3-38 a URI parameter stays one', async () => {
      const answer = (await deliver('cparam02.dat')) as Answer;
      expect(contacts(answer).join()).toContain('<sip:+19725552222@gw1.example.net;unknownparam>');
    });

    it('regescrt: R3261-10.3-38 R3261-19.1.4-11 escaped headers stay in the contact URI', async () => {
      const [value] = contacts((await deliver('regescrt.dat')) as Answer);
      expect(value).toContain('<sip:user@example.com?Route=%3Csip:sip.example.com%3E>');
    });

    it('dblreq: R3261-18.3-01 what follows the body is not looked at', async () => {
      const answer = (await deliver('dblreq.dat')) as Answer;
      expect(answer.status).toBe(200);
      expect([...bindings(answer).keys()]).toEqual(['sip:j.user@host.example.com']);
      expect(header(answer.text, 'CSeq')).toBe('8 REGISTER');
    });

    it('bext01: R3261-8.2.2.3-01 R3261-8.2.2.3-03 Unsupported names the Require tags only', async () => {
      const answer = (await deliver('bext01.dat')) as Answer;
      const named = headers(answer.text, 'Unsupported').flatMap(splitList);
      expect(named.sort()).toEqual(['nothingSupportsThis', 'nothingSupportsThisEither']);
    });

    it('intmeth, esc02: R3261-21.5.2-01 501 to unknown methods, % being no escape there', async () => {
      for (const file of ['intmeth.dat', 'esc02.dat']) {
        const answer = (await deliver(file)) as Answer;
        expect(answer.status).toBe(501);
        expect(header(answer.text, 'Allow')).toMatch(/REGISTER/);
      }
    });

    it('badvers: R3261-21.5.6-01 505, itself as SIP/2.0', async () => {
      const answer = (await deliver('badvers.dat')) as Answer;
      expect(answer.text).toMatch(/^SIP\/2\.0 505 /);
    });

    it('clerr: R3261-18.3-02 and insuf: R3261-21.4.1-01 the 400 says what is wrong', async () => {
      expect(((await deliver('clerr.dat')) as Answer).reason).toMatch(/length/i);
      expect(((await deliver('insuf.dat')) as Answer).reason).toMatch(/call-id|from|to/i);
    });

    it('bcast, bigcode: R6026-8.9-01 responses vanish', async () => {
      expect(await deliver('bcast.dat')).toBeUndefined();
      expect(await deliver('bigcode.dat')).toBeUndefined();
      await stillServes();
    });
  });
});

describe('RFC 5118 (R5118-4-01 R5118-4.10-01)', () => {
  // Their Request-URIs name the registrar's address and their To a domain: one that serves every domain takes both as its own.
  outcomes('rfc5118', ['*'], (deliver) => {
    it('R5118-4-01 R5118-4.5-01 an IPv6 Via is copied, received is the source without brackets', async () => {
      const answer = (await deliver('ipv6-good.dat')) as Answer;
      expect(header(answer.text, 'Via')).toContain(`received=${OWN_ADDRESS}`);
      expect(header(answer.text, 'Via')).toMatch(/^SIP\/2\.0\/UDP \[2001:db8::9:1\];/);
      expect(((await deliver('ipv6-bad.dat')) as Answer).status).toBe(400);
    });
  });
});

describe('trash', () => {
  afterAll(async () => {
    await killAll();
    removeDirectories();
  });

  it('R3261-8.2-01 10000 mutated and random datagrams hurt neither the server nor a binding', async () => {
    const aorta = await Aorta.start();
    const client = await SipClient.open(aorta);
    const kept = client.register({ contacts: ['<sip:kept@127.0.0.1:1>;expires=3000'] });
    expect((await client.request(kept)).status).toBe(200);

    const random = seeded(20261122);
    const seeds = ['rfc4475', 'rfc5118'].flatMap((set) =>
      existsSync(join(VECTORS, set)) ? entries(set).map(({ file }) => readFileSync(join(VECTORS, set, file))) : [],
    );
    seeds.push(
      Buffer.from(client.register({ aor: `trash@example.com`, callId: newToken(), contacts: ['<sip:t@127.0.0.1:2>'] })),
    );
    for (let n = 0; n < 10_000; n++) {
      client.send(mutate(seeds[random() % seeds.length], random));
      if (n % 100 === 99) await new Promise(setImmediate);
      if (n % 1000 === 999) expect((await client.fetch('other@example.com')).size).toBe(0);
    }
    expect([...(await client.fetch()).keys()]).toEqual(['sip:kept@127.0.0.1:1']);
    client.close();
    await aorta.stop();
    expect(aorta.stderr).not.toMatch(/Error|unhandled/i);
  });
});

/** A small generator (mulberry32), so that a failure can be run again. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
}

function mutate(seed: Buffer, random: () => number): Buffer {
  const bytes = Buffer.from(seed);
  switch (random() % 5) {
    case 0: // bytes changed
      for (let n = 1 + (random() % 8); n > 0; n--) bytes[random() % bytes.length] = random();
      return bytes;
    case 1: // cut short
      return bytes.subarray(0, random() % bytes.length);
    case 2: {
      // a piece twice
      const from = random() % bytes.length;
      const to = from + (random() % (bytes.length - from));
      return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from, to), bytes.subarray(to)]);
    }
    case 3: {
      // a piece missing
      const from = random() % bytes.length;
      return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + (random() % (bytes.length - from)))]);
    }
    default: // nothing but noise
      return Buffer.from(Array.from({ length: random() % 600 }, () => random() & 255));
  }
}
