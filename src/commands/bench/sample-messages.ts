// Messages of benchmarks: eight as real phones send them, and any number of seeded ones. Lengths, token values and
// header order of the seeded ones vary, so that neither branch predictors nor caches can learn them.

const lines = (...rows: string[]): string => `${rows.join('\r\n')}\r\n\r\n`;

const SOFTPHONE_REGISTER = lines(
  'REGISTER sip:example.com SIP/2.0',
  'Via: SIP/2.0/UDP 192.0.2.17:5060;branch=z9hG4bK4a1f7b2f9d6c0e33;rport',
  'Contact: <sip:alice-0x55d0c8a1b2f0@192.0.2.17:5060>;expires=3600;+sip.instance="<urn:uuid:6a1b7e8e-4f3d-4c11-9c8a-0c2f6d1b7e8e>"',
  'Max-Forwards: 70',
  'To: <sip:alice@example.com>',
  'From: <sip:alice@example.com>;tag=5d2b6f1c7a8e9043',
  'Call-ID: 8c1e0f6b3a597d42',
  'CSeq: 21443 REGISTER',
  'User-Agent: baresip v1.0.0 (x86_64/linux)',
  'Supported: gruu, outbound, path',
  'Allow: INVITE,ACK,BYE,CANCEL,OPTIONS,NOTIFY,SUBSCRIBE,INFO,MESSAGE,UPDATE,REFER',
  'Content-Length: 0',
);

const MOBILE_REGISTER = lines(
  'REGISTER sip:voip.example.net SIP/2.0',
  'Via: SIP/2.0/UDP 10.11.12.13:43120;branch=z9hG4bK.tYx0Wq7Uc;rport',
  'From: <sip:+14155550123@voip.example.net>;tag=Wf3q9bK1u',
  'To: sip:+14155550123@voip.example.net',
  'CSeq: 20 REGISTER',
  'Call-ID: nYIhWc9G2~',
  'Max-Forwards: 70',
  'Supported: replaces, outbound, gruu, path, record-aware',
  'Accept: application/sdp, text/plain, application/vnd.gsma.rcs-ft-http+xml, multipart/mixed',
  'Contact: <sip:+14155550123@10.11.12.13:43120;transport=udp>;q=0.5;reg-id=1;+sip.instance="<urn:uuid:1b6f3c7e-09d2-0059-a1f4-cf3b2a6d8e10>";+org.linphone.specs="conference/2.0,ephemeral/1.1,groupchat/1.2,lime"',
  'Expires: 600',
  'User-Agent: LinphoneAndroid/5.2.0 (Pixel 8) LinphoneSDK/5.3.0 (tags/5.3.0^0)',
  'Content-Length: 0',
);

const DESK_PHONE_AUTHORIZED = lines(
  'REGISTER sip:pbx.example.org:5060 SIP/2.0',
  'Via: SIP/2.0/UDP 172.16.4.21:5060;branch=z9hG4bK2139087665',
  'From: "Reception" <sip:2001@pbx.example.org:5060>;tag=1826940335',
  'To: "Reception" <sip:2001@pbx.example.org:5060>',
  'Call-ID: 0_3051876120@172.16.4.21',
  'CSeq: 3 REGISTER',
  'Contact: <sip:2001@172.16.4.21:5060>',
  'Authorization: Digest username="2001", realm="pbx.example.org", nonce="6f1c2d9b8e0a4c57b3d2e1f00a9b8c7d", uri="sip:pbx.example.org:5060", response="a6b1c2d3e4f5061728394a5b6c7d8e9f", algorithm=MD5, cnonce="0a4f113b", opaque="5ccc069c403ebaf9f0171e9517f40e41", qop=auth, nc=00000002',
  'Allow: INVITE, INFO, PRACK, ACK, BYE, CANCEL, OPTIONS, NOTIFY, REGISTER, SUBSCRIBE, REFER, PUBLISH, UPDATE, MESSAGE',
  'Max-Forwards: 70',
  'User-Agent: Yealink SIP-T46S 66.86.0.15',
  'Expires: 3600',
  'Allow-Events: talk,hold,conference,refer,check-sync',
  'Content-Length: 0',
);

