// A soak: a server under churn for as long as one likes. By cycle: what an operation costs, the rate that a closed loop reaches,
// memory and files. AORs come and go in blocks, as the generator gives an AOR the same Call-ID only where its run begins alike.

import { failures, type Generator, type Phase } from '../load/generator.ts';
import { AortaServer, diskBytes, type ServerOptions } from './aorta-server.ts';

const BLOCKS = 20;
/** Two halves of halves are compared. */
const CYCLES_MIN = 4;

export interface Cycle {
  /** CPU of the server per operation. */
  readonly cpuUs: number;
  /** Refreshes per second, as many as the server takes. */
  readonly perSecond: number;
  readonly anonymousBytes: number;
  readonly diskBytes: number;
}

export interface SoakOptions {
  readonly server: ServerOptions;
  readonly generator: Generator;
  readonly bindings: number;
  readonly minutes: number;
  /** Operations per second, but for the refreshes of one block, which come as fast as they are answered. */
  readonly rate: number;
  readonly tell: (text: string) => void;
}

/** 60% refreshes, 20% new AORs, 20% removals: one new block, three refreshed ones, the oldest removed; and again. */
export async function measureSoak(options: SoakOptions): Promise<Cycle[]> {
  const { bindings, minutes, tell } = options;
  const server = new AortaServer(options.server);
  await server.ready;
  const soak = new Soak(options, server, Math.floor(bindings / BLOCKS));
  const cycles: Cycle[] = [];
  try {
    for (let block = 0; block < BLOCKS; block++) await soak.register(block, []);
    const end = Date.now() + minutes * 60_000;
    for (let oldest = 0; Date.now() < end || cycles.length < CYCLES_MIN; oldest++) {
      const cycle = await soak.turn(oldest);
      cycles.push(cycle);
      tell(
        `cycle ${cycles.length}, ${Math.ceil((end - Date.now()) / 60_000)} min to go: ${cycle.cpuUs.toFixed(1)} us per operation, ` +
          `${Math.round(cycle.perSecond)} refreshes/s, ${mebibytes(cycle.anonymousBytes)} of memory, ` +
          `${mebibytes(cycle.diskBytes)} on disk`,
      );
    }
    return cycles;
  } finally {
    await server.stop();
  }
}

class Soak {
  private readonly options: SoakOptions;
  private readonly server: AortaServer;
  private readonly blockSize: number;
  private runs = 0;
  private operations = 0;
  private cpuUs = 0;

  constructor(options: SoakOptions, server: AortaServer, blockSize: number) {
    this.options = options;
    this.server = server;
    this.blockSize = blockSize;
  }

  /** The blocks `oldest` to `oldest + BLOCKS - 1` live before, the next ones after. */
  async turn(oldest: number): Promise<Cycle> {
    const paced = ['--rate', this.options.rate];
    this.operations = 0;
    this.cpuUs = 0;
    await this.register(oldest + BLOCKS, paced);
    const fast = await this.refresh(oldest + 1, []);
    await this.refresh(oldest + 1 + Math.floor(BLOCKS / 3), paced);
    await this.refresh(oldest + 1 + Math.floor((2 * BLOCKS) / 3), paced);
    await this.run(oldest, ['--register-once', '--expires', 0, ...paced]);
    return {
      cpuUs: this.cpuUs / this.operations,
      perSecond: fast.ok_per_s,
      anonymousBytes: this.server.anonymousBytes,
      diskBytes: diskBytes(this.options.server.data),
    };
  }

  register(block: number, flags: readonly (string | number)[]): Promise<Phase> {
    return this.run(block, ['--register-once', ...flags]);
  }

  refresh(block: number, flags: readonly (string | number)[]): Promise<Phase> {
    return this.run(block, ['--count', this.blockSize, '--warmup', 0, ...flags]);
  }

  private async run(block: number, flags: readonly (string | number)[]): Promise<Phase> {
    const { blockSize, server } = this;
    // Branches are made of the AOR's place in its run and the CSeq: no two runs may share both.
    const all = [...flags, '--cseq-base', 1 + ++this.runs * 1000];
    const phases = await this.options.generator.run(blockSize, all, server.pid, 1 + block * blockSize);
    const phase = phases.at(-1);
    if (phase === undefined || failures(phase) > 0) throw new Error(`requests failed: ${JSON.stringify(phase)}`);
    this.operations += phase.ok;
    this.cpuUs += phase.ok * (phase.server_us_per_ok ?? 0);
    return phase;
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
