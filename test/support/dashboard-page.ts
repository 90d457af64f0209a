// The dashboard's page in a real browser, for tests: its texts, its keys, and what axe-core has against it.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { CHROMIUM, type Chromium } from './chromium.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Says why, where there is none. */
export function lacksChromium(): boolean {
  if (CHROMIUM === undefined) console.warn('skipped: no chromium (apt-get install chromium)');
  return CHROMIUM === undefined;
}

/** What a person reads in an element, as an expression of the page. */
export function text(id: string): string {
  return `document.getElementById('${id}').innerText`;
}

export async function press(browser: Chromium, selector: string): Promise<void> {
  await browser.value(`document.querySelector('${selector}').focus()`);
  await browser.press('Enter');
}

/** Of the page as it is now. */
export async function faults(browser: Chromium): Promise<string[]> {
  await browser.value(`${AXE}; 0`);
  return browser.value<string[]>(
    "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' ')))",
  );
}
