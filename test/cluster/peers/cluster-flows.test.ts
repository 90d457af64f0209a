import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ClusterFlows,
  createClusterFlowsMemory,
  NODE_GONE,
  NODE_SILENT,
  NODE_THERE,
  NODE_UNKNOWN,
} from '../../../src/cluster/peers/cluster-flows.ts';
import { EndedFlows } from '../../../src/cluster/peers/ended-flows.ts';
import { ENDED_MAX, ENDED_PER_FRAME } from '../../../src/cluster/peers/peer-limits.ts';

const OWN = new Set([5]);
const open = () => new ClusterFlows(createClusterFlowsMemory(), 1, { isAlive: (flow) => OWN.has(flow) });

describe('the connections of all nodes', () => {
  it('are those of this node as its transports have them', () => {
    const flows = open();
    expect([flows.isAlive(5, 1), flows.isAlive(6, 1), flows.isAlive(5, 0)]).toEqual([true, false, true]);
    expect(flows.forRemoval.isAlive(6, 1)).toBe(false);
  });

  it('of another node stand while it is there; where it is silent nobody is reached, and nothing is taken out yet', () => {
    const flows = open();
    const states = [NODE_UNKNOWN, NODE_THERE, NODE_SILENT, NODE_GONE].map((state) => {
      flows.setNode(2, state, 100);
      return [flows.isAlive(100, 2), flows.forRemoval.isAlive(100, 2)];
    });
    expect(states).toEqual([
      [false, true],
      [true, true],
      [false, true],
      [false, false],
    ]);
  });

  it('of an earlier life are gone, also where the numbers have gone round', () => {
    const flows = open();
    flows.setNode(2, NODE_THERE, 3);
    expect(flows.isAlive(3, 2)).toBe(true);
    expect(flows.isAlive(2, 2)).toBe(false);
    expect(flows.isAlive(0xffffffff, 2)).toBe(false);
    flows.setNode(2, NODE_THERE, 0xfffffff0);
    expect(flows.isAlive(0xffffffff, 2)).toBe(true);
    expect(flows.isAlive(3, 2)).toBe(true);
    expect(flows.isAlive(0xffffffe0, 2)).toBe(false);
  });

  it('end one by one, of their own node alone, and the newest of very many are remembered', () => {
    const flows = open();
    flows.setNode(2, NODE_THERE, 1);
    flows.setNode(3, NODE_THERE, 1);
    flows.ended(7, 2);
    flows.ended(7, 2);
    expect([flows.isAlive(7, 2), flows.isAlive(7, 3), flows.forRemoval.isAlive(7, 2)]).toEqual([false, true, false]);
    const last = 3 * ENDED_MAX;
    for (let flow = 1; flow <= last; flow++) flows.ended(flow, 2);
    for (let flow = last - ENDED_MAX + 1; flow <= last; flow++) if (flows.isAlive(flow, 2)) throw new Error(`${flow}`);
    expect(flows.isAlive(last + 1, 2)).toBe(true);
  });
});

describe('the list of ended connections', () => {
  const all = (ended: EndedFlows, peer: number): number[] => {
    const tokens: number[] = [];
    for (let next = ended.next(peer); next !== null; next = ended.next(peer)) {
      expect(next.tokens.length).toBeLessThanOrEqual(ENDED_PER_FRAME);
      tokens.push(...next.tokens);
    }
    return tokens;
  };

  it('comes to every peer whole and in order, over connections that break anywhere', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('end' as const), count: fc.nat(30) }),
      fc.constant({ do: 'tell' as const }),
      fc.constant({ do: 'break' as const }),
      fc.constant({ do: 'restart' as const }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const ended = new EndedFlows();
        let heard = new Set<number>();
        ended.met(2, false);
        const tell = (taken: boolean) => {
          for (let next = ended.next(2); next !== null; next = ended.next(2)) {
            if (!taken) return; // lost on the way
            for (const token of next.tokens) heard.add(token);
            ended.takenIn(2, next.first + next.tokens.length);
          }
        };
        for (const each of steps) {
          if (each.do === 'end') for (let i = 0; i < each.count; i++) ended.add(1000 + ended.count);
          else if (each.do === 'tell') tell(true);
          else if (each.do === 'break') {
            tell(false);
            ended.met(2, true);
          } else {
            heard = new Set();
            ended.met(2, false);
          }
        }
        tell(true);
        expect(heard.size).toBe(ended.count);
      }),
    );
  });

  it('is told once while nothing breaks, and no more than is kept', () => {
    const ended = new EndedFlows();
    for (let i = 0; i < ENDED_MAX + 10; i++) ended.add(i);
    ended.met(2, false);
    const told = all(ended, 2);
    expect([told.length, told[0], told.at(-1)]).toEqual([ENDED_MAX, 10, ENDED_MAX + 9]);
    expect(all(ended, 2)).toEqual([]);
    ended.takenIn(2, ENDED_MAX + 11); // more than there were
    ended.met(2, true);
    expect(all(ended, 2).length).toBe(ENDED_MAX);
  });
});
