// Kamailio as the cookbook sets it up: docs/proxies.md's own configuration, with this machine's addresses put in.

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, temporaryDirectory } from './aorta-process.ts';
import { Child, poll } from './child-process.ts';
import { SipClient } from './sip-client.ts';

const COOKBOOK = readFileSync(join(import.meta.dirname, '../../docs/proxies.md'), 'utf8');

/** The code block of the cookbook that contains `mark`. */
export function cookbookBlock(mark: string): string {
  const blocks = [...COOKBOOK.matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].map(([, block]) => block);
  const found = blocks.filter((block) => block.includes(mark));
  if (found.length !== 1) throw new Error(`docs/proxies.md has ${found.length} blocks with ${JSON.stringify(mark)}`);
  return found[0];
}

export interface EdgeOptions {
  /** Aorta's SIP port. */
  readonly sip: number;
  /** Its port for lookups by HTTP; asked for where it is named. */
  readonly http?: number;
  /** The edge challenges REGISTERs itself. */
  readonly auth?: boolean;
}

export class Edge {
  readonly child: Child;
  /** UDP and TCP. */
  readonly port: number;
  readonly tlsPort: number;
  readonly wssPort: number;

  private constructor(child: Child, port: number, tlsPort: number, wssPort: number) {
    this.child = child;
    this.port = port;
    this.tlsPort = tlsPort;
    this.wssPort = wssPort;
  }

  /** Starts one and waits until it answers. */
  static async start({ sip, http, auth }: EdgeOptions): Promise<Edge> {
    const directory = temporaryDirectory();
    const [port, tlsPort, wssPort] = [await freePort(), await freePort(), await freePort()];
    makeCertificate(directory);
    const file = join(directory, 'kamailio.cfg');
    const values: Record<string, string> = {
      EDGE_IP: '127.0.0.1',
      EDGE_PORT: String(port),
      EDGE_TLS_PORT: String(tlsPort),
      EDGE_WSS_PORT: String(wssPort),
      AORTA_SIP: `127.0.0.1:${sip}`,
      AORTA_HTTP: `127.0.0.1:${http ?? 1}`,
    };
    let text = cookbookBlock('#!KAMAILIO').replaceAll('/etc/kamailio/tls/', `${directory}/`);
    for (const [name, value] of Object.entries(values))
      text = text.replace(new RegExp(`(#!substdef "!${name}!)[^!]*`), `$1${value}`);
    if (http !== undefined) text = text.replace('##!define WITH_HTTP_LOOKUP', '#!define WITH_HTTP_LOOKUP');
    if (auth) text = text.replace('##!define WITH_EDGE_AUTH', '#!define WITH_EDGE_AUTH');
    writeFileSync(file, text);
    const child = new Child('kamailio', [
      '-DD',
      '-E',
      '-f',
      file,
      '-w',
      directory,
      '-Y',
      directory,
      '-m',
      '64',
      '-M',
      '8',
    ]);
    const client = await SipClient.open({ address: '127.0.0.1', port });
    await poll('an edge that answers', 15_000, async () => {
      if (child.exit !== undefined) throw new Error(`kamailio ended:\n${child.output()}`);
      const options = client.other('OPTIONS', `sip:127.0.0.1:${port}`);
      return (await client.request(options, 300).catch(() => undefined))?.status === 200;
    });
    client.close();
    return new Edge(child, port, tlsPort, wssPort);
  }
}

function makeCertificate(directory: string): void {
  const files = ['-keyout', join(directory, 'edge.key'), '-out', join(directory, 'edge.pem')];
  const made = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'],
    ...files,
  ]);
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`);
}
