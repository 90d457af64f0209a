// `aorta trace follow`: messages of a phone as they pass, as a ladder on a terminal, as text or JSON elsewhere, and into a capture file.

import { print } from '../../server/process/terminal.ts';
import { AdminClient, type AdminOptions } from '../terminal/admin-client.ts';
import { painter } from '../terminal/colours.ts';
import { CommandError } from '../terminal/command-action.ts';
import { openFullScreen } from '../terminal/full-screen.ts';
import { type FollowedMessage, followMessages } from './followed-messages.ts';
import { drawLadder, type LadderState, messageLines } from './ladder.ts';
import { PcapFile } from './pcap-file.ts';

const KEPT = 5000;
const PAGE_LINES = 10;
/** Shortest time between two drawings for a busy phone. */
const DRAW_MS = 100;

export interface FollowOptions extends AdminOptions {
  readonly pcap?: string;
  readonly count?: string;
}

export async function follow(name: string, options: FollowOptions): Promise<void> {
  const client = new AdminClient(options);
  const count = options.count === undefined ? Number.POSITIVE_INFINITY : Number(options.count);
  if (!(count >= 1)) throw new CommandError(`--count: expected a number, got "${options.count}"`, 2);
  const file = openPcap(options.pcap);
  try {
    if (process.stdin.isTTY && process.stdout.isTTY && !options.json)
      await live(client, name, count, options.pcap, file);
    else await printed(client, name, count, options.json === true, file);
  } finally {
    file?.close();
  }
}

function openPcap(path: string | undefined): PcapFile | undefined {
  if (path === undefined) return undefined;
  try {
    return new PcapFile(path);
  } catch (error) {
    throw new CommandError(`--pcap: ${(error as Error).message}`);
  }
}

async function printed(client: AdminClient, name: string, count: number, json: boolean, file: PcapFile | undefined) {
  let seen = 0;
  const missed = (lost: number) => print(json ? `${JSON.stringify({ missed: lost })}\n` : `(${lost} missed)\n\n`);
  for await (const message of followMessages(client, name, missed)) {
    file?.add(message);
    const { bytes, ...rest } = message;
    const text = bytes.toString('utf8');
    const lines = messageLines(message, Number.POSITIVE_INFINITY);
    print(json ? `${JSON.stringify({ ...rest, message: text })}\n` : `${lines.join('\n').trimEnd()}\n\n`);
    if (++seen >= count) return;
  }
}

async function live(
  client: AdminClient,
  name: string,
  count: number,
  path: string | undefined,
  file: PcapFile | undefined,
) {
  const paint = painter(true);
  let messages: FollowedMessage[] = [];
  let missed = 0;
  let state: LadderState = { chosen: undefined, isOpen: false, scrolled: 0 };
  const found = followMessages(client, name, (lost) => {
    missed += lost;
  });
  const draw = () =>
    screen?.draw(drawLadder({ name, messages, missed, file: path }, state, screen.columns, screen.rows, paint));
  let drawing: NodeJS.Timeout | undefined;
  const drawSoon = () => {
    drawing ??= setTimeout(() => {
      drawing = undefined;
      draw();
    }, DRAW_MS);
  };
  let quit: () => void = () => {};
  const quitting = new Promise<undefined>((resolve) => {
    quit = () => resolve(undefined);
  });
  const screen = openFullScreen((key) => {
    if (key === 'q' || key === 'interrupt') return quit();
    if (key === 'c') messages = [];
    state = stateAfter(state, key, messages.length);
    draw();
  }, draw);
  try {
    draw();
    for (let seen = 0; seen < count; seen++) {
      const next = await Promise.race([found.next(), quitting]);
      if (next === undefined || next.done) return;
      file?.add(next.value);
      messages.push(next.value);
      if (messages.length > KEPT) messages.shift();
      drawSoon();
    }
  } finally {
    clearTimeout(drawing);
    screen?.leave();
    client.close();
  }
}

export function stateAfter(state: LadderState, key: string, count: number): LadderState {
  const { chosen, isOpen, scrolled } = state;
  const step = { up: -1, down: 1, 'page up': -PAGE_LINES, 'page down': PAGE_LINES }[key] ?? 0;
  if (key === 'enter') return { ...state, isOpen: !isOpen, scrolled: 0, chosen: chosen ?? count - 1 };
  if (key === 'escape') return { ...state, isOpen: false };
  if (key === 'end' || key === 'c') return { chosen: undefined, isOpen: false, scrolled: 0 };
  if (step === 0) return state;
  if (isOpen) return { ...state, scrolled: Math.max(0, scrolled + step) };
  const at = Math.max(0, Math.min(count - 1, (chosen ?? count - 1) + step));
  return { ...state, chosen: at === count - 1 && step > 0 ? undefined : at };
}
