// A data directory in one file, format-N.json, with what was registered in it. The version that writes a format makes its file, for the tests of
// the versions after it.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { LogStore } from '../../src/location/log/log-store.ts';
import { openLogStore } from '../../src/location/open-log-store.ts';
import { SHARED_FORMAT } from '../../src/location/shared/about-location.ts';
import { ChangedKeysReader, createChangedKeys } from '../../src/location/shared/changed-keys.ts';
import { SharedLocationWriter } from '../../src/location/shared/shared-location-writer.ts';
import { openDataDirectory } from '../../src/server/data/data-directory.ts';
import { DATA_FORMAT } from '../../src/server/data/directory-meta.ts';
import { TRANSPORT_TCP } from '../../src/sip/sources.ts';
import { temporaryDirectory } from '../support/aorta-process.ts';
import { writeCheckpoint } from '../support/checkpoint-file.ts';
import { type StoredBinding, storedBindings } from '../support/stored-bindings.ts';
import { type RegisterOptions, register, type Source, VIRTUAL_SECRET, VirtualShard } from '../support/virtual-shard.ts';

interface FormatFile {
  /** By path in the directory: gzip, base64. */
  readonly files: Readonly<Record<string, string>>;
  readonly bindings: Readonly<Record<string, readonly StoredBinding[]>>;
}

/** Of the last request: nothing has run out. */
export const WRITTEN_AT = Date.UTC(2026, 0, 1) + 200_000;

/** Files of the process, not of its data. */
const OF_A_RUN = /(^|\/)(lock|reserve|lock\.mdb)$/;

/** The file of a format. Today's is made where it is missing, as a snapshot is, but not by CI: it belongs to the change that raises the format. */
export function formatFile(format: number): FormatFile {
  const path = join(import.meta.dirname, `format-${format}.json`);
  if (format === DATA_FORMAT && !existsSync(path) && process.env.CI !== 'true')
    writeFileSync(path, `${JSON.stringify(makeFormatFile(), null, 2)}\n`);
  return JSON.parse(readFileSync(path, 'utf8')) as FormatFile;
}

/** Unpacks the directory. */
export function unpack({ files }: FormatFile, data: string): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(data, path)), { recursive: true });
    writeFileSync(join(data, path), gunzipSync(Buffer.from(text, 'base64')));
  }
}

function makeFormatFile(): FormatFile {
  const data = join(temporaryDirectory(), 'data');
  const bindings = writeData(data);
  const paths = readdirSync(data, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(data.length + 1))
    .filter((path) => !OF_A_RUN.test(path));
  const files = paths
    .sort()
    .map((path) => [path, gzipSync(readFileSync(join(data, path))).toString('base64')] as const);
  return { files: Object.fromEntries(files), bindings: Object.fromEntries(bindings) };
}

/** Writes a directory with a log, a checkpoint in the middle of it and a read model; returns its bindings. */
export function writeData(data: string): Map<string, StoredBinding[]> {
  const opened = openDataDirectory(data, { shards: 1, secret: VIRTUAL_SECRET });
  const directory = join(data, 'shard-0');
  const store = openLogStore(directory, 'process');
  const shard = new VirtualShard({ store, now: WRITTEN_AT - 200_000 });
  const send = (user: string, options: RegisterOptions, source?: Source): void => {
    const aor = `<sip:${user}@example.com>`;
    const message = register({ to: aor, from: `${aor};tag=1`, callId: `call-${user}`, ...options });
    if (shard.send(message, source)?.status !== 200) throw new Error(`${user} was refused`);
  };
  const contactOf = (user: string) => [`<sip:${user}@192.0.2.9:5060>;q=0.5;expires=3600`];
  for (const user of ['alice', 'bob', 'dave']) send(user, { contacts: contactOf(user) });
  const path = ['Supported: path', 'Path: <sip:edge.example.com;lr>'];
  send('bob', { callId: 'second', contacts: ['<sip:bob@192.0.2.10>;expires=3600'], extra: path });
  const instance = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000000000001>"';
  const flow = `<sip:carol@192.0.2.9:5060;transport=tcp;ob>;reg-id=1;${instance};expires=3600`;
  const via = 'SIP/2.0/TCP 192.0.2.9:5060;branch=z9hG4bKcarol';
  send('carol', { contacts: [flow], via, extra: ['Supported: path, outbound'] }, { transport: TRANSPORT_TCP, flow: 7 });
  shard.advance(100);
  send('alice', { cseq: 2, contacts: contactOf('alice') });
  writeCheckpoint(store, directory);
  shard.advance(100);
  send('alice', { cseq: 3, contacts: contactOf('alice') });
  send('dave', { cseq: 2, contacts: ['*'], expires: 0 });
  send('erin', { contacts: contactOf('erin') });
  writeReadModel(store, data);
  const bindings = storedBindings(store);
  store.close();
  opened.close();
  return bindings;
}

function writeReadModel(store: LogStore, data: string): void {
  const secret = Buffer.from(VIRTUAL_SECRET).toString('base64');
  const rules = { gruu: 'on', gruuGeneration: 0, domains: ['example.com'] } as const;
  const writer = new SharedLocationWriter(data, 1, { format: SHARED_FORMAT, secret, ...rules });
  writer.opened(0, {
    reader: {
      read: () => -1,
      scan: (_after, _max, visit) => {
        store.scan(visit);
        return undefined;
      },
      close: () => {},
    },
    changes: new ChangedKeysReader(createChangedKeys(16)),
  });
  while (writer.step(0));
  writer.close();
}
