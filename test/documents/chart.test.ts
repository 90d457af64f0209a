// The chart beside Kamailio, and the places of tables in the document of results.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { barChart, barsIn } from '../../bench/chart.ts';
import { resultsIn, withResults } from '../../bench/document.ts';

describe('the bar chart', () => {
  it('draws each share of Kamailio to scale, with its limit', () => {
    const lines = barChart([
      { label: 'refresh', ratio: 0.5, limit: 0.5 },
      { label: 'register', ratio: 2, limit: 0.75 },
    ]).split('\n');
    const cells = lines.map((line) => line.split('█').length - 1);
    expect(cells).toEqual([20, 10, 40]);
    expect(lines[1]).toContain('0.50  (limit 0.50, met)');
    expect(lines[1].indexOf('|')).toBe(lines[0].lastIndexOf('█') + 1);
    expect(lines[2]).toContain('2.00  (limit 0.75, missed)');
  });
});

describe('the bars of a document of results', () => {
  const before = barChart([
    { label: 'refresh, durable', ratio: 0.51, limit: 0.5 },
    { label: 'a 302', ratio: 1.25 },
  ]);

  it('stay in its chart where they were not measured again', () => {
    expect(barsIn('', before, [])).toEqual([
      { label: 'refresh, durable', ratio: 0.51, limit: 0.5 },
      { label: 'a 302', ratio: 1.25 },
    ]);
    expect(barChart(barsIn('', before, []))).toBe(before);
  });

  it('give way to what was, in their place', () => {
    const bars = barsIn('', before, [
      { label: 'a storm', ratio: 0.7 },
      { label: 'refresh, durable', ratio: 0.4, limit: 0.5 },
    ]);
    expect(bars.map(({ label, ratio }) => `${label} ${ratio}`)).toEqual([
      'refresh, durable 0.4',
      'a 302 1.25',
      'a storm 0.7',
    ]);
  });

  it('come after those of the tables, which have a bar each', () => {
    const tables =
      '| refresh, durable: CPU / Kamailio | 0.62 (0.60 - 0.70) | <= 0.5 | **missed** |\n' +
      '| a 401: CPU / Kamailio | 0.40 | <= 0.6 | met |\n| not measured: CPU / Kamailio | - | <= 1 |  |\n';
    expect(barsIn(tables, before, [])).toEqual([
      { label: 'refresh, durable', ratio: 0.62, limit: 0.5 },
      { label: 'a 401', ratio: 0.4, limit: 0.6 },
      { label: 'a 302', ratio: 1.25 },
    ]);
  });

  it('are all in docs/benchmarks.md', () => {
    const document = readFileSync('docs/benchmarks.md', 'utf8');
    const chart = resultsIn(document, 'chart');
    expect(chart).toContain(`\n${barChart(barsIn(document, chart, []))}\n`);
  });
});

describe('results in a document', () => {
  it('replace what was between their markers', () => {
    const document = 'a\n<!-- results: x -->\nold\n<!-- end: x -->\nb\n';
    expect(withResults(document, 'x', 'new')).toBe('a\n<!-- results: x -->\n\nnew\n\n<!-- end: x -->\nb\n');
  });

  it('come last where the document has no place for them', () => {
    expect(withResults('a\n', 'y', 'new')).toBe('a\n\n## y\n\n<!-- results: y -->\n\nnew\n\n<!-- end: y -->\n');
  });

  it('are refused where a marker is left open', () => {
    expect(() => withResults('<!-- results: x -->', 'x', 'new')).toThrow('<!-- end: x -->');
  });
});
