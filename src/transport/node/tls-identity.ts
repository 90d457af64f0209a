// The SIP domains that a certificate stands for (RFC 5922 §7.1): those of its sip URIs, else its DNS names. Compared whole,
// without wildcards (§7.2). Whether the certificate is to be trusted at all was OpenSSL's to say.

import type { TLSSocket } from 'node:tls';

/** Domains in lower case; none where the peer showed no certificate, or one that was not verified. */
export function peerIdentities(socket: TLSSocket): readonly string[] {
  if (!socket.authorized) return [];
  return sipIdentities(socket.getPeerCertificate().subjectaltname);
}

/** The host counts, whatever stands behind it; a URI with a user names no domain. @param names as Node gives a certificate's subjectAltName: "DNS:a.example, URI:sip:example.com" */
export function sipIdentities(names: string | undefined): readonly string[] {
  const all = split(names ?? '');
  const uris = all.flatMap((name) => /^URI:sip:([^@;?:/]+)(?::\d+)?(?:[;?][^@]*)?$/i.exec(name)?.[1] ?? []);
  const domains = uris.length > 0 ? uris : all.flatMap((name) => /^DNS:(.+)$/i.exec(name)?.[1] ?? []);
  return domains.filter((name) => !name.includes('*')).map((name) => name.toLowerCase().replace(/\.$/, ''));
}

/** At the commas that do not stand in quotes: what might be mistaken for two names Node quotes as JSON does. */
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
