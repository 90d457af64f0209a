// Path (RFC 3327 §5.3): whether the header is well formed, whether this client's request may have it, whether an edge proxy sets `ob`;
// and whether the answer repeats it. simd/image.ts copies it into a binding.
// @hot

import { slab, table } from '../../sip/parser/slab.ts';
import {
  ABSENT,
  H_PATH,
  OPTION_PATH,
  ROW_INTS,
  ROW_NEXT,
  ROW_VALUE_AT,
  ROW_VALUE_END,
  SCHEME_SIPS,
  T_FIRST_ROW,
  T_REQUIRE,
  T_ROWS,
  T_SUPPORTED,
  URI_SCHEME,
} from '../../sip/parser/span-table.ts';
import { nextRoute, ROUTE_MALFORMED, routeUri } from '../../sip/route-list.ts';
import { LWS, skip } from '../../sip/scanner.ts';
import { hasUriParam } from '../../sip/uri/uri-param.ts';
import { ascii } from '../../sip/writer.ts';
import type { Exchange } from '../uas/exchange.ts';
import { MALFORMED_PATH, PATH_TOO_LONG, PHRASE } from '../uas/phrases.ts';
import type { Policy } from '../uas/policy.ts';
import { REASON_BAD_PATH, REASON_PATH_NOT_SUPPORTED, REASON_PATH_TOO_LONG } from '../uas/reasons.ts';
import { refuse } from '../uas/response.ts';

const OB = ascii('ob');
const UNSUPPORTED_PATH = ascii('Unsupported: path\r\n');

/** Whether the client of the request in the table supports the option. */
export function supports(option: number): boolean {
  return ((table[T_SUPPORTED] | table[T_REQUIRE]) & option) !== 0;
}

/** 0 where Path is absent or acceptable, and the exchange's work notes whether one of its URIs has `ob`; else the status answered. */
export function checkPath(exchange: Exchange, policy: Policy): number {
  const { work } = exchange;
  work.edgeOb = false;
  work.pathIsSecure = true;
  if (table[T_FIRST_ROW + H_PATH] < 0) return 0;
  if (policy.path === 'strict' && !supports(OPTION_PATH))
    return refuse(exchange, 420, PHRASE[420], REASON_PATH_NOT_SUPPORTED, UNSUPPORTED_PATH);
  let length = 0;
  for (let row = table[T_FIRST_ROW + H_PATH]; row !== ABSENT; row = table[T_ROWS + row * ROW_INTS + ROW_NEXT]) {
    const at = table[T_ROWS + row * ROW_INTS + ROW_VALUE_AT];
    const end = table[T_ROWS + row * ROW_INTS + ROW_VALUE_END];
    length += end - at + 1;
    for (let p = at; ; p = skip(slab, p + 1, end, LWS)) {
      p = nextRoute(p, end);
      if (p === ROUTE_MALFORMED) return refuse(exchange, 400, MALFORMED_PATH, REASON_BAD_PATH);
      // Only the proxy next to the user agent may set it (RFC 5626 §5.1), at any position of the Path.
      if (hasUriParam(slab, routeUri, 0, OB)) work.edgeOb = true;
      if (routeUri[URI_SCHEME] !== SCHEME_SIPS) work.pathIsSecure = false;
      if (p === end) break;
    }
  }
  if (length > policy.pathBytesMax) return refuse(exchange, 400, PATH_TOO_LONG, REASON_PATH_TOO_LONG);
  return 0;
}

/** Whether the 200 repeats the request's Path: to a client that supports it. */
export function showsPath(policy: Policy): boolean {
  return policy.path !== 'off' && supports(OPTION_PATH);
}
