// Comma lists and header parameters as text (RFC 3261 §7.3.1), quoted strings respected: for reads off the hot path.

/** Elements of a comma list, trimmed; empty ones left out. */
export function splitList(text: string): string[] {
  return split(text, ',').filter((element) => element !== '');
}

export interface TextParam {
  readonly name: string;
  /** As sent, with its quotes; undefined without "=". */
  readonly value: string | undefined;
}

/** The parameters of a value: all behind its first ";". */
export function splitParams(text: string): TextParam[] {
  return split(text, ';')
    .slice(1)
    .filter((param) => param !== '')
    .map((param) => {
      const equals = param.indexOf('=');
      if (equals < 0) return { name: param, value: undefined };
      return { name: param.slice(0, equals).trim(), value: param.slice(equals + 1).trim() };
    });
}

function split(text: string, separator: string): string[] {
  const parts: string[] = [];
  let from = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    if (quoted && text[i] === '\\') i++;
    else if (text[i] === '"') quoted = !quoted;
    else if (text[i] === separator && !quoted) {
      parts.push(text.slice(from, i).trim());
      from = i + 1;
    }
  }
  parts.push(text.slice(from).trim());
  return parts;
}
