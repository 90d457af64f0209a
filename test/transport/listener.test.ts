// How a listener is written.

import { expect, it } from 'vitest';
import { formatListener } from '../../src/transport/listener.ts';

it('writes a listener as it is configured', () => {
  expect(formatListener('udp', '127.0.0.1', 5060)).toBe('udp:127.0.0.1:5060');
  expect(formatListener('udp', '::1', 5060)).toBe('udp:[::1]:5060');
});
