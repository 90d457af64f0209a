// The text format that Prometheus reads (version 0.0.4): families of samples with labels. Other files have the measurements.

export type Labels = Readonly<Record<string, string | number>>;

/** Upper bounds, the number of values in each bucket (one more than bounds), and the sum of the values. */
export interface HistogramSample {
  readonly labels: Labels;
  readonly bounds: ArrayLike<number>;
  readonly counts: ArrayLike<number>;
  readonly sum: number;
}

export class Exposition {
  private readonly lines: string[] = [];

  /** A counter's name ends in `_total`. */
  counter(name: string, help: string, samples: Iterable<readonly [Labels, number]>): void {
    this.family(name, 'counter', help, samples);
  }

  gauge(name: string, help: string, samples: Iterable<readonly [Labels, number]>): void {
    this.family(name, 'gauge', help, samples);
  }

  histogram(name: string, help: string, samples: Iterable<HistogramSample>): void {
    this.head(name, 'histogram', help);
    for (const { labels, bounds, counts, sum } of samples) {
      let count = 0;
      for (let i = 0; i < counts.length; i++) {
        count += counts[i];
        this.sample(`${name}_bucket`, { ...labels, le: i < bounds.length ? bounds[i] : '+Inf' }, count);
      }
      this.sample(`${name}_sum`, labels, sum);
      this.sample(`${name}_count`, labels, count);
    }
  }

  toString(): string {
    return `${this.lines.join('\n')}\n`;
  }

  private family(name: string, type: string, help: string, samples: Iterable<readonly [Labels, number]>): void {
    this.head(name, type, help);
    for (const [labels, value] of samples) this.sample(name, labels, value);
  }

  private head(name: string, type: string, help: string): void {
    this.lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
  }

  private sample(name: string, labels: Labels, value: number): void {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escaped(String(text))}"`);
    this.lines.push(`${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}`);
  }
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
