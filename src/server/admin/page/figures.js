// Texts of numbers, times and shares.

export const number = (n) => Math.round(n).toLocaleString('en-US');
/** Small rates keep one decimal. */
export const rate = (n) => (n > 0 && n < 9.95 ? n.toFixed(1) : number(n));
export const percent = (share) => `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)}%`;
export const clock = (at) => new Date(at).toLocaleTimeString();
export const words = (name) => name.replaceAll('_', ' ');

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function bytes(n) {
  const power = n < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(n) / 10));
  const value = n / 1024 ** power;
  return `${value >= 100 || power === 0 ? Math.round(value) : value.toFixed(1)} ${UNITS[power]}`;
}

/** Milliseconds, in the unit that fits. */
export function duration(ms) {
  if (ms === null || ms === undefined) return '–';
  return ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`;
}

export function uptime(seconds) {
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return `${days} d ${hours} h`;
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min`;
}

export function addUp(lists) {
  const total = [];
  for (const list of lists) for (const [i, count] of list.entries()) total[i] = (total[i] ?? 0) + count;
  return total;
}

/** Upper bound of the bucket that holds this part of the values, in ms; null without values. */
export function percentile(counts, boundsSeconds, part) {
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all === 0) return null;
  let seen = 0;
  const bucket = counts.findIndex((count) => {
    seen += count;
    return seen >= all * part;
  });
  return (boundsSeconds[bucket] ?? boundsSeconds.at(-1)) * 1000;
}

export const sourceOf = ({ source }) => `${source.transport} ${hostOf(source.address)}:${source.port}`;
const hostOf = (address) => (address.includes(':') ? `[${address}]` : address);
