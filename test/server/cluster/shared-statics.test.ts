// Static bindings of a cluster: the files of all nodes come to say the same.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SharedStatics } from '../../../src/server/cluster/shared/shared-statics.ts';
import { addAlias, addBinding, removeBinding } from '../../../src/server/data/statics.ts';
import { changeStatic, readStatic } from '../../../src/shard/statics/static-file.ts';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';

class Node {
  readonly data = temporaryDirectory();
  shared: SharedStatics;

  constructor(number: number) {
    this.shared = new SharedStatics(this.data, number);
  }

  change(change: Parameters<typeof changeStatic>[1]): void {
    changeStatic(this.data, change);
  }

  /** Tells another all that it does not know. */
  tell(...others: readonly Node[]): void {
    const untold = this.shared.untold();
    for (const other of others) other.shared.take(untold, 1);
    this.shared.told(untold);
  }
}

describe('static bindings of a cluster', () => {
  afterAll(removeDirectories);

  it('are added, changed and removed on all nodes', () => {
    const [a, b] = [new Node(1), new Node(2)];
    a.change(addBinding('gw@example.com', { uri: 'sip:gw@10.0.0.1' }));
    a.change(addAlias('info@example.com', 'gw@example.com'));
    a.tell(b);
    expect(readStatic(b.data)).toEqual(readStatic(a.data));
    b.change(addBinding('gw@example.com', { uri: 'sip:gw@10.0.0.2', q: 0.5 }));
    b.tell(a);
    expect(readStatic(a.data).bindings['gw@example.com']).toHaveLength(2);
    a.change(removeBinding('gw@example.com'));
    a.tell(b);
    expect(readStatic(b.data)).toEqual({ bindings: {}, aliases: { 'info@example.com': 'gw@example.com' } });
    expect([a.shared.untold(), b.shared.untold()]).toEqual([[], []]);
  });

  it('keep what two nodes have changed at the same time, of different addresses', () => {
    const [a, b] = [new Node(1), new Node(2)];
    a.change(addBinding('one@example.com', { uri: 'sip:1@10.0.0.1' }));
    b.change(addBinding('two@example.com', { uri: 'sip:2@10.0.0.1' }));
    a.tell(b);
    b.tell(a);
    expect(Object.keys(readStatic(a.data).bindings).sort()).toEqual(['one@example.com', 'two@example.com']);
    expect(Object.keys(readStatic(b.data).bindings).sort()).toEqual(['one@example.com', 'two@example.com']);
  });

  it('are told though they were changed in the moment in which others were taken in', () => {
    const b = new Node(2);
    let isChanged = false;
    const late = {
      get key() {
        if (!isChanged) b.change(addBinding('two@example.com', { uri: 'sip:2@10.0.0.1' }));
        isChanged = true;
        return 'bindings one@example.com';
      },
      version: 1000,
      value: '[{"uri":"sip:1@10.0.0.1"}]',
    };
    b.shared.take([late], 1);
    expect(Object.keys(readStatic(b.data).bindings).sort()).toEqual(['one@example.com', 'two@example.com']);
    expect(b.shared.untold().map(({ key }) => key)).toEqual(['bindings two@example.com']);
  });

  it('are known after a restart, with what was not told yet', () => {
    const [a, b] = [new Node(1), new Node(2)];
    a.change(addBinding('gw@example.com', { uri: 'sip:gw@10.0.0.1' }));
    expect(a.shared.untold()).toHaveLength(1);
    a.shared = new SharedStatics(a.data, 1);
    a.tell(b);
    expect(readStatic(b.data)).toEqual(readStatic(a.data));
    a.shared = new SharedStatics(a.data, 1);
    expect(a.shared.untold()).toEqual([]);
  });

  it('are not removed everywhere because a file is lost', () => {
    const a = new Node(1);
    a.change(addBinding('gw@example.com', { uri: 'sip:gw@10.0.0.1' }));
    a.shared.told(a.shared.untold());
    for (const name of ['static.json', 'static.json.copy']) rmSync(join(a.data, name));
    a.shared = new SharedStatics(a.data, 1);
    expect(a.shared.untold()).toEqual([]);
    expect(Object.keys(readStatic(a.data).bindings)).toEqual(['gw@example.com']);
  });

  it('of one node that were there before give way to what another says', () => {
    const [a, b] = [new Node(1), new Node(2)];
    b.shared.told(b.shared.untold());
    b.change(addBinding('gw@example.com', { uri: 'sip:new@10.0.0.1' }));
    a.change(addBinding('gw@example.com', { uri: 'sip:old@10.0.0.1' }));
    a.tell(b);
    b.tell(a);
    expect(readStatic(a.data)).toEqual(readStatic(b.data));
    expect(readStatic(a.data).bindings['gw@example.com']).toEqual([{ uri: 'sip:new@10.0.0.1' }]);
  });
});
