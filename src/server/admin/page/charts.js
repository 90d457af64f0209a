// Charts over time, by uPlot: axes of time, a cursor that all charts share, a tip with the values beside it, zoom by dragging (a double click ends
// it). Colours come from the style sheet, light or dark.

import { element, setText } from './dom.js';
import { clock, duration, number, percent, percentile, rate } from './figures.js';
import uPlot from './uplot.js';

const HEIGHT = 180;
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const FONT = '12px system-ui, sans-serif';
const TIP_GAP = 14;
/** Shortest span of the axis. On a younger server it begins with the server's start. */
const SPAN_MIN_MS = 60_000;

const largest = (max, least) => Math.max(least, (max ?? 0) * 1.1);
const fromZero = (least) => (_u, _min, max) => [0, largest(max, least)];
/** Whole decades, so that one spike does not flatten the other values. */
const decades = (_u, min, max) => {
  const low = 10 ** Math.floor(Math.log10(min > 0 ? min : 1));
  const high = 10 ** Math.ceil(Math.log10(max > 0 ? max : 10));
  return [low, high > low ? high : low * 10];
};

const CHARTS = {
  rates: {
    lines: [
      ['accepted', 'one'],
      ['challenged', 'three'],
      ['refused', 'two'],
    ],
    format: rate,
    y: { range: fromZero(4) },
  },
  latency: {
    percentiles: [
      [0.5, 'p50', 'one'],
      [0.95, 'p95', 'three'],
      [0.99, 'p99', 'two'],
    ],
    format: duration,
    y: { distr: 3, log: 10, range: decades },
  },
  heat: { heat: true, format: number, y: {} },
  contacts: {
    lines: [
      ['bindings', 'one', 'contacts'],
      ['aors', 'three', 'addresses'],
      ['connections', 'two'],
    ],
    format: number,
    y: { range: fromZero(5) },
  },
  time: {
    lines: [
      ['cpu', 'one', 'processor'],
      ['disk', 'two', 'waiting for the disk'],
    ],
    format: percent,
    y: { range: (_u, _min, max) => [0, Math.min(1, largest(max, 0.1))] },
  },
  storm: {
    lines: [
      ['putOff', 'two', 'put off'],
      ['dropped', 'three'],
      ['lookups', 'one'],
    ],
    format: rate,
    y: { range: fromZero(4) },
  },
};

/** @param span ms that the axis covers; the data is `{ at, series, latency, boundsSeconds }`, columns of equal length */
export class Charts {
  constructor() {
    this.span = 300_000;
    this.step = 1;
    this.data = undefined;
    this.charts = Object.entries(CHARTS).map(([id, spec]) => new Chart(id, spec, this));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.redraw());
  }

  show(data, step, span) {
    const isOther = span !== this.span;
    Object.assign(this, { data, step, span });
    for (const chart of this.charts) chart.show(data, isOther);
  }

  redraw() {
    for (const { plot } of this.charts) plot.redraw(false, true);
  }
}

class Chart {
  constructor(id, spec, all) {
    this.all = all;
    this.spec = spec;
    this.zoomed = false;
    this.place = document.getElementById(id);
    this.lines = linesOf(spec);
    this.picture = element('div', undefined, { role: 'img', 'aria-label': 'no figures yet' });
    this.legend = element('ul', undefined, { class: 'legend' });
    this.values = this.lines.map(({ label, colour }) => {
      const item = element('li');
      const value = element('b', '–');
      item.append(element('i', undefined, { class: colour }), `${label} `, value);
      this.legend.append(item);
      return value;
    });
    this.place.append(this.picture, this.legend);
    this.plot = new uPlot(this.options(), [[], ...this.lines.map(() => [])], this.picture);
    new ResizeObserver(() => this.plot.setSize({ width: this.picture.clientWidth, height: HEIGHT })).observe(
      this.picture,
    );
  }

