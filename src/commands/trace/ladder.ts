// Messages as a ladder, in the style of sngrep: a line for each, an arrow between the peer and Aorta. Pure.

import { escapeUnseen } from '../../sip/shown-text.ts';
import type { Paint, Style } from '../terminal/colours.ts';
import { cut, toWidth, widthOf } from '../terminal/text-width.ts';
import { endpointText, type FollowedMessage, labelOf, timeText } from './followed-messages.ts';

const TIME_COLUMNS = 14;
/** Width of one peer; more peers than fit share the last rung. */
const RUNG_COLUMNS = 26;
/** Least width of a message beside the ladder, where the terminal is wide enough. */
const MESSAGE_COLUMNS_MIN = 50;
const SPLIT_COLUMNS = 120;

export interface LadderState {
  /** Index of the selected message; undefined: always the newest. */
  readonly chosen: number | undefined;
  /** Whether only the message is shown. */
  readonly isOpen: boolean;
  /** Scrolled lines of the message. */
  readonly scrolled: number;
}

export interface LadderPage {
  readonly name: string;
  readonly messages: readonly FollowedMessage[];
  readonly missed: number;
  readonly file: string | undefined;
}

export function drawLadder(
  page: LadderPage,
  state: LadderState,
  columns: number,
  rows: number,
  paint: Paint,
): string[] {
  const { name, messages, missed } = page;
  const notes = [
    `${messages.length} messages`,
    ...(missed > 0 ? [`${missed} missed`] : []),
    ...(page.file ? [page.file] : []),
  ];
  const head = paint('bold', cut(`aorta trace  ${escapeUnseen(name)}  ${notes.join('  ')}`, columns));
  const foot = paint('inverse', toWidth('q quit  arrows choose  Enter message  End newest  c clear', columns));
  const space = Math.max(0, rows - 2);
  const chosen = Math.min(state.chosen ?? messages.length - 1, messages.length - 1);
  const message = messages[chosen];
  const body =
    message === undefined
      ? ['', 'Nothing yet: each message of this phone appears here as it passes.'].map((line) => cut(line, columns))
      : state.isOpen
        ? messageLines(message, columns).slice(state.scrolled)
        : rungs(messages, chosen, columns, space, paint);
  const shown = Array.from({ length: space }, (_, i) => body[i] ?? '');
  return [head, ...shown, foot].slice(0, rows);
}

/** The message as text, with its own lines; lines that are too long continue below. */
export function messageLines(
  { at, transport, isReceived, peer, local, bytes }: FollowedMessage,
  columns: number,
): string[] {
  const [from, to] = isReceived ? [peer, local] : [local, peer];
  const lines = bytes.toString('utf8').split(/\r?\n/).map(escapeUnseen);
  return [`${timeText(at)} ${transport} ${endpointText(from)} > ${endpointText(to)}`, '', ...lines].flatMap((line) =>
    wrapped(line, columns),
  );
}

function wrapped(line: string, columns: number): string[] {
  const pieces: string[] = [];
  let rest = line;
  while (widthOf(rest) > columns) {
    const piece = cut(rest, columns + 1).slice(0, -1) || rest.slice(0, 1);
    pieces.push(piece);
    rest = rest.slice(piece.length);
  }
  return [...pieces, rest];
}

function rungs(
  messages: readonly FollowedMessage[],
  chosen: number,
  columns: number,
  space: number,
  paint: Paint,
): string[] {
  const isSplit = columns >= SPLIT_COLUMNS;
  const width = isSplit ? columns - Math.max(MESSAGE_COLUMNS_MIN, Math.floor(columns * 0.4)) - 2 : columns;
  const ladder = new Ladder(messages, width);
  const height = Math.max(1, space - 2);
  const first = Math.max(0, Math.min(chosen - Math.floor(height / 2), messages.length - height));
  const lines = messages.slice(first, first + height).map((message, i) => {
    const line = ladder.line(message);
    return first + i === chosen ? paint('inverse', line) : paint(styleOf(message), line);
  });
  const all = [ladder.head(), ladder.rails(), ...lines];
  if (!isSplit) return all;
  const beside = messageLines(messages[chosen], columns - width - 2);
  return Array.from({ length: space }, (_, i) => `${all[i] ?? ladder.rails()}  ${paint('dim', beside[i] ?? '')}`);
}

function styleOf(message: FollowedMessage): Style {
  const status = Number(/^SIP\/2\.0 (\d{3})/.exec(message.bytes.toString('latin1', 0, 12))?.[1] ?? 0);
  if (status === 0) return 'green';
  if (status < 300) return 'cyan';
  return status === 401 || status === 407 ? 'yellow' : 'red';
}

/** Rails for Aorta, at the right, and for as many peers as fit. */
class Ladder {
  private readonly peers: string[];
  private readonly width: number;
  private readonly gap: number;

  constructor(messages: readonly FollowedMessage[], width: number) {
    this.width = width;
    const all = [...new Set(messages.map(({ peer }) => endpointText(peer)))];
    const fitting = Math.max(1, Math.floor((width - TIME_COLUMNS - 4) / RUNG_COLUMNS));
    this.peers = all.slice(0, fitting);
    this.gap = Math.floor((width - TIME_COLUMNS - 4) / this.peers.length);
  }

  private rail(peer: number): number {
    return TIME_COLUMNS + peer * this.gap;
  }

  private get home(): number {
    return TIME_COLUMNS + this.peers.length * this.gap;
  }

  head(): string {
    const names = this.peers
      .map((name) => toWidth(name, this.gap - 1))
      .join(' ')
      .trimEnd();
    return toWidth(' '.repeat(TIME_COLUMNS) + names, this.home - 2) + toWidth('aorta', this.width - this.home + 2);
  }

  rails(): string {
    return toWidth(this.row().join(''), this.width);
  }

  line(message: FollowedMessage): string {
    const row = this.row();
    const found = this.peers.indexOf(endpointText(message.peer));
    const peer = found < 0 ? this.peers.length - 1 : found;
    const [from, to] = [this.rail(peer) + 1, this.home - 1];
    for (let at = from; at <= to; at++) row[at] = '─';
    if (message.isReceived) row[to] = '▶';
    else row[from] = '◀';
    const label = ` ${cut(escapeUnseen(labelOf(message)), Math.max(1, to - from - 5))} `;
    const at = from + Math.max(1, Math.floor((to - from - widthOf(label)) / 2));
    const line = row.slice(0, at).join('') + label + row.slice(at + widthOf(label)).join('');
    return toWidth(timeText(message.at) + line.slice(timeText(0).length), this.width);
  }

  private row(): string[] {
    const row = Array.from({ length: this.home + 1 }, () => ' ');
    for (const peer of this.peers.keys()) row[this.rail(peer)] = '│';
    row[this.home] = '│';
    return row;
  }
}
