// A cluster under a load that remembers every 200, and what becomes of it while something fails.

import { pause, poll } from '../support/child-process.ts';
import { Cluster } from '../support/cluster.ts';
import { keeps, Load } from '../support/load.ts';
import { NatsServers, type NatsSuite } from '../support/nats-servers.ts';
import { CutNetwork, CutRoutes } from './cut-proxy.ts';
import type { Fault } from './faults.ts';
import { ToldChanges } from './told-changes.ts';

const AORS = 300;
const NODES = 3;
/** Until a node is ready: on a machine that does much else, too. */
const READY_MS = 60_000;

export interface FaultReport {
  readonly fault: string;
  readonly acknowledged: number;
  /** The longest time without any 200 while it went on. */
  readonly pauseMs: number;
  /** The longest that a request waited for its 200, repetitions and all. */
  readonly slowestMs: number;
  /** Final answers other than 200, by status line. */
  readonly refused: Readonly<Record<string, number>>;
}

export class FaultRun {
  readonly cluster: Cluster;
  /** Between nodes and NATS servers, and between those. */
  readonly network: CutNetwork;
  readonly routes: CutRoutes;
  private readonly nats: NatsServers;
  private readonly told: ToldChanges;

  private constructor(cluster: Cluster, network: CutNetwork, routes: CutRoutes, nats: NatsServers, told: ToldChanges) {
    this.told = told;
    this.cluster = cluster;
    this.network = network;
    this.routes = routes;
    this.nats = nats;
  }

  static async start({ shards = 3, suite }: { shards?: number; suite?: NatsSuite } = {}): Promise<FaultRun> {
    const routes = new CutRoutes();
    const route = routes.route.bind(routes);
    const nats = await NatsServers.start({ route, ...(suite && { suite }) });
    const network = await CutNetwork.open(NODES, nats.ports);
    const told = await ToldChanges.open();
    const { configuration: other } = told;
    const urls = (node: number) => network.urls(node);
    const cluster = await Cluster.start({ nodes: NODES, shards, nats, other, urls, readyMs: READY_MS });
    return new FaultRun(cluster, network, routes, nats, told);
  }

  async close(): Promise<void> {
    await this.cluster.close();
    this.network.close();
    await this.nats.close();
    this.routes.close();
    this.told.close();
  }

  /** Does one under load. Throws where a 200 does not hold, an answer is wrong or the pause is too long. */
  async under(fault: Fault, settleMs = 40_000): Promise<FaultReport> {
    const { cluster } = this;
    const load = new Load({
      port: cluster.ports[0],
      ports: cluster.ports,
      aors: AORS,
      window: 32,
      rounds: Number.MAX_SAFE_INTEGER,
      interval: (round, index) => 900 + ((index * 13 + round * 1000) % 3000),
    });
    await load.open();
    const ended = load.start();
    try {
      await poll('the first requests answered', 20_000, () => load.acknowledged >= AORS);
      const before = load.acknowledged;
      load.measure();
      const pauses = new Pauses(load);
      await fault.run(this);
      await cluster.settled(settleMs);
      await poll('requests answered after it', settleMs, () => load.acknowledged > before + AORS);
      await pause(500);
      const pauseMs = pauses.end();
      load.endSoon();
      await poll('answers to all requests', 40_000, () =>
        load.lines.every(({ outstanding }) => outstanding === undefined),
      );
      load.stop();
      await ended;
      const refused = countsOf(load.refused.map((text) => text.split('\r\n')[0]));
      const wrong = Object.keys(refused).filter((line) => !(fault.mayRefuse && /^SIP\/2\.0 50[34] /.test(line)));
      if (wrong.length > 0)
        throw new Error(`${fault.name}: answers ${JSON.stringify(refused)}, as ${load.refused.at(-1)}`);
      await this.everywhere(load);
      const [node] = this.cluster.alive();
      await this.told.demandAll(() => this.cluster.dumped(node));
      if (pauseMs > fault.pauseMsMax)
        throw new Error(`${fault.name}: no 200 for ${pauseMs} ms, at most ${fault.pauseMsMax}`);
      return { fault: fault.name, acknowledged: load.acknowledged, pauseMs, slowestMs: load.slowestMs, refused };
    } finally {
      load.close();
    }
  }

  /** Every live node has in its own memory what each AOR's last 200 said. */
  private async everywhere(load: Load): Promise<void> {
    for (const node of this.cluster.alive()) {
      let wrong: string[] = [];
      await poll(`all bindings on node ${node}`, 10_000, async () => {
        const askedAt = Date.now();
        const dump = await this.cluster.dump(node);
        wrong = load.lines
          .filter(({ aor, promised, also }) => {
            return ![promised, ...also].some((one) => keeps(one, dump.get(aor), askedAt, Date.now()));
          })
          .map(({ aor, promised }) => `${aor} promised ${JSON.stringify(promised)} has ${dump.get(aor)}`);
        return wrong.length === 0 || undefined;
      }).catch((error: unknown) => {
        throw new Error(`${String(error)}: ${wrong.length} wrong, as ${wrong.slice(0, 3).join('; ')}`);
      });
    }
  }
}

/** The longest time without a 200. */
class Pauses {
  private longest = 0;
  private last = Date.now();
  private seen: number;
  private readonly timer: NodeJS.Timeout;

  constructor(load: Load) {
    this.seen = load.acknowledged;
    this.timer = setInterval(() => {
      const now = Date.now();
      if (load.acknowledged === this.seen) return;
      this.longest = Math.max(this.longest, now - this.last);
      this.last = now;
      this.seen = load.acknowledged;
    }, 20).unref();
  }

  end(): number {
    clearInterval(this.timer);
    return this.longest;
  }
}

function countsOf(lines: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of lines) counts[line] = (counts[line] ?? 0) + 1;
  return counts;
}
