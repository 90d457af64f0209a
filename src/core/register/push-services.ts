// The served push services, found by the name in a contact, and the Feature-Caps rows that announce them (RFC 8599 §5.4,
// RFC 6809): one for each type. Made beforehand from the policy.
// @hot

import { sameText } from '../../sip/scanner.ts';
import { ascii, type Writer } from '../../sip/writer.ts';
import { type PushPolicy, shortestPushS } from '../uas/push-policy.ts';

export class PushServices {
  /** Bits of all of them. */
  readonly all: number;
  /** Seconds; contacts with shorter intervals are not woken. */
  readonly shortestS: number;
  readonly refusesOthers: boolean;
  private readonly names: readonly Uint8Array[];
  private readonly needParam: number;
  private readonly rows: readonly Uint8Array[];
  /** For devices that wake without a push, too. */
  private readonly rowsWithReg: readonly Uint8Array[];

  constructor(policy: PushPolicy) {
    const { services, refreshS } = policy;
    this.names = services.map(({ name }) => ascii(name));
    this.all = (1 << services.length) - 1;
    this.needParam = services.reduce((bits, { needsParam }, i) => bits | (needsParam ? 1 << i : 0), 0);
    this.shortestS = shortestPushS(policy);
    this.refusesOthers = policy.refusesOthers;
    const caps = services.map(({ name, vapid }) => [
      `Feature-Caps: *;+sip.pns="${name}"`,
      vapid === '' ? '' : `;+sip.vapid="${vapid}"`,
    ]);
    this.rows = caps.map(([pns, key]) => ascii(`${pns}${key}\r\n`));
    this.rowsWithReg =
      refreshS === 0 ? this.rows : caps.map(([pns, key]) => ascii(`${pns};+sip.pnsreg="${refreshS}"${key}\r\n`));
  }

  /** The bit of the service whose name is bytes[at, end), or 0. */
  find(bytes: Uint8Array, at: number, end: number): number {
    for (let i = 0; i < this.names.length; i++) {
      const name = this.names[i];
      if (sameText(bytes, at, end, name, 0, name.length)) return 1 << i;
    }
    return 0;
  }

  needsParam(service: number): boolean {
    return (this.needParam & service) !== 0;
  }

  /** @param services their bits @param byItself the device also wakes without a push (§8.5) */
  write(w: Writer, services: number, byItself: boolean): void {
    const rows = byItself ? this.rowsWithReg : this.rows;
    for (let i = 0; i < rows.length; i++) if ((services & (1 << i)) !== 0) w.text(rows[i]);
  }
}
