import { expect, it } from 'vitest';
import { hepPacket } from '../../../src/server/admin/hep.ts';
import { TRANSPORT_UDP, TRANSPORT_WSS } from '../../../src/sip/sources.ts';

const address = (hex: string, port: number) => ({ ip: Buffer.from(hex.padEnd(32, '0'), 'hex'), port });

it('writes the chunks of HEP3 in network order', () => {
  const message = {
    payload: Buffer.from('SIP/2.0 200 OK\r\n\r\n'),
    family: 4,
    transport: TRANSPORT_UDP,
    time: 1_700_000_000_123,
  };
  const packet = hepPacket(
    { ...message, from: address('c0000201', 5060), to: address('c6336402', 40_000) },
    { captureId: 0x89abcdef, authKey: 'myHep' },
  );
  expect(packet?.toString('hex')).toBe(
    [
      '484550330080', // HEP3, 128 bytes
      '00000001000702', // AF_INET
      '00000002000711', // UDP
      '00000003000ac0000201',
      '00000004000ac6336402',
      '00000007000813c4',
      '0000000800089c40',
      '00000009000a6553f100',
      '0000000a000a0001e078', // 123,000 us
      '0000000b000701', // SIP
      '0000000c000a89abcdef',
      '0000000e000b6d79486570',
      '0000000f0018' + Buffer.from('SIP/2.0 200 OK\r\n\r\n').toString('hex'),
    ].join(''),
  );
});

it('IPv6 and streams; a message beyond the 16 bits of its length is none', () => {
  const ends = { from: address('20010db8', 1), to: address('fe80', 2) };
  const packet = hepPacket(
    { payload: Buffer.from('x'), family: 6, transport: TRANSPORT_WSS, time: 0, ...ends },
    { captureId: 1 },
  );
  expect(packet?.toString('hex')).toContain('0000000100070a' + '00000002000706' + '00000005001620010db8');
  const large = { payload: Buffer.alloc(65_500), family: 6, transport: TRANSPORT_WSS, time: 0, ...ends };
  expect(hepPacket(large, { captureId: 1 })).toBeUndefined();
});
