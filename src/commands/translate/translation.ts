// `aorta translate`: a configuration of Kamailio or OpenSIPS as one of Aorta, with the reasons for all untranslated
// parameters.

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { errorText } from '../../server/process/file-fault.ts';
import { print } from '../../server/process/terminal.ts';
import { CommandError } from '../terminal/command-action.ts';
import { type ForeignConfig, type ForeignSetting, readForeignConfig } from './foreign-config.ts';
import { FOREIGN_PARAMETERS } from './foreign-parameters.ts';
import type { ForeignParameter } from './parameter.ts';
import { stillToDo } from './still-to-do.ts';
import { readTlsProfiles } from './tls-profiles.ts';
import { put, type Tree } from './tree.ts';

const BY_NAME = new Map<string, ForeignParameter>(
  FOREIGN_PARAMETERS.flatMap((parameter) => parameter.names.map((name) => [name, parameter] as const)),
);
/** Modules whose unknown parameters are named; those of all other modules are a proxy's. */
const MODULES = new Set([...BY_NAME.keys()].filter((name) => name.includes('.')).map((name) => name.split('.')[0]));

/** Width of comments in columns. */
const WIDTH = 100;

export async function translate(name: string): Promise<void> {
  const { stringify } = await import('yaml');
  print(translation(name, withTlsProfiles(name, readForeignConfig(read(name))), stringify));
}

function read(name: string): string {
  try {
    return readFileSync(name, 'utf8');
  } catch (error) {
    throw new CommandError(errorText(error), 1);
  }
}

/** Kamailio's certificates are in a file of their own. */
function withTlsProfiles(name: string, config: ForeignConfig): ForeignConfig {
  const file = config.settings.findLast((setting) => setting.name === 'tls.config')?.value;
  if (file === undefined) return config;
  try {
    const profiles = readTlsProfiles(file, readFileSync(resolve(dirname(name), file), 'utf8'));
    return { ...config, settings: [...config.settings, ...profiles] };
  } catch {
    const tls = config.settings.find((setting) => setting.name === 'tls.config');
    return { ...config, includes: [...config.includes, { line: tls?.line ?? 0, file }] };
  }
}

/** The file for Aorta. @param stringify of the package yaml */
export function translation(name: string, config: ForeignConfig, stringify: (values: object) => string): string {
  const values: Tree = {};
  const notes: string[] = [];
  const others = new Map<string, number>();
  for (const setting of config.settings) {
    const parameter = BY_NAME.get(setting.name);
    if (parameter !== undefined) notes.push(taken(setting, parameter, values));
    else if (MODULES.has(moduleOf(setting.name)))
      notes.push(`${placeOf(setting)}: ${setting.name}: not known here; nothing is set`);
    else if (setting.name.includes('.'))
      others.set(moduleOf(setting.name), (others.get(moduleOf(setting.name)) ?? 0) + 1);
  }
  notes.push(...config.includes.map(({ line, file }) => `line ${line}: ${file} is not read: translate it by itself`));
  const proxys = [...others].map(([module, count]) => `${module} (${count})`).join(', ');
  const todo = stillToDo(config, values);
  return [
    `# ${name} for Aorta. "aorta check FILE" reads it; docs/migration.md has the whole table.`,
    '#',
    '# Still to do:',
    ...comment(todo),
    '',
    stringify(values).trimEnd(),
    '',
    '# The parameters there. "→ key": set above. "(key)": not set; this key is the nearest. Neither: no key is needed.',
    ...comment(notes),
    ...(proxys === '' ? [] : comment([`Parameters of modules that a proxy keeps: ${proxys}`], '# ')),
    '',
  ].join('\n');
}

/** Sets the keys for the parameter; returns a note about it. */
function taken(setting: ForeignSetting, { key, set, says }: ForeignParameter, values: Tree): string {
  const { name, value, domain } = setting;
  const settings = set?.(value);
  for (const [path, what] of Object.entries(settings ?? {})) put(values, pathOf(path, domain), what);
  const keys = Object.keys(settings ?? {}).map((path) => pathOf(path, domain).join('.'));
  if (keys.length > 0) return `${placeOf(setting)}: ${name} → ${keys.join(', ')}: ${says}`;
  // The value may be a secret, so it is not repeated.
  if (set !== undefined) return `${placeOf(setting)}: ${name}: the value says nothing here; see ${key}. ${says}`;
  return `${placeOf(setting)}: ${name}${key === undefined ? '' : ` (${key})`}: ${says}`;
}

/** Path of `tls.cert`: for a domain it is `tls.domains.DOMAIN.cert`. */
function pathOf(path: string, domain: string | undefined): string[] {
  const [section, ...rest] = path.split('.');
  return domain === undefined ? [section, ...rest] : [section, 'domains', domain, ...rest];
}

function placeOf({ file, line }: ForeignSetting): string {
  return file === undefined ? `line ${line}` : `${file} line ${line}`;
}

/** Each text on lines of comment, broken between words. */
function comment(texts: readonly string[], mark = '#   '): string[] {
  return texts.flatMap((text) => {
    const lines = [mark];
    for (const word of text.split(' ')) {
      const last = lines[lines.length - 1];
      if (last === mark) lines[lines.length - 1] += word;
      else if (last.length + 1 + word.length <= WIDTH) lines[lines.length - 1] += ` ${word}`;
      else lines.push(`#     ${word}`);
    }
    return lines;
  });
}

function moduleOf(name: string): string {
  return name.split('.')[0];
}