  options() {
    const { spec } = this;
    const soft = () => css('--soft');
    const axis = {
      stroke: soft,
      font: FONT,
      grid: { stroke: () => css('--line'), width: 1 },
      ticks: { stroke: () => css('--line') },
    };
    const tip = element('div', undefined, { class: 'tip' });
    tip.hidden = true;
    return {
      width: Math.max(200, this.picture.clientWidth),
      height: HEIGHT,
      ms: 1,
      legend: { show: false },
      cursor: {
        sync: { key: 'time', setSeries: false },
        drag: { x: true, y: false },
        y: spec.heat === true,
        points: { size: 6 },
      },
      scales: { x: { time: true, range: () => this.window() }, y: spec.heat ? { range: () => this.rows() } : spec.y },
      axes: [
        { ...axis, space: 70, size: 32, values: times() },
        {
          ...axis,
          size: 66,
          ...(spec.heat
            ? { splits: () => this.heatSplits(), values: (_u, splits) => splits.map((row) => this.boundText(row)) }
            : { values: (_u, splits) => splits.map((v) => (v === null ? '' : spec.format(v))) }),
          ...(spec.y.distr === 3 && {
            filter: decadesOnly,
            grid: { ...axis.grid, filter: decadesOnly },
            ticks: { ...axis.ticks, filter: decadesOnly },
          }),
        },
      ],
      series: [
        {},
        ...this.lines.map(({ label, colour }) => ({
          label,
          stroke: () => css(`--${colour}`),
          width: spec.heat ? 0 : 1.75,
          points: { show: false },
          ...(spec.percentiles && { paths: uPlot.paths.stepped({ align: -1 }) }),
        })),
      ],
      hooks: {
        ready: [(u) => u.over.append(tip)],
        setCursor: [(u) => this.point(u, tip)],
        setSelect: [(u) => (this.zoomed = u.select.width > 0 || this.zoomed)],
        ...(spec.heat && { drawAxes: [(u) => this.drawHeat(u)] }),
      },
      plugins: [{ hooks: { ready: (u) => u.over.addEventListener('dblclick', () => (this.zoomed = false)) } }],
    };
  }

  window() {
    const { at } = this.all.data ?? { at: [] };
    const end = at.at(-1) ?? Date.now();
    return [Math.min(end - SPAN_MIN_MS, Math.max(end - this.all.span, at[0] ?? 0)), end];
  }

  show(data, isOther) {
    if (isOther) this.zoomed = false;
    const { spec, plot } = this;
    const columns = spec.percentiles
      ? spec.percentiles.map(([part]) => data.latency.map((counts) => percentile(counts, data.boundsSeconds, part)))
      : spec.heat
        ? [data.at.map(() => null)]
        : spec.lines.map(([name]) => data.series[name]);
    this.columns = columns;
    plot.setData([data.at, ...columns], !this.zoomed);
    if (this.zoomed) plot.redraw(false, false);
    this.tellValues(plot.cursor.idx ?? data.at.length - 1);
    this.describe(data);
  }

  /** For screen readers: the newest values. */
  describe(data) {
    const last = data.at.length - 1;
    const texts = this.spec.heat
      ? [heatText(data, last)]
      : this.lines.map(({ label }, i) => `${label} ${this.text(this.columns[i][last])}`);
    const label = last < 0 ? 'no figures yet' : `now: ${texts.join(', ')}`;
    if (this.picture.getAttribute('aria-label') !== label) this.picture.setAttribute('aria-label', label);
  }

  text(value) {
    return value === null || value === undefined ? '–' : this.spec.format(value);
  }

  tellValues(idx) {
    if (this.spec.heat) return;
    for (const [i, value] of this.values.entries()) setText(value, this.text(this.columns?.[i]?.[idx]));
  }

  point(u, tip) {
    const { idx, left, top } = u.cursor;
    const { data } = this.all;
    const isHere = idx !== null && idx !== undefined && left >= 0 && data !== undefined;
    this.tellValues(isHere ? idx : (data?.at.length ?? 0) - 1);
    tip.hidden = !(isHere && u.over.matches(':hover'));
    if (tip.hidden) return;
    const rows = this.spec.heat
      ? [this.bucketText(data, idx, Math.floor(u.posToVal(top, 'y')))]
      : this.lines.map(({ label }, i) => `${label} ${this.text(this.columns[i][idx])}`);
    tip.replaceChildren(element('strong', clock(data.at[idx])), ...rows.map((row) => element('div', row)));
    const isRight = left > u.over.clientWidth / 2;
    tip.style.left = isRight ? '' : `${left + TIP_GAP}px`;
    tip.style.right = isRight ? `${u.over.clientWidth - left + TIP_GAP}px` : '';
    tip.style.top = '4px';
  }

