// Flags of `aorta serve` that set a key of the configuration: made from its rows.

import { Option } from 'commander';
import type { ConfigSource } from '../server/config/config-problem.ts';
import { CONFIG_ROWS } from '../server/config/rows/all-rows.ts';
import { defaultText, plain } from '../server/config/rows/describe.ts';
import { type PlacedRow, placedRows } from '../server/config/rows/row.ts';

interface ServeFlag {
  readonly path: readonly string[];
  readonly option: Option;
}

const collect = (value: string, earlier: string[] | undefined) => [...(earlier ?? []), value];

export const SERVE_FLAGS: readonly ServeFlag[] = placedRows(CONFIG_ROWS).flatMap(({ path, row }: PlacedRow) => {
  if (row.flag === undefined) return [];
  const says = row.says.replace(/\.$/, '').replace(/^[A-Z](?=[a-z ])/, (letter) => letter.toLowerCase());
  const more = [...(row.flag.many ? ['; may be repeated'] : []), ` (default: ${defaultText(row)})`].join('');
  const option = new Option(row.flag.option, plain(says + more));
  return [{ path, option: row.flag.many ? option.argParser(collect) : option }];
});

/** Values of flags in the shape of the file. */
export function flagSource(options: Readonly<Record<string, unknown>>): ConfigSource {
  const values: Record<string, unknown> = {};
  for (const { path, option } of SERVE_FLAGS) {
    const value = options[option.attributeName()];
    if (value === undefined) continue;
    const [section, inner] = path;
    if (inner === undefined) values[section] = value;
    else values[section] = { ...(values[section] as object | undefined), [inner]: value };
  }
  return {
    values,
    where: (path) => ({
      name: flagOf(path.filter((part) => typeof part !== 'number').join('.')) ?? path.join('.'),
      order: 0,
    }),
    spell: (key, value) => {
      const flag = flagOf(key);
      if (flag === undefined) return value === undefined ? key : `${key}: ${value}`;
      return value === undefined || value === 'true' ? flag : `${flag} ${value}`;
    },
  };
}

function flagOf(key: string): string | undefined {
  return SERVE_FLAGS.find(({ path }) => path.join('.') === key)?.option.long ?? undefined;
}
