import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadBinary } from '../../../src/transport/websocket/uwebsockets.ts';
import { UWS_BINARIES } from '../../../src/transport/websocket/uws-binaries.ts';

const require = createRequire(import.meta.url);
const NODE = Number(process.versions.node.split('.', 1)[0]);

/** The binary that is installed here, if one is: npm leaves out those of other machines and versions of Node. */
const installed = UWS_BINARIES.filter(({ node }) => node === NODE).flatMap((binary) => {
  try {
    return [{ binary, file: require.resolve(`${binary.name}/uws.node`) }];
  } catch {
    return [];
  }
})[0];
if (installed === undefined) console.warn('skipped: the hash of a binary of uWebSockets.js: none is for this machine');

describe('the binary of uWebSockets.js', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'aorta-uws-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.skipIf(installed === undefined)('is not loaded where a byte of it has changed', () => {
    const file = join(folder, 'uws.node');
    copyFileSync(installed.file, file);
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1] ^= 1;
    writeFileSync(file, bytes);
    expect(() => loadBinary(installed.binary, file)).toThrow(/is not the binary that Aorta was tested with/);
  });

  it.skipIf(installed === undefined)('has the hash that is pinned for it', () => {
    // A C library that is too old refuses a sound binary, with another message.
    let message = '';
    try {
      loadBinary(installed.binary);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(existsSync(installed.file)).toBe(true);
    expect(message).not.toMatch(/is not the binary/);
  });
});
