// Contacts in the forms of other registrars: parsed, and their private parameters removed.

interface ContactText {
  /** The URI without brackets. */
  readonly uri: string;
  /** Text after the closing bracket, from the first ";" on. */
  readonly params: string;
}

/** `"Alice" <sip:alice@192.0.2.4;ob>;q=0.5`, or a bare URI. */
export function contactText(text: string): ContactText {
  const [, uri, params] = /<(sips?:[^>]*)>(.*)$/is.exec(text.trim()) ?? [];
  return uri === undefined ? { uri: text.trim(), params: '' } : { uri, params };
}

/** The value of a parameter of a URI or a header field, without its quotes; undefined where there is none. */
export function paramOf(text: string, name: string): string | undefined {
  const escaped = name.replace(/[.+]/g, String.raw`\$&`);
  const found = new RegExp(String.raw`;${escaped}=("(?:[^"\\]|\\.)*"|[^;?>]*)`, 'i').exec(text)?.[1];
  return found?.replace(/^"|"$/g, '');
}

/** A URI without these parameters. */
export function withoutParams(uri: string, names: readonly string[]): string {
  const isOne = (param: string) => names.includes(param.split('=', 1)[0].toLowerCase());
  const [head, headers] = uri.split(/\?(.*)/s);
  const [first, ...params] = head.split(';');
  const kept = [first, ...params.filter((param) => !isOne(param))].join(';');
  return headers === undefined ? kept : `${kept}?${headers}`;
}

/** Host and port of a SIP URI, 5060 where it names none; undefined for another text. */
export function placeOf(uri: string): { readonly host: string; readonly port: number } | undefined {
  const [, host, port] = /^sips?:(?:[^@]*@)?(\[[0-9a-f:.]+\]|[^:;?>]+)(?::(\d+))?/i.exec(uri) ?? [];
  return host === undefined ? undefined : { host: host.replace(/^\[|\]$/g, ''), port: Number(port ?? 5060) };
}

/** `sip:192.0.2.4:5060` for an address. */
export function uriOfPlace(address: string, port: string | number, transport?: string): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return `sip:${host}:${port}${transport === undefined ? '' : `;transport=${transport}`}`;
}

/** The text with its escapes decoded; unchanged where they are invalid. */
export function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
