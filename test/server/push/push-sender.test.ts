// Pushes of several services that share a budget: what one of them, which is down, costs the others.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { PushBudget } from '../../../src/server/push/push-budget.ts';
import { PushSender } from '../../../src/server/push/push-sender.ts';
import { WebhookPush } from '../../../src/server/push/webhook-push.ts';
import { collectGarbage } from '../../../src/threads/rehearsal/collect-garbage.ts';
import { poll } from '../../support/child-process.ts';
import { PushReceiver } from '../../support/push-services.ts';

const PER_SECOND = 20;
let silent: Server;
let receiver: PushReceiver;
const senders: PushSender[] = [];

afterEach(async () => {
  for (const sender of senders.splice(0)) sender.close();
  await receiver.close();
  silent.close();
});

it.each([
  ['rests', 60_000],
  ['has its trial', 1],
])('a service that is down and %s takes no places of the others', async (_, openMs) => {
  receiver = await new PushReceiver().open();
  silent = createServer((socket) => void socket.on('error', () => {})).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const budget = new PushBudget(PER_SECOND);
  const limits = { timeoutMs: 300, retryMs: 10, failures: 1, openMs };
  const senderTo = (url: string) => {
    const service = new WebhookPush({ url, secretFile: '', providers: ['other'] }, receiver.secret);
    const sender = new PushSender(service, limits, budget, () => {});
    senders.push(sender);
    return sender;
  };
  const down = senderTo(`http://127.0.0.1:${(silent.address() as AddressInfo).port}`);
  const well = senderTo(receiver.url);
  const push = (sender: PushSender, n: number, patienceMs = 0) => {
    const device = { provider: 'other', param: '', prid: `device-${n}` };
    return sender.send({ device, reason: 'call', until: Date.now() }, patienceMs);
  };
  const first = push(down, 0);
  collectGarbage(); // which must not take the limit of its time with it
  expect(await first).toBe('failed');
  await poll('its pause, or the end of it', 5000, () => down.isOpen === openMs > 1 || undefined);
  const outcomes = Array.from({ length: 1000 }, (_, n) => push(down, n));
  expect(await push(well, 0)).toBe('sent');
  await Promise.all(outcomes);
  expect(down.counts['put off']).toBe(openMs > 1 ? 1000 : 999);
});