  // --- the heat map: a row for each bucket of latency, darker with more registrations

  /** Rows in view: those in use, and at least six. */
  rows() {
    const counts = this.all.data?.latency ?? [];
    const used = counts.flatMap((row) => row.flatMap((count, i) => (count > 0 ? [i] : [])));
    let low = used.length > 0 ? used.reduce((a, b) => Math.min(a, b)) : 3;
    let high = used.length > 0 ? used.reduce((a, b) => Math.max(a, b)) + 1 : 9;
    const most = (this.all.data?.boundsSeconds.length ?? 16) + 1;
    while (high - low < 6) {
      if (low > 0) low--;
      if (high - low < 6 && high < most) high++;
    }
    return [low, high];
  }

  heatSplits() {
    const [low, high] = this.rows();
    return Array.from({ length: high - low + 1 }, (_, i) => low + i);
  }

  /** The lower bound of a bucket. */
  boundText(row) {
    const bounds = this.all.data?.boundsSeconds;
    return row === 0 || bounds === undefined || bounds[row - 1] === undefined ? '' : duration(bounds[row - 1] * 1000);
  }

  bucketText({ latency, boundsSeconds }, idx, row) {
    const counts = latency[idx] ?? [];
    const all = counts.reduce((sum, count) => sum + count, 0);
    const limit = boundsSeconds[row] === undefined ? 'more' : `up to ${duration(boundsSeconds[row] * 1000)}`;
    return `${limit}: ${number(counts[row] ?? 0)} of ${number(all)}`;
  }

  drawHeat(u) {
    const { data, step } = this.all;
    if (data === undefined) return;
    const { ctx } = u;
    const { left, top, width, height } = u.bbox;
    const most = data.latency.reduce((max, counts) => counts.reduce((a, b) => Math.max(a, b), max), 1);
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, height);
    ctx.clip();
    ctx.fillStyle = css('--heat');
    for (const [i, counts] of data.latency.entries()) {
      const from = Math.floor(u.valToPos(data.at[i] - step * 1000, 'x', true));
      const to = Math.ceil(u.valToPos(data.at[i], 'x', true));
      if (to < left || from > left + width) continue;
      for (const [row, count] of counts.entries()) {
        if (count === 0) continue;
        const y = Math.round(u.valToPos(row + 1, 'y', true));
        ctx.globalAlpha = 0.12 + 0.88 * (Math.log1p(count) / Math.log1p(most));
        ctx.fillRect(from, y, Math.max(1, to - from), Math.round(u.valToPos(row, 'y', true)) - y - 1);
      }
    }
    ctx.restore();
  }
}

function linesOf({ lines, percentiles, heat }) {
  if (heat) return [{ label: 'stronger: more registrations', colour: 'heat' }];
  if (percentiles) return percentiles.map(([, label, colour]) => ({ label, colour }));
  return lines.map(([name, colour, label = name]) => ({ label, colour }));
}

function heatText({ latency, boundsSeconds }, at) {
  const counts = latency[at] ?? [];
  const most = counts.indexOf(Math.max(0, ...counts));
  return most < 0 || counts[most] === 0
    ? 'no registrations'
    : `most within ${duration((boundsSeconds[most] ?? boundsSeconds.at(-1)) * 1000)}`;
}

const decadesOnly = (_u, splits) => splits.map((v) => (isDecade(v) ? v : null));
const isDecade = (value) => value > 0 && Number.isInteger(Math.round(Math.log10(value) * 1e6) / 1e6);

/** Hours and minutes, with seconds where ticks are less than a minute apart. */
function times() {
  return (_u, splits) => {
    const isClose = splits.length > 1 && splits[1] - splits[0] < 60_000;
    const style = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', ...(isClose && { second: '2-digit' }) };
    return splits.map((at) => (at === null ? '' : new Date(at).toLocaleTimeString('en-GB', style)));
  };
}
