// The SIP domains of a certificate (RFC 5922 §7.1): those of its sip URIs, else its DNS names. Compared whole, without wildcards (§7.2). OpenSSL
// has decided before whether the certificate is trusted.

import type { TLSSocket } from 'node:tls';

/** Domains in lower case; none where the peer showed no certificate, or one that was not verified. */
export function peerIdentities(socket: TLSSocket): readonly string[] {
  if (!socket.authorized) return [];
  return sipIdentities(socket.getPeerCertificate().subjectaltname);
}

/**
 * Only the host of a URI counts; a URI with a user names no domain.
 * @param names as Node gives a certificate's subjectAltName: "DNS:a.example, URI:sip:example.com"
 */
export function sipIdentities(names: string | undefined): readonly string[] {
  const all = split(names ?? '');
  const uris = all.flatMap((name) => /^URI:sip:([^@;?:/]+)(?::\d+)?(?:[;?][^@]*)?$/i.exec(name)?.[1] ?? []);
  const domains = uris.length > 0 ? uris : all.flatMap((name) => /^DNS:(.+)$/i.exec(name)?.[1] ?? []);
  return domains.filter((name) => !name.includes('*')).map((name) => name.toLowerCase().replace(/\.$/, ''));
}

/** Splits at commas outside quotes: Node quotes, as JSON does, a name that could be mistaken for two. */
function split(names: string): string[] {
  const parts: string[] = names.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g) ?? [];
  return parts.map((part) => part.trim().replace(/^([A-Za-z ]+:)(".*")$/, (_all, kind, text) => kind + unquoted(text)));
}

function unquoted(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return '';
  }
}
