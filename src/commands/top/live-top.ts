// `aorta top` on a terminal: reads the server's state again and again, draws, and acts on keys.

import { setTimeout as delay } from 'node:timers/promises';
import type { AdminClient } from '../terminal/admin-client.ts';
import { painter } from '../terminal/colours.ts';
import { CommandError } from '../terminal/command-action.ts';
import { openFullScreen } from '../terminal/full-screen.ts';
import { figures, look, lookBack } from './top-figures.ts';
import { TOP_TABLES } from './top-tables.ts';
import { drawTop, type TopPage, type TopState } from './top-view.ts';

const SENDERS = 100;
const FIRST_MS = 300;
const PAGE_ROWS = 10;

export const FIRST_STATE: TopState = {
  alone: undefined,
  sortedBy: new Map(),
  filter: '',
  isTyping: false,
  help: false,
  scrolled: 0,
};

/** Returns when the user quits. */
export async function liveTop(client: AdminClient, ms: number): Promise<void> {
  const paint = painter(process.stdout.isTTY);
  const quit = new AbortController();
  let state = FIRST_STATE;
  let page: TopPage | undefined;
  let before = await look(client, SENDERS);
  const draw = () => {
    if (page !== undefined) screen?.draw(drawTop(page, state, screen.columns, screen.rows, paint));
  };
  const screen = openFullScreen((key) => {
    const next = stateAfter(state, key);
    if (next === undefined) return quit.abort();
    state = next;
    draw();
  }, draw);
  if (screen === undefined) throw new CommandError('top: this is no terminal', 2);
  try {
    for (let wait = Math.min(FIRST_MS, ms); ; wait = ms) {
      await delay(wait, undefined, { signal: quit.signal });
      const now = await look(client, SENDERS);
      const past = await lookBack(client);
      const clock = new Date().toTimeString().slice(0, 8);
      page = { url: client.url, status: now.status, figures: figures(before, now), past, clock };
      before = now;
      draw();
    }
  } catch (error) {
    if (!quit.signal.aborted) throw error;
  } finally {
    screen.leave();
  }
}

/** The state after a key; undefined: the user quits. */
export function stateAfter(state: TopState, key: string): TopState | undefined {
  if (key === 'interrupt') return undefined;
  if (state.isTyping) return typed(state, key);
  if (state.help) return key === 'q' ? undefined : { ...state, help: false };
  const count = TOP_TABLES.length;
  const table = (alone: number | undefined) => ({ ...state, alone, scrolled: 0 });
  switch (key) {
    case 'q':
      return undefined;
    case '?':
      return { ...state, help: true };
    case '/':
      return { ...state, isTyping: true };
    case 'escape':
      return { ...state, filter: '' };
    case 'tab':
      return table(state.alone === undefined ? 0 : state.alone + 1 < count ? state.alone + 1 : undefined);
    case 'back tab':
      return table(state.alone === undefined ? count - 1 : state.alone > 0 ? state.alone - 1 : undefined);
    case 's':
      return { ...state, sortedBy: nextSort(state) };
    case 'up':
    case 'page up':
      return { ...state, scrolled: Math.max(0, state.scrolled - (key === 'up' ? 1 : PAGE_ROWS)) };
    case 'down':
    case 'page down':
      return { ...state, scrolled: state.scrolled + (key === 'down' ? 1 : PAGE_ROWS) };
  }
  return /^[0-4]$/.test(key) ? table(key === '0' ? undefined : Number(key) - 1) : state;
}

function typed(state: TopState, key: string): TopState {
  if (key === 'enter') return { ...state, isTyping: false };
  if (key === 'escape') return { ...state, isTyping: false, filter: '' };
  if (key === 'backspace') return { ...state, filter: [...state.filter].slice(0, -1).join('') };
  return [...key].length === 1 && key >= ' ' ? { ...state, filter: state.filter + key } : state;
}

/** The next column of the single table, or of all tables. */
function nextSort({ alone, sortedBy }: TopState): ReadonlyMap<number, number> {
  const next = new Map(sortedBy);
  for (const [i, { columns, sorted }] of TOP_TABLES.entries())
    if (alone === undefined || alone === i) next.set(i, ((sortedBy.get(i) ?? sorted) + 1) % columns.length);
  return next;
}
