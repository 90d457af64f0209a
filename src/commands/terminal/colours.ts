// Colours on a terminal, where it supports them and NO_COLOR (no-color.org) does not refuse them.

import { styleText } from 'node:util';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan' | 'inverse';
export type Paint = (style: Style, text: string) => string;

export function painter(isTerminal: boolean, environment: NodeJS.ProcessEnv = process.env): Paint {
  const isOn = isTerminal && !environment.NO_COLOR && environment.TERM !== 'dumb';
  return isOn ? (style, text) => styleText(style, text, { validateStream: false }) : (_style, text) => text;
}
