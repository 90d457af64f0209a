// The phone of the demo: one REGISTER over UDP, repeated as by a phone.

import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';

const T1_MS = 500;
const GIVE_UP_MS = 32_000;

let cseq = 0;

/** Status of the final answer. Rejects where there is none in 32 s (Timer F). */
export function registerOnce(port: number, aor: string): Promise<number> {
  const socket = createSocket('udp4');
  const token = randomBytes(6).toString('hex');
  const [user, domain] = aor.split('@');
  return new Promise<number>((resolve, reject) => {
    let timer: NodeJS.Timeout;
    const ends = setTimeout(() => reject(new Error(`no answer to the REGISTER of ${aor}`)), GIVE_UP_MS);
    socket.on('message', (bytes) => {
      const status = Number(/^SIP\/2\.0 (\d{3})/.exec(bytes.toString('latin1'))?.[1] ?? 0);
      if (status < 200) return;
      clearTimeout(ends);
      resolve(status);
    });
    socket.bind(0, '127.0.0.1', () => {
      const own = socket.address().port;
      const text =
        `REGISTER sip:${domain} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${own};branch=z9hG4bK${token};rport\r\nMax-Forwards: 70\r\n` +
        `From: <sip:${aor}>;tag=${token}\r\nTo: <sip:${aor}>\r\nCall-ID: demo-${process.pid}\r\nCSeq: ${++cseq} REGISTER\r\n` +
        `Contact: <sip:${user}@127.0.0.1:5099>;expires=600\r\nContent-Length: 0\r\n\r\n`;
      const send = (ms: number) => {
        socket.send(text, port, '127.0.0.1');
        timer = setTimeout(() => send(Math.min(ms * 2, 4000)), ms);
      };
      send(T1_MS);
    });
    socket.once('close', () => clearTimeout(timer));
  }).finally(() => socket.close());
}
