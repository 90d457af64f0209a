// Lists of values, and parameters of a value, for messages that may change.

/** Names in lower case; null where there is no "=". Quoted values keep their quotes. */
export type Params = Readonly<Record<string, string | null>>;

const PARAM_NAME = /^[A-Za-z0-9\-.!%*_+`'~[\]/:&$]+$/;

/** The values of a list: separated by commas outside quotes and angle brackets. */
export function splitValues(list: string): string[] {
  return parts(list, ',');
}

/** The value before the first ";" outside quotes and angle brackets, and the parameters behind it. */
export function readParams(value: string): { readonly value: string; readonly params: Params } {
  const [first = '', ...rest] = parts(value, ';');
  const params: Record<string, string | null> = {};
  for (const part of rest) {
    const at = part.indexOf('=');
    const name = (at < 0 ? part : part.slice(0, at)).trim().toLowerCase();
    // Not by assignment: a parameter may be called __proto__.
    const text = at < 0 ? null : part.slice(at + 1).trim();
    if (name !== '')
      Object.defineProperty(params, name, { value: text, enumerable: true, configurable: true, writable: true });
  }
  return { value: first, params };
}

/** `;a=1;b`. Throws a RangeError for an invalid name or value. */
export function writeParams(params: Params): string {
  return Object.entries(params)
    .map(([name, value]) => {
      if (!PARAM_NAME.test(name)) throw new RangeError(`${JSON.stringify(name)} is no name of a parameter`);
      if (value === null) return `;${name}`;
      if (/[\r\n\0]/.test(value) || parts(value, ';').length > 1 || parts(value, ',').length > 1)
        throw new RangeError(`the value of ${name} is no value of a parameter`);
      return `;${name}=${value}`;
    })
    .join('');
}

function parts(text: string, at: ',' | ';'): string[] {
  const found: string[] = [];
  let from = 0;
  let quoted = false;
  let bracketed = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (quoted) {
      if (char === '\\') i++;
      else if (char === '"') quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === '<') bracketed = true;
    else if (char === '>') bracketed = false;
    else if (char === at && !bracketed) {
      found.push(text.slice(from, i).trim());
      from = i + 1;
    }
  }
  found.push(text.slice(from).trim());
  return found.filter((part) => part !== '');
}
