// The samples of `perf record -g` on a running server, by the steps of a request: the kernel's by system call, the server's by the module of the
// function that ran. V8 makes one function of several: a call that was inlined counts for its caller.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { core } from '../../src/sip/parser/core.ts';

const KERNEL: readonly (readonly [RegExp, string])[] = [
  [/_sys_recv/, 'kernel: datagrams are received'],
  [/_sys_send/, 'kernel: answers are sent, up to the receiver'],
  [/_sys_(p?write|f(data)?sync)/, 'kernel: the log is written'],
  [/page_fault/, 'kernel: pages are given'],
];
const OTHER_KERNEL = 'kernel: waits, interrupts and the rest';

const PARSE = 'parse';
const TRANSACTIONS = 'transactions: found, begun, forgotten';
const WRITER = 'keys, comparison and answer (WebAssembly)';
const ROWS = "the AOR's row: found, changed";
const COMMIT = 'commit: frame and records';
const AUTHENTICATION = 'authentication';
const DECIDE = 'decide: rules, bindings, answers in order';
const SOCKETS = 'sockets, rings and the loop';
const RUNTIME = 'V8, Node and the C library';

/** The first that matches a module's path. */
const MODULES: readonly (readonly [RegExp, string])[] = [
  [/\/src\/sip\/siphash\.ts/, AUTHENTICATION],
  [/\/src\/sip\//, PARSE],
  [/\/src\/core\/uas\/(transactions|request-keys)\.ts/, TRANSACTIONS],
  [/\/src\/core\/wasm\//, WRITER],
  [/\/src\/location\/table\//, ROWS],
  [/\/src\/location\//, COMMIT],
  [/\/src\/(core\/auth|users|threads\/users)\//, AUTHENTICATION],
  [/\/src\/(core|shard)\//, DECIDE],
  [/\/src\//, SOCKETS],
];

/** In the order in which they are shown. */
export const STEPS: readonly string[] = [
  ...[...KERNEL.map(([, step]) => step), OTHER_KERNEL],
  ...[PARSE, AUTHENTICATION, TRANSACTIONS, ROWS, WRITER, DECIDE, COMMIT, SOCKETS, RUNTIME],
];

/** The number of an exported function in its WebAssembly module, which is its name in a profile. */
const numberOf = (exported: object) => Number((exported as { readonly name: string }).name);
/** The parser's module has more functions than the writer's; the code of one lies apart from that of the other. */
const OF_PARSER = numberOf(core.parse);
/** That module also has the hashes, with which nonces and responses are checked. */
const HASHES = [core.md5, core.hashStart, core.hashWords, core.hashFinish, core.copyBytes].map(numberOf);
/** The top bits of an address, which a module's code has in common. */
const REGION = 2 ** 28;

interface Frame {
  readonly address: number;
  readonly symbol: string;
}

/** Seconds of CLOCK_MONOTONIC. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * The share of each step in the samples of each span of a file of `perf record`.
 * @param bundle the module that the server's threads run, with its map beside it
 */
export function sharesOf(file: string, spans: readonly Span[], bundle: string): ReadonlyMap<string, number>[] {
  const { stdout } = spawnSync('perf', ['script', '-i', file, '-F', 'time,ip,sym'], {
    encoding: 'latin1',
    maxBuffer: 2 ** 30,
  });
  const samples = stdout.split('\n\n').flatMap(sampleOf);
  const parser = new Set(
    samples.flatMap(({ frames: [{ address, symbol }] }) => (numberIn(symbol) === OF_PARSER ? [regionOf(address)] : [])),
  );
  const modules = new Modules(bundle);
  return spans.map(({ from, to }) => {
    const within = samples.filter(({ time }) => time >= from && time <= to);
    const shares = new Map<string, number>();
    for (const { frames } of within) {
      const step = kernelStep(frames) ?? wasmStep(frames[0], parser) ?? modules.stepOf(frames[0].symbol);
      shares.set(step, (shares.get(step) ?? 0) + 1 / within.length);
    }
    return shares;
  });
}

interface Sample {
  readonly time: number;
  readonly frames: readonly Frame[];
}

function sampleOf(text: string): Sample[] {
  const time = /^\s*([0-9.]+):/m.exec(text)?.[1];
  const frames = [...text.matchAll(/^\s+([0-9a-f]+) (.+)$/gm)].map(([, address, symbol]) => ({
    address: Number.parseInt(address, 16),
    symbol,
  }));
  return time === undefined || frames.length === 0 ? [] : [{ time: Number(time), frames }];
}

function kernelStep(frames: readonly Frame[]): string | undefined {
  if (frames[0].address < 2 ** 63) return undefined;
  return KERNEL.find(([call]) => frames.some(({ symbol }) => call.test(symbol)))?.[1] ?? OTHER_KERNEL;
}

function wasmStep({ address, symbol }: Frame, parser: ReadonlySet<number>): string | undefined {
  const number = numberIn(symbol);
  if (number < 0) return undefined;
  if (!parser.has(regionOf(address))) return WRITER;
  return HASHES.includes(number) ? AUTHENTICATION : PARSE;
}

/** Of a WebAssembly function; -1 for another one. */
function numberIn(symbol: string): number {
  return Number(/wasm-function\[(\d+)\]/.exec(symbol)?.[1] ?? -1);
}

function regionOf(address: number): number {
  return Math.floor(address / REGION);
}

/** Which module a function of the bundle is from. */
class Modules {
  private readonly map: SourceMap;

  constructor(bundle: string) {
    this.map = new SourceMap(JSON.parse(readFileSync(`${bundle}.map`, 'utf8')) as SourceMapPayload);
  }

  stepOf(symbol: string): string {
    const [, line, column] = /file:.*:(\d+):(\d+)$/.exec(symbol) ?? [];
    if (line === undefined) return RUNTIME;
    const entry = this.map.findEntry(Number(line) - 1, Number(column) - 1);
    const source = 'originalSource' in entry ? entry.originalSource : '';
    return MODULES.find(([path]) => path.test(source))?.[1] ?? RUNTIME;
  }
}
