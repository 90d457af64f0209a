// `aorta ul …`: bindings of a running server, with the verbs that operators know from Kamailio (kamcmd ul.*) and OpenSIPS
// (usrloc:*). The admin API does the work.

import type { Command } from 'commander';
import type { Binding } from '../../core/binding/binding-view.ts';
import { showProgress } from '../../server/process/progress.ts';
import { AdminClient, type AdminOptions, withAdminOptions } from '../terminal/admin-client.ts';
import { CommandError, reported } from '../terminal/command-action.ts';
import { examples } from '../terminal/help-text.ts';
import { secondsOf } from '../terminal/seconds.ts';
import { tableColumns, textTable } from '../terminal/text-table.ts';
import { history } from './history.ts';
import { stats } from './stats.ts';
import { write } from './write.ts';

const EXAMPLES = `
Examples:
  aorta ul lookup alice@example.com
  aorta ul dump --json > bindings.ndjson
      one AOR a line, while the server runs
  aorta ul dump --asleep
      who would be woken by a push
  aorta ul add alice@example.com sip:gw@192.0.2.7:5080 --expires 900
  aorta ul rm-contact alice@example.com sip:alice@192.0.2.4:5060
  aorta ul rm alice@example.com
  aorta ul history alice@example.com
      who changed what, newest first

Kamailio's and OpenSIPS's spellings work, too: "aorta ul.lookup location alice@example.com", "aorta ul_show_contact …".
`;

interface AorBindings {
  readonly aor: string;
  readonly contacts: readonly Binding[];
}

interface AddOptions extends AdminOptions {
  readonly expires?: string;
  readonly q?: string;
  readonly path?: readonly string[];
}

interface DumpOptions extends AdminOptions {
  readonly domain?: string;
  readonly asleep?: boolean;
}

/** Other names of the verbs, in their form after "ul.", "ul_" or "usrloc:". */
const ALIASES: Readonly<Record<string, string>> = {
  'show-contact': 'lookup',
  show: 'lookup',
  'delete-contact': 'rm-contact',
  'db-contacts': 'stats',
  'db-users': 'stats',
  'dump-contacts': 'dump',
  sync: 'flush',
  'cluster-sync': 'flush',
};

/** Verbs that take no address-of-record. */
const NO_AOR = ['dump', 'flush', 'stats'];

/** `ul.dump`, `ul_show_contact`, `usrloc:rm` as words of this command, without the table's name: there is only one table. */
export function translateSpelling(words: readonly string[]): readonly string[] {
  const dotted = /^(?:ul|usrloc)[._:](.+)$/.exec(words[0] ?? '');
  if (dotted === null && words[0] !== 'ul') return words;
  const [name, ...rest] = dotted === null ? words.slice(1) : [dotted[1], ...words.slice(1)];
  if (name === undefined) return words;
  const spelt = name.replaceAll('_', '-');
  const verb = ALIASES[spelt] ?? spelt;
  const table = rest[0] === 'location' && (rest.length > 1 || NO_AOR.includes(verb));
  return ['ul', verb, ...(table ? rest.slice(1) : rest)];
}

export function addUlCommand(root: Command): void {
  const ul = root.command('ul').copyInheritedSettings(root).description('bindings of a running server');
  ul.addHelpText('after', examples(EXAMPLES));
  const verb = (usage: string, description: string) =>
    withAdminOptions(ul.command(usage).copyInheritedSettings(root).description(description)).addHelpText(
      'after',
      examples(EXAMPLES),
    );
  verb('dump [brief]', 'all of them; brief: no more than their URIs')
    .option('--domain <name>', 'of this domain only')
    .option('--asleep', 'those whose devices sleep and a lookup would wake, instead of those that are reached')
    .action(reported(dump));
  verb('lookup <aor>', 'those of one address-of-record').action(reported(lookup));
  verb('history [aor]', 'the newest changes of one address-of-record, or of all: when, what, by whom, from where')
    .option('--since <time>', 'none before: 15m, 2h or 1d ago, or a time as 2026-01-31T02:00')
    .option('--until <time>', 'none after')
    .option('--limit <n>', 'so many at most', '50')
    .action(reported(history));
  verb('add <aor> <contact> [expires] [q] [path] [flags...]', 'add one, or renew the one of the same contact')
    .option('--expires <s>', 'seconds, or 30m, 1h (default: as the policy has it)')
    .option('--q <value>', 'preference, 0 to 1')
    .option('--path <uri>', 'way to the contact, topmost first; may be repeated', (v, all: string[] = []) => [
      ...all,
      v,
    ])
    .usage('[options] <aor> <contact>')
    .action(reported(add));
  verb('rm <aor>', 'remove all of an address-of-record').action(reported(remove));
  verb('rm-contact <aor> <contact>', 'remove one').action(reported(removeContact));
  verb('flush', 'nothing to do here: says so').action(reported(flush));
  verb('stats', 'how many there are, and what happened to them').action(reported(stats));
}

