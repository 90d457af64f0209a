// A headless Chromium for tests, spoken to by the DevTools protocol over pipes: pages are opened, looked at, typed into.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { patience } from './patience.ts';

const PATHS = [process.env.CHROMIUM ?? '', '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
export const CHROMIUM = PATHS.find((path) => path !== '' && existsSync(path));

const WAIT_MS = 15_000;

export interface ScreenOptions {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
}

export class Chromium {
  /** What pages wrote to the console as an error, and exceptions that nobody caught. */
  readonly errors: string[] = [];
  private readonly child: ChildProcess;
  private readonly profile: string;
  private readonly waiting = new Map<number, (answer: { result?: unknown; error?: { message: string } }) => void>();
  private last = 0;
  private session: string | undefined;

  constructor() {
    this.profile = mkdtempSync(join(tmpdir(), 'aorta-chromium-'));
    const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'];
    const args = [...flags, '--remote-debugging-pipe', `--user-data-dir=${this.profile}`, 'about:blank'];
    // A group of its own, so that its children can be ended with it.
    const stdio = ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] as const;
    this.child = spawn(CHROMIUM ?? 'chromium', args, { stdio: [...stdio], detached: true });
    let text = '';
    (this.child.stdio[4] as Readable).setEncoding('utf8').on('data', (piece: string) => {
      const messages = (text + piece).split('\0');
      text = messages.pop() ?? '';
      for (const message of messages) this.hear(JSON.parse(message));
    });
  }

  /** Opens a page and waits until it has loaded. */
  async open(url: string, { width = 1200, height = 900, dark = false }: ScreenOptions = {}): Promise<void> {
    const { targetId } = await this.call<{ targetId: string }>('Target.createTarget', { url: 'about:blank' });
    const attached = await this.call<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true });
    this.session = attached.sessionId;
    for (const domain of ['Page', 'Runtime', 'Log']) await this.call(`${domain}.enable`);
    await this.call('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
    const features = [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }];
    await this.call('Emulation.setEmulatedMedia', { features });
    await this.call('Page.navigate', { url });
    await this.until("document.readyState === 'complete' && location.href !== 'about:blank'");
  }

  /** The value of an expression in the page. */
  async value<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.call<{ result: { value: T }; exceptionDetails?: { text: string } }>(
      'Runtime.evaluate',
      { expression, returnByValue: true, awaitPromise: true },
    );
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return result.value;
  }

  /** Waits until an expression is true. */
  async until(expression: string): Promise<void> {
    for (const end = performance.now() + WAIT_MS * patience(); performance.now() < end; await delay(50))
      if (await this.value<boolean>(`Boolean(${expression})`)) return;
    throw new Error(`never true: ${expression}\n${await this.value<string>('document.body.innerText')}`);
  }

  async type(text: string): Promise<void> {
    await this.call('Input.insertText', { text });
  }

  async press(key: 'Tab' | 'Enter' | ' '): Promise<void> {
    const code = { Tab: 9, Enter: 13, ' ': 32 }[key];
    const text = { Tab: undefined, Enter: '\r', ' ': ' ' }[key];
    const event = { key, code: key === ' ' ? 'Space' : key, windowsVirtualKeyCode: code };
    await this.call('Input.dispatchKeyEvent', { ...event, type: 'keyDown', ...(text && { text }) });
    await this.call('Input.dispatchKeyEvent', { ...event, type: 'keyUp' });
  }

  /** PNG of the page as far as it is tall. */
  async screenshot(): Promise<Buffer> {
    const options = { format: 'png', captureBeyondViewport: false };
    return Buffer.from((await this.call<{ data: string }>('Page.captureScreenshot', options)).data, 'base64');
  }

  /** Roles and names as a screen reader meets them. */
  async accessible(): Promise<string[]> {
    const { nodes } = await this.call<{
      nodes: { ignored: boolean; role?: { value: string }; name?: { value: string } }[];
    }>('Accessibility.getFullAXTree');
    return nodes.flatMap(({ ignored, role, name }) => (ignored ? [] : [`${role?.value}: ${name?.value ?? ''}`]));
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    process.kill(-(this.child.pid as number), 'SIGKILL');
    await ended;
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  private call<T>(method: string, params: object = {}): Promise<T> {
    const id = ++this.last;
    const session = method.startsWith('Target.') ? {} : { sessionId: this.session };
    (this.child.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    return new Promise((resolve, reject) => {
      this.waiting.set(id, ({ result, error }) => {
        if (error === undefined) resolve(result as T);
        else reject(new Error(`${method}: ${error.message}`));
      });
    });
  }

  private hear(message: {
    id?: number;
    result?: unknown;
    error?: { message: string };
    method?: string;
    params?: { entry?: { level: string; text: string }; exceptionDetails?: unknown };
  }): void {
    if (message.id !== undefined) {
      this.waiting.get(message.id)?.(message);
      this.waiting.delete(message.id);
    } else if (message.method === 'Runtime.exceptionThrown') this.errors.push(JSON.stringify(message.params));
    else if (message.method === 'Log.entryAdded' && message.params?.entry?.level === 'error')
      this.errors.push(message.params.entry.text);
  }
}