const BY_EDGE_PROXY = lines(
  'REGISTER sip:ims.example.com SIP/2.0',
  'Via: SIP/2.0/UDP 198.51.100.4:5060;branch=z9hG4bK-edge-7d81f2c4-1;rport',
  'Via: SIP/2.0/UDP 192.168.178.31:5062;received=203.0.113.77;rport=61044;branch=z9hG4bK7c3e11d0',
  'Max-Forwards: 69',
  'From: "Bob Example" <sip:bob@ims.example.com>;tag=as58f4201b',
  'To: <sip:bob@ims.example.com>',
  'Call-ID: 4e5f6071-8293-a4b5-c6d7-e8f90a1b2c3d@192.168.178.31',
  'CSeq: 104 REGISTER',
  'Contact: "Bob" <sip:bob@192.168.178.31:5062;ob>;reg-id=1;+sip.instance="<urn:uuid:00000000-0000-1000-8000-001122334455>"',
  'Path: <sip:edge-3@198.51.100.4:5060;lr;ob>',
  'Supported: path, outbound, gruu',
  'Require: path',
  'Expires: 1800',
  'User-Agent: AVM FRITZ!Box 7590 154.07.57',
  'Allow: INVITE, ACK, OPTIONS, CANCEL, BYE, UPDATE, PRACK, INFO, SUBSCRIBE, NOTIFY, REFER, MESSAGE',
  'Content-Length: 0',
);

const COMPACT_IPV6 = lines(
  'REGISTER sip:[2001:db8::10] SIP/2.0',
  'v: SIP/2.0/UDP [2001:db8::9:1]:5060;branch=z9hG4bKas3-111;rport',
  'f: <sip:carol@[2001:db8::10]>;tag=17fa',
  't: <sip:carol@[2001:db8::10]>',
  'i: SSG9559905523997077@hlau_4100',
  'CSeq: 98176 REGISTER',
  'Max-Forwards: 70',
  'm: <sip:carol@[2001:db8::9:1]:5060>;expires=300, <sip:carol@[2001:db8::9:2]:5062;transport=udp>;q=0.3;expires=300',
  'k: path',
  'User-Agent: PolycomVVX-VVX_411-UA/5.9.7.4477',
  'Accept-Language: en',
  'l: 0',
);

const WEBRTC_REGISTER = lines(
  'REGISTER sip:rtc.example.com SIP/2.0',
  'Via: SIP/2.0/WSS 0e9q4t3v8c2m.invalid;branch=z9hG4bK6871201',
  'Max-Forwards: 69',
  'To: <sip:dave@rtc.example.com>',
  'From: "Dave" <sip:dave@rtc.example.com>;tag=ol2f6jv0q9',
  'Call-ID: 3o1t8mbl4r6k0ju5ivc2',
  'CSeq: 1 REGISTER',
  'Contact: <sip:7kq2l0xn@0e9q4t3v8c2m.invalid;transport=wss>;+sip.ice;reg-id=1;+sip.instance="<urn:uuid:f1a7d3c5-22be-4c86-9a1d-6e0b7d45c3f2>";expires=600',
  'Expires: 600',
  'Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY',
  'Supported: path,gruu,outbound',
  'User-Agent: JsSIP 3.10.1',
  'Content-Length: 0',
);

const OPTIONS_PING = lines(
  'OPTIONS sip:erin@example.com SIP/2.0',
  'Via: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bKPj-2c0e7a91b3d54f68a7e0;rport',
  'Max-Forwards: 70',
  'From: <sip:ping@203.0.113.5>;tag=9b7c0d1e2f3a4b5c',
  'To: <sip:erin@example.com>',
  'Contact: <sip:ping@203.0.113.5:5060>',
  'Call-ID: f81d4fae-7dec-11d0-a765-00a0c91e6bf6',
  'CSeq: 44871 OPTIONS',
  'Supported: path, 100rel, timer, replaces, norefersub',
  'Accept: application/sdp, application/pidf+xml',
  'User-Agent: Asterisk PBX 20.6.0',
  'Content-Length: 0',
);

const WILDCARD_UNREGISTER = lines(
  'REGISTER sip:example.com SIP/2.0',
  'Via: SIP/2.0/UDP 192.0.2.80:1024;branch=z9hG4bK-524287-1---d8754z;rport',
  'Max-Forwards: 70',
  'Contact: *',
  'To: "frank"<sip:frank@example.com>',
  'From: "frank"<sip:frank@example.com>;tag=6b31e85d',
  'Call-ID: MTg3ZDM1NTMwYzE4YjE1ZTk4ZjFhNmI4NzQ3ZTE0NDY',
  'CSeq: 7 REGISTER',
  'Expires: 0',
  'Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REGISTER, SUBSCRIBE, NOTIFY, REFER, INFO, MESSAGE',
  'Supported: replaces, outbound, gruu',
  'User-Agent: X-Lite release 5.8.3 stamp 102651',
  'Content-Length: 0',
);

