// Sizes for people: in powers of 1,024, as in the configuration and on the dashboard.

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
/** Below it a size has a decimal. */
const WHOLE = 100;

/** E.g. `512 B`, `1.5 GiB`. */
export function sizeText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= WHOLE ? Math.round(value) : value.toFixed(1)} ${UNITS[power]}`;
}

/** Rounded MiB, for work whose steps are counted in them. */
export function mebibytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}
