// Edge proxies as the cookbook sets them up, Kamailio and OpenSIPS: docs/proxies.md's own configuration, with this machine's
// addresses put in.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from './aorta-process.ts';
import { Child, poll, which } from './child-process.ts';
import { freePort } from './free-ports.ts';
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
  readonly address: string;
  /** UDP and TCP. */
  readonly port: number;
  readonly tlsPort: number;
  /** On 127.0.0.1. */
  readonly wssPort: number;

  private constructor(child: Child, address: string, [port, tlsPort, wssPort]: readonly number[]) {
    this.child = child;
    this.address = address;
    this.port = port;
    this.tlsPort = tlsPort;
    this.wssPort = wssPort;
  }

  /** Starts Kamailio and waits until it answers. */
  static async start({ sip, http, auth }: EdgeOptions): Promise<Edge> {
    const directory = temporaryDirectory();
    const ports = [await freePort(), await freePort(), await freePort()];
    makeCertificate(directory);
    const values: Record<string, string> = {
      EDGE_IP: '127.0.0.1',
      EDGE_PORT: String(ports[0]),
      EDGE_TLS_PORT: String(ports[1]),
      EDGE_WSS_PORT: String(ports[2]),
      AORTA_SIP: `127.0.0.1:${sip}`,
      AORTA_HTTP: `127.0.0.1:${http ?? 1}`,
    };
    let text = cookbookBlock('#!KAMAILIO').replaceAll('/etc/kamailio/tls/', `${directory}/`);
    for (const [name, value] of Object.entries(values))
      text = text.replace(new RegExp(`(#!substdef "!${name}!)[^!]*`), `$1${value}`);
    if (http !== undefined) text = text.replace('##!define WITH_HTTP_LOOKUP', '#!define WITH_HTTP_LOOKUP');
    if (auth) text = text.replace('##!define WITH_EDGE_AUTH', '#!define WITH_EDGE_AUTH');
    const file = join(directory, 'kamailio.cfg');
    writeFileSync(file, text);
    const places = ['-w', directory, '-Y', directory];
    const child = new Child('kamailio', ['-DD', '-E', '-f', file, ...places, '-m', '64', '-M', '8']);
    return new Edge(await answering(child, '127.0.0.1', ports[0]), '127.0.0.1', ports);
  }

  /** Starts OpenSIPS, on an address that no phone has, and waits until it answers. */
  static async startOpensips({ sip }: EdgeOptions): Promise<Edge> {
    const directory = temporaryDirectory();
    const address = '127.0.0.10';
    const ports = [await freePort(address), await freePort(address), await freePort()];
    makeCertificate(directory);
    const text = cookbookBlock('# OpenSIPS as edge proxy')
      .replaceAll('/etc/opensips/tls/', `${directory}/`)
      .replace(/mpath=".*"/, `mpath="${opensipsModules()}/"`)
      .replace('wss:192.0.2.10:443', `wss:127.0.0.1:${ports[2]}`)
      .replace('tls:192.0.2.10:5061', `tls:192.0.2.10:${ports[1]}`)
      .replaceAll('192.0.2.10:5060', `192.0.2.10:${ports[0]}`)
      .replaceAll('192.0.2.20:5060', `127.0.0.1:${sip}`)
      .replaceAll('192.0.2.10', address);
    const file = join(directory, 'opensips.cfg');
    writeFileSync(file, text);
    const child = new Child('opensips', ['-F', '-f', file, '-w', directory, '-m', '64', '-M', '8']);
    return new Edge(await answering(child, address, ports[0]), address, ports);
  }
}

function opensipsModules(): string {
  const prefix = join(which('opensips') ?? '', '../..');
  const places = ['lib64', 'lib', 'lib/x86_64-linux-gnu'].map((name) => join(prefix, name, 'opensips/modules'));
  const found = places.find((place) => existsSync(place));
  if (found === undefined) throw new Error(`the modules of OpenSIPS are in none of ${places}`);
  return found;
}

async function answering(child: Child, address: string, port: number): Promise<Child> {
  const client = await SipClient.open({ address, port });
  await poll('an edge that answers', 15_000, async () => {
    if (child.exit !== undefined) throw new Error(`the edge ended:\n${child.output()}`);
    const options = client.other('OPTIONS', `sip:${address}:${port}`);
    return (await client.request(options, 300).catch(() => undefined))?.status === 200;
  });
  client.close();
  return child;
}

function makeCertificate(directory: string): void {
  const files = ['-keyout', join(directory, 'edge.key'), '-out', join(directory, 'edge.pem')];
  const made = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'],
    ...files,
  ]);
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`);
}
