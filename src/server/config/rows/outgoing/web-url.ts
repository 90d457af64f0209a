// URLs of outgoing requests. User names and passwords in them are refused, and keys in them are not shown.

import { withoutCredentials } from '../../../users/sql/sql-address.ts';
import { expected, HIDDEN, type Kind, parsed } from '../kinds.ts';

export const webUrl = webUrlKind('');
/** URL beside a key `headers`. */
export const webUrlWithHeaders = webUrlKind('; put them into "headers"');

function webUrlKind(advice: string): Kind<string, string> {
  return parsed(
    'http or https URL',
    (url) => {
      if (!/^https?:\/\//i.test(url) || !URL.canParse(url))
        throw new RangeError(expected('an http or https URL', shownUrl(url)));
      refuseCredentials(url, advice);
      return url;
    },
    shownUrl,
  );
}

/** Such a server is trusted. */
export const issuerUrl = parsed(
  'https URL, or http on a loopback address',
  (url) => {
    const { protocol, hostname } = URL.canParse(url) ? new URL(url) : { protocol: '', hostname: '' };
    const isHere = hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
    if (protocol !== 'https:' && !(protocol === 'http:' && isHere))
      throw new RangeError(expected('an https URL, or an http one on a loopback address', shownUrl(url)));
    refuseCredentials(url);
    return url;
  },
  shownUrl,
);

/** A request to such a URL fails (WHATWG Fetch). Throws a RangeError. */
export function refuseCredentials(url: string, advice = ''): void {
  const { username, password } = new URL(url);
  if (username === '' && password === '') return;
  throw new RangeError(`has a name or a password in it, with which no request is sent${advice}`);
}

/** Keys of a service stand in the query as well as before the host; placeholders are no secret. */
export function shownUrl(url: string): string {
  if (!URL.canParse(url)) return withoutCredentials(url);
  const open = url.replace(/^(https?:\/\/)[^/?#]*@/i, `$1${HIDDEN}@`);
  return open.replace(/([?&][^=&#]*=)(?!\{\w+\}(?:[&#]|$))[^&#]+/g, `$1${HIDDEN}`);
}
