// Virtual time: what is to happen when, in order; two things at the same time in the order in which they were planned.

export interface Planned {
  cancelled: boolean;
}

interface Entry extends Planned {
  readonly at: number;
  readonly order: number;
  readonly action: () => void;
}

export class Timeline {
  /** Epoch milliseconds. */
  now: number;
  private readonly heap: Entry[] = [];
  private planned = 0;

  constructor(now: number) {
    this.now = now;
  }

  after(ms: number, action: () => void): Planned {
    const entry: Entry = { at: this.now + ms, order: this.planned++, action, cancelled: false };
    const { heap } = this;
    let i = heap.push(entry) - 1;
    for (let parent = (i - 1) >> 1; i > 0 && before(entry, heap[parent]); parent = (i - 1) >> 1) {
      heap[i] = heap[parent];
      i = parent;
    }
    heap[i] = entry;
    return entry;
  }

  /** Lets everything happen that is due by `end`. */
  runUntil(end: number): void {
    while (this.heap.length > 0 && this.heap[0].at <= end) {
      const entry = this.take();
      this.now = entry.at;
      if (!entry.cancelled) entry.action();
    }
    this.now = end;
  }

  private take(): Entry {
    const { heap } = this;
    const [first] = heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let i = 0;
    for (let child = 1; child < heap.length; child = 2 * i + 1) {
      if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++;
      if (!before(heap[child], last)) break;
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