async function dump(style: string | undefined, options: DumpOptions): Promise<void> {
  const isBrief = /^brief(=[1yY].*)?$/.test(style ?? '');
  if (style !== undefined && !isBrief)
    throw new CommandError(`ul dump: expected "brief" or nothing, got "${style}"`, 2);
  const client = new AdminClient(options);
  const { bindings: expected } = await client.get<{ bindings: number }>('/v1/status');
  const query = new URLSearchParams({
    ...(options.domain !== undefined && { domain: options.domain }),
    ...(options.asleep && { asleep: 'true' }),
  });
  const isBehind = process.stderr.isTTY && !process.stdout.isTTY;
  const progress = showProgress(isBehind ? process.stderr : undefined, () => {});
  let done = 0;
  for await (const item of client.lines<AorBindings>(`/v1/dump?${query}`)) {
    done += item.contacts.length;
    progress.report('bindings', done, expected);
    await write(options.json ? `${JSON.stringify(item)}\n` : await plain(item, isBrief, tableColumns(options)));
  }
  progress.end();
}

async function lookup(aor: string, options: AdminOptions): Promise<void> {
  const found = await new AdminClient(options).get<AorBindings>(`/v1/aors/${encodeURIComponent(aor)}`);
  await write(options.json ? `${JSON.stringify(found)}\n` : await table(found, tableColumns(options)));
}

/** Columns in question are never cut: where they do not fit, each binding is a block of lines. */
const CONTACT_RULES = {
  spare: ['call-id, cseq', 'user agent', 'path', 'q'],
  whole: ['contact', 'expires', 'from'],
};

async function add(
  aor: string,
  contact: string,
  expires: string | undefined,
  q: string | undefined,
  path: string | undefined,
  flags: readonly string[],
  options: AddOptions,
): Promise<void> {
  const hops = options.path ?? pathOf(path, flags);
  const seconds = secondsOf('--expires', options.expires ?? expires);
  const preference = numberOf('--q', options.q ?? q);
  const found = await new AdminClient(options).change<AorBindings>(
    'POST',
    `/v1/aors/${encodeURIComponent(aor)}/bindings`,
    {
      contact,
      ...(seconds !== undefined && { expires: seconds }),
      ...(preference !== undefined && { q: preference }),
      ...(hops.length > 0 && { path: hops }),
    },
  );
  if (found !== undefined)
    await write(options.json ? `${JSON.stringify(found)}\n` : await table(found, tableColumns(options)));
}

/** The sixth word of kamcmd's ul.add; OpenSIPS has flags there. Foreign flags have no effect here. */
function pathOf(path: string | undefined, flags: readonly string[]): readonly string[] {
  const isFlags = (word: string): boolean => /^(\d+|\.|)$/.test(word);
  const strange = flags.find((word) => !isFlags(word));
  if (strange !== undefined) throw new CommandError(`ul add: what "${strange}" should mean is not known here`, 2);
  if (path === undefined || isFlags(path)) return [];
  const hops = path.split(',').map((hop) => hop.trim().replace(/^<(.*)>$/, '$1'));
  if (hops.every((hop) => /^sips?:./i.test(hop))) return hops;
  throw new CommandError(`ul add: expected a Path such as "<sip:edge.example.com;lr>", got "${path}"`, 2);
}

async function remove(aor: string, options: AdminOptions): Promise<void> {
  await new AdminClient(options).change('DELETE', `/v1/aors/${encodeURIComponent(aor)}`);
  await write(options.json ? '{"removed":true}\n' : `removed all bindings of ${aor}\n`);
}

async function removeContact(aor: string, contact: string, options: AdminOptions): Promise<void> {
  const path = `/v1/aors/${encodeURIComponent(aor)}/bindings?contact=${encodeURIComponent(contact)}`;
  await new AdminClient(options).change('DELETE', path);
  await write(options.json ? '{"removed":true}\n' : `removed ${contact} of ${aor}\n`);
}

async function flush(options: AdminOptions): Promise<void> {
  await new AdminClient(options).get('/v1/status'); // checks that a server runs, of which this is true
  await write(
    options.json ? '{"flushed":true}\n' : 'nothing to flush: every binding is in the store before its 200 OK leaves\n',
  );
}

/** As in kamcmd: an AOR, then its contacts, so that a dump of any size needs no column widths. */
async function plain({ aor, contacts }: AorBindings, isBrief: boolean, columns: number): Promise<string> {
  if (isBrief) return `${aor}\n${contacts.map(({ uri }) => `  ${uri}\n`).join('')}`;
  const lines = contacts.map(
    ({ uri, q, expires, source, userAgent }) =>
      `  ${uri}  q=${q} expires=${expires ?? 'never'} from=${source.transport}:${source.address}:${source.port}` +
      `${userAgent === undefined ? '' : `  ${userAgent}`}\n`,
  );
  if (columns === Number.POSITIVE_INFINITY) return `${aor}\n${lines.join('')}`;
  const { wordLines } = await import('../terminal/text-width.ts');
  const wrapped = lines.flatMap((line) =>
    wordLines(line.trim(), columns - 6).map((text, i) => `${i === 0 ? '  ' : '      '}${text}\n`),
  );
  return `${aor}\n${wrapped.join('')}`;
}

async function table({ aor, contacts }: AorBindings, columns: number): Promise<string> {
  const rows = contacts.map(({ uri, q, expires, source, userAgent, callId, cseq, path }) => [
    uri,
    String(q),
    expires === null ? 'never' : `${expires}s`,
    `${source.transport}:${source.address}:${source.port}`,
    userAgent ?? '',
    `${callId} ${cseq}`,
    path.join(' '),
  ]);
  return `${aor}\n${await textTable([['contact', 'q', 'expires', 'from', 'user agent', 'call-id, cseq', 'path'], ...rows], columns, CONTACT_RULES)}`;
}

function numberOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value))
    throw new CommandError(`${name}: expected a number, got "${text}"`, 2);
  return value;
}