export const TYPICAL_MESSAGES: readonly string[] = [
  SOFTPHONE_REGISTER,
  MOBILE_REGISTER,
  DESK_PHONE_AUTHORIZED,
  BY_EDGE_PROXY,
  COMPACT_IPV6,
  WEBRTC_REGISTER,
  OPTIONS_PING,
  WILDCARD_UNREGISTER,
];

/** A small generator of evenly distributed numbers in [0, 1): xorshift32, the same on every machine. */
export function seeded(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4294967296;
  };
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._';

/** @param count of messages; every eighth of them is an OPTIONS */
export function variedMessages(count: number, seed = 20_260_101): string[] {
  const random = seeded(seed);
  const between = (min: number, max: number) => min + Math.floor(random() * (max - min + 1));
  const token = (min: number, max: number) =>
    Array.from({ length: between(min, max) }, () => ALPHABET[between(0, ALPHABET.length - 1)]).join('');
  const digits = (length: number) => Array.from({ length }, () => between(0, 9)).join('');
  const hex = (length: number) => Array.from({ length }, () => '0123456789abcdef'[between(0, 15)]).join('');
  const uuid = () => [8, 4, 4, 4, 12].map(hex).join('-');
  const ip = () => `10.${between(0, 255)}.${between(0, 255)}.${between(1, 254)}`;
  const maybe = (chance: number, row: () => string) => (random() < chance ? [row()] : []);

  const contact = (user: string, host: string): string => {
    const uri = `<sip:${user}@${host}:${between(1024, 65_535)}${random() < 0.4 ? ';transport=udp' : ''}>`;
    const params = [
      ...maybe(0.5, () => `;expires=${between(60, 7200)}`),
      ...maybe(0.3, () => `;q=0.${between(1, 9)}`),
      ...maybe(0.6, () => `;+sip.instance="<urn:uuid:${uuid()}>";reg-id=${between(1, 4)}`),
      ...maybe(0.3, () => `;${token(3, 12)}=${token(3, 20)}`),
    ];
    return `Contact: ${uri}${params.join('')}`;
  };

  return Array.from({ length: count }, (_, n) => {
    const method = n % 8 === 7 ? 'OPTIONS' : 'REGISTER';
    const user = random() < 0.5 ? `+${digits(between(8, 14))}` : token(3, 20);
    const domain = `${token(3, 12).replace(/[._]/g, 'x')}.example.${random() < 0.5 ? 'com' : 'org'}`;
    const host = ip();
    const rows = [
      `From: ${random() < 0.5 ? `"${token(4, 20)}" ` : ''}<sip:${user}@${domain}>;tag=${token(6, 24)}`,
      `To: <sip:${user}@${domain}>`,
      `Call-ID: ${token(10, 40)}${random() < 0.5 ? `@${host}` : ''}`,
      `CSeq: ${between(1, 2_000_000_000)} ${method}`,
      `Max-Forwards: ${between(60, 70)}`,
      ...Array.from({ length: random() < 0.8 ? 1 : 2 }, () => contact(user, host)),
      ...maybe(0.7, () => `Expires: ${between(60, 7200)}`),
      ...maybe(0.8, () => 'Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, MESSAGE, SUBSCRIBE, INFO, UPDATE'),
      ...maybe(0.7, () => 'Supported: path, outbound, gruu'),
      ...maybe(0.9, () => `User-Agent: ${token(5, 16)}/${digits(1)}.${digits(2)} (${token(4, 24)})`),
      ...maybe(0.2, () => `Path: <sip:${token(4, 10)}@${ip()};lr;ob>`),
      ...maybe(0.3, () => `X-${token(3, 12).replace(/[._]/g, '-')}: ${token(5, 60)}`),
      ...maybe(
        0.3,
        () =>
          `Authorization: Digest username="${user}", realm="${domain}", nonce="${hex(32)}", uri="sip:${domain}", ` +
          `response="${hex(32)}", algorithm=MD5, cnonce="${hex(16)}", qop=auth, nc=0000000${between(1, 9)}`,
      ),
      'Content-Length: 0',
    ];
    for (let i = rows.length - 1; i > 0; i--) {
      const j = between(0, i);
      [rows[i], rows[j]] = [rows[j], rows[i]];
    }
    const via = `Via: SIP/2.0/UDP ${host}:${between(1024, 65_535)};branch=z9hG4bK${token(8, 40)};rport`;
    return lines(`${method} sip:${domain} SIP/2.0`, via, ...rows);
  });
}
