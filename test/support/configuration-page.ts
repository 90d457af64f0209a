// docs/configuration.md, made from the rows of the configuration.

import { DEFAULT_CONFIG } from '../../src/server/config/config.ts';
import { CONFIG_ROWS } from '../../src/server/config/rows/all-rows.ts';
import { baseOf, defaultText } from '../../src/server/config/rows/describe.ts';
import { AT_ONCE, type Node, type Row, type Rows, type Section } from '../../src/server/config/rows/row.ts';

const INTRO = `# Configuration

Every key of the configuration file (YAML), all of them optional. [aorta.example.yaml](aorta.example.yaml) has them all as comments
(\`aorta config --example\`), \`aorta check FILE\` finds mistakes, \`aorta config FILE\` shows what is in force, and \`aorta config --schema\` prints a
JSON Schema for editors: with \`# yaml-language-server: $schema=aorta.schema.json\` in its first line a file is completed and checked while one
types. A program gives \`createRegistrar\` the same keys in camelCase: \`policy.min-expires\` is \`policy: { minExpires: 60 }\`.

Durations and sizes are numbers in the unit of their key, or have a unit of their own: \`90s\`, \`30m\`, \`1h\`, \`2d\`, \`500ms\`; \`64k\`, \`16M\`, \`1G\` (powers
of 1,024). A list of one entry may stand as that entry. File names are relative to the configuration file. A change comes into force at once
with the next reload (SIGHUP, \`aorta reload\`) where the column Reload has a check mark, else with the next start.
`;

export function configurationPage(): string {
  return `${INTRO}${ofSection(CONFIG_ROWS, DEFAULT_CONFIG, [])}`;
}

function ofSection(section: Section<Rows, unknown>, base: object, path: readonly string[]): string {
  const own = baseOf(section, base);
  const nodes = Object.entries(section.keys);
  const rows = nodes.flatMap(([key, node]): [string, Row][] => {
    if (node.is === 'row') return [[key, node]];
    return node.is === 'named' && node.list !== undefined ? [[key, node.list]] : [];
  });
  const short = section.short === undefined ? '' : ` A text in its place stands for \`${section.short}\`.`;
  const heading = path.length === 0 ? '\n' : `\n## ${path.join('.')}\n\n${section.says}${short}\n\n`;
  const table = rows.length === 0 ? '' : `${HEAD}${rows.map(([key, row]) => line(key, row, own)).join('\n')}\n`;
  const below = nodes.map(([key, node]) => ofNode(node, own, [...path, key]));
  return (rows.length === 0 && path.length > 0 ? '' : heading + table) + below.join('');
}

function ofNode(node: Node, base: object, path: readonly string[]): string {
  if (node.is === 'section') return ofSection(node, base, path);
  if (node.is === 'named') return ofSection(node.entry, {}, [...path, `<${node.name}>`]);
  return '';
}

const HEAD = '| Key | Value | Default | Reload | |\n|---|---|---|---|---|\n';

function line(key: string, row: Row, base: object): string {
  const flag = row.flag === undefined ? '' : ` (\`${row.flag.option.split(' ')[0]}\`)`;
  const byDefault = row.required ? 'required' : marked(row, defaultText(row, base));
  return `| \`${key}\` | ${row.kind.text} | ${byDefault} | ${row.inForce === AT_ONCE ? '✓' : ''} | ${row.says}${flag} |`;
}

function marked(row: Row, text: string): string {
  return row.otherwise !== undefined || text === 'none' ? text : `\`${text}\``;
}
