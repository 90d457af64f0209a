// Messages in captures, over each kind of link, and put together from the segments of TCP.

import { describe, expect, it } from 'vitest';
import { isCapture, packetsOf } from '../../src/commands/bench/capture-file.ts';
import { messagesOf } from '../../src/commands/bench/captured-messages.ts';
import { ethernet, ipv4, ipv6, pcap, pcapng, tcpPacket, udp, udpPacket } from '../support/captures.ts';

const ONE = 'OPTIONS sip:example.com SIP/2.0\r\nCall-ID: one\r\nContent-Length: 0\r\n\r\n';
const TWO = 'OPTIONS sip:example.com SIP/2.0\r\nCall-ID: two\r\nContent-Length: 5\r\n\r\nhello';
const SYN = 2;

function read(capture: Buffer): { texts: string[]; packets: number[]; fragments: number; gaps: number } {
  const leftOut = { fragments: 0, gaps: 0 };
  const all = [...messagesOf(packetsOf(capture), leftOut)];
  return { texts: all.map(({ bytes }) => String(bytes)), packets: all.map(({ packet }) => packet), ...leftOut };
}

describe('a capture', () => {
  it.each([
    ['pcap', pcap([udpPacket(ONE)])],
    ['pcap of the other byte order', pcap([udpPacket(ONE)], 1, 'BE')],
    ['pcapng', pcapng([udpPacket(ONE)])],
    ['with a VLAN tag', pcap([ethernet(0x0800, ipv4(17, udp(ONE)), true)])],
    ['of IPv6', pcap([ethernet(0x86dd, ipv6(17, udp(ONE)))])],
    [
      'of IPv6 with an extension header',
      pcap([ipv6(0, Buffer.concat([Buffer.from([17, 0, 0, 0, 0, 0, 0, 0]), udp(ONE)]))], 101),
    ],
    ['of raw IP', pcap([ipv4(17, udp(ONE))], 101)],
    ['of the loopback of BSD', pcap([Buffer.concat([Buffer.from([2, 0, 0, 0]), ipv4(17, udp(ONE))])], 0)],
    ['of "any" on Linux', pcap([Buffer.concat([Buffer.alloc(14), Buffer.from([8, 0]), ipv4(17, udp(ONE))])], 113)],
    [
      'of "any" on Linux, of today',
      pcap([Buffer.concat([Buffer.from([8, 0]), Buffer.alloc(18), ipv4(17, udp(ONE))])], 276),
    ],
  ])('%s has the message', (_name, capture) => {
    expect(isCapture(capture)).toBe(true);
    expect(read(capture).texts).toEqual([ONE]);
  });

  it('counts packets as Wireshark does, and leaves out what is no SIP and what is in fragments', () => {
    const others = [udpPacket('\r\n\r\n'), udpPacket('GET / HTTP/1.1\r\n\r\n'), ethernet(0x0806, Buffer.alloc(28))];
    const fragment = ethernet(0x0800, ipv4(17, udp(ONE), 0x2000));
    const found = read(pcap([...others, fragment, udpPacket(TWO)]));
    expect(found).toEqual({ texts: [TWO], packets: [5], fragments: 1, gaps: 0 });
  });

  it('puts messages of TCP together, once each, whatever the segments', () => {
    const both = ONE + TWO;
    const parts = [tcpPacket(100, '', SYN), tcpPacket(101, both.slice(0, 20)), tcpPacket(121, both.slice(20, 90))];
    const again = [tcpPacket(121, both.slice(20, 90)), tcpPacket(181, both.slice(80))];
    const found = read(pcap([...parts, ...again]));
    expect(found).toEqual({ texts: [ONE, TWO], packets: [3, 5], fragments: 0, gaps: 0 });
  });

  it('goes on behind a gap with the next message that begins', () => {
    const lost = [tcpPacket(1, ONE.slice(0, 30)), tcpPacket(900, 'rest\r\n\r\n'), tcpPacket(908, TWO)];
    expect(read(pcap(lost))).toMatchObject({ texts: [TWO], gaps: 1 });
  });

  it('of any bytes throws no other error than its own, and ends', () => {
    const whole = pcapng([udpPacket(ONE), tcpPacket(7, TWO)]);
    for (let cut = 0; cut < whole.length; cut++) {
      const damaged = Buffer.from(whole);
      damaged[cut] ^= 0xff;
      for (const bytes of [whole.subarray(0, cut), damaged]) {
        try {
          if (isCapture(bytes)) read(bytes);
        } catch (error) {
          expect((error as Error).name, `byte ${cut}`).toBe('CaptureError');
        }
      }
    }
  });
});
