// The man page, from what `aorta --help` and each command's --help say, so that it has every flag that there is.

import { pathToFileURL } from 'node:url';

/** Text that roff sets as it stands. */
const roff = (text) =>
  text
    .replace(/\\/g, '\\e')
    .replace(/-/g, '\\-')
    .replace(/^([.'])/gm, '\\&$1')
    .replace(/[^\0-\x7e]/gu, (letter) => `\\[u${letter.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}]`);

/** What the built command says: it runs anew for each of some seventy, in this process, which has loaded all else already. */
async function helpOf(cli, words) {
  const { argv, stdout, stderr } = process;
  const { write } = stdout;
  let text = '';
  process.argv = [argv[0], cli, ...words, '--help'];
  stdout.write = (part) => {
    text += part;
    return true;
  };
  try {
    await import(`${pathToFileURL(cli)}?${words.join('+')}`);
  } finally {
    process.argv = argv;
    stdout.write = write;
    for (const stream of [stdout, stderr]) stream.removeAllListeners('error');
  }
  if (process.exitCode) throw new Error(`aorta ${words.join(' ')} --help ended with ${process.exitCode}`);
  return text;
}

/** @param {string} cli the built command @param {string} version */
export async function manPage(cli, version) {
  const help = (words) => helpOf(cli, words);
  const out = [
    `.TH AORTA 1 "" "aorta ${roff(version)}" "User Commands"`,
    '.SH NAME',
    'aorta \\- SIP registrar and location service',
  ];
  out.push('.SH SYNOPSIS', '.B aorta', '.I command', '[\\fIoptions\\fR]', '.SH DESCRIPTION');
  const top = parts(await help([]));
  out.push(...section(top, 'Commands', 'aorta'), '.SH COMMANDS');
  for (const name of commandsOf(top)) out.push(...(await ofCommand([name], help)));
  out.push(
    '.SH FILES',
    '.TP',
    '/etc/aorta/aorta.yaml',
    'The configuration.',
    '.TP',
    '/var/lib/aorta',
    'The data directory: bindings, users, the secret.',
  );
  out.push('.SH ENVIRONMENT', '.TP', 'NO_COLOR', 'Where it is set, nothing is in colour.');
  return `${out.join('\n')}\n`;
}

/** A command, and those below it. */
async function ofCommand(words, help) {
  const text = parts(await help(words));
  const below = commandsOf(text);
  const further = [];
  for (const name of below) further.push(...(await ofCommand([...words, name], help)));
  const usage = text.head[0].replace(/^Usage: /, '');
  const says = text.head.slice(1).join(' ').trim();
  return [
    `.SS ${roff(usage)}`,
    ...(says === '' ? [] : [roff(`${says[0].toUpperCase()}${says.slice(1)}.`)]),
    ...section(text, 'Options', words.join(' ')),
    ...(below.length > 0 || text.rest.length === 0 ? [] : ['.PP', '.nf', ...text.rest.map(roff), '.fi']),
    ...further,
  ];
}

const commandsOf = ({ entries }) =>
  (entries.Commands ?? []).map(([term]) => term.split(' ')[0]).filter((name) => name !== 'help');

/** Terms and what they mean, -h left out. */
function section({ entries }, title) {
  const shown = (entries[title] ?? []).filter(([term]) => !/^-h\b|^help\b/.test(term));
  return shown.flatMap(([term, says]) => ['.TP', `\\fB${roff(term)}\\fR`, roff(says)]);
}

/** What commander prints, taken apart: the head, lists of terms by their title, and all that follows them. */
function parts(text) {
  const head = [];
  const entries = {};
  const rest = [];
  let title;
  let ended = false;
  for (const line of text.split('\n')) {
    const begins = /^(Options|Commands|Arguments):$/.exec(line);
    const entry = title === undefined ? undefined : /^ {2}(\S.*?)(?: {2,}(.*))?$/.exec(line);
    if (begins && !ended) entries[(title = begins[1])] = [];
    else if (ended) rest.push(line);
    else if (entry) entries[title].push([entry[1], entry[2] ?? '']);
    else if (title !== undefined && /^ {4,}\S/.test(line)) entries[title].at(-1)[1] += ` ${line.trim()}`;
    else if (title === undefined) line.trim() !== '' && head.push(line.trim());
    else if (line.trim() !== '') {
      ended = true;
      rest.push(line);
    }
  }
  while (rest.length > 0 && rest.at(-1).trim() === '') rest.pop();
  return { head, entries, rest };
}
