// Registrations of FreeSWITCH: of mod_sofia (the table sip_registrations of its profile's database), and of the core (`show
// registrations`, the table registrations). It keeps no CSeq, and the source of a REGISTER in parameters of the contact.

import { contactText, paramOf, placeOf, unescaped, uriOfPlace, withoutParams } from './contact-text.ts';
import type { TableRow } from './csv-and-sql.ts';

const OWN_PARAMS = ['fs_nat', 'fs_path'];

/** A row of sip_registrations. */
export function sofiaRegistrationRow({ line, fields }: TableRow): TableRow {
  const get = (name: string) => fields.get(name) ?? '';
  const { uri } = contactText(get('contact'));
  // "Registered(TLS-NAT)"
  const transport = /\((UDP|TCP|TLS|WSS?)\b/i.exec(get('status'))?.[1].toLowerCase() ?? paramOf(uri, 'transport');
  return rowOf(line, {
    aor: `${get('sip_user')}@${get('sip_host')}`,
    uri,
    seen: { address: get('network_ip'), port: get('network_port'), transport },
    rest: { expires: get('expires'), callid: get('call_id'), user_agent: get('user_agent') },
  });
}

/** A row of `show registrations`; its last line is a count. */
export function coreRegistrationRow({ line, fields }: TableRow): TableRow {
  const get = (name: string) => fields.get(name) ?? '';
  const [, uri] = /^sofia\/[^/]*\/(sips?:.*)$/.exec(get('url')) ?? [];
  if (uri === undefined) return { line, fields: new Map(), rule: 'not of SIP' };
  return rowOf(line, {
    aor: `${get('reg_user')}@${get('realm')}`,
    uri,
    seen: { address: get('network_ip'), port: get('network_port'), transport: get('network_proto') || undefined },
    rest: { expires: get('expires'), callid: get('token') },
  });
}

interface Registration {
  readonly aor: string;
  readonly uri: string;
  readonly seen: { readonly address: string; readonly port: string; readonly transport: string | undefined };
  readonly rest: Readonly<Record<string, string>>;
}

function rowOf(line: number, { aor, uri, seen, rest }: Registration): TableRow {
  const fields = new Map(Object.entries({ aor, contact: withoutParams(uri, OWN_PARAMS), ...rest }));
  const hop = unescaped(paramOf(uri, 'fs_path') ?? '').replace(/^<(.*)>$/, '$1');
  const place = placeOf(hop);
  const isSource = place?.host === seen.address && place.port === Number(seen.port);
  // fs_path is the Path of an edge proxy, or the source of the REGISTER.
  if (place !== undefined && !isSource) fields.set('path', `<${hop}>`);
  if (seen.address !== '') {
    const transport = seen.transport === 'udp' ? undefined : seen.transport;
    fields.set('received', uriOfPlace(seen.address, seen.port, transport));
  }
  return { line, fields: new Map([...fields].filter(([, value]) => value !== '')) };
}
