// The API's changes of bindings, as REGISTERs: the shard that owns the AOR decides about them by the same rules as for
// phones. So an order is atomic, durable and shown in the change feed, as theirs are.

import { randomUUID } from 'node:crypto';
import type { Binding } from '../../core/binding/binding-view.ts';
import type { OrderSource } from '../../threads/admin-requests.ts';
import { Problem } from '../http/problem.ts';
import { type NewBinding, withoutBrackets } from './location-schemas.ts';

/** Has the owning shard decide; undefined where no answer came in time. */
export type GiveOrder = (request: Uint8Array, source: OrderSource) => Promise<Buffer | undefined>;

const USER_AGENT = 'Aorta admin API';
const HERE: OrderSource = { address: '127.0.0.1', port: 5060 };
/** Port 0 belongs to no client. */
const NOWHERE: OrderSource = { address: '127.0.0.1', port: 0 };

/** The author of an order, for the history. */
export interface Asker {
  /** Letters, digits, dots and hyphens: it replaces the host of a Call-ID. */
  readonly program: string;
  /** Absent: this process. */
  readonly source?: OrderSource;
}

export class LocationOrders {
  private readonly give: GiveOrder;

  constructor(give: GiveOrder) {
    this.give = give;
  }

  /** @param aor canonical */
  async add(aor: string, binding: NewBinding): Promise<void> {
    const { contact, expires, q, path, userAgent } = binding;
    const parameters = `${q === undefined ? '' : `;q=${q.toFixed(3)}`}${expires === undefined ? '' : `;expires=${expires}`}`;
    const headers = [
      `Contact: <${contact}>${parameters}`,
      `User-Agent: ${userAgent ?? USER_AGENT}`,
      ...(path && path.length > 0
        ? ['Supported: path', `Path: ${path.map((hop) => `<${withoutBrackets(hop)}>`).join(', ')}`]
        : []),
    ];
    // A second hop, so that the source of a new binding is not taken for a path to the user agent.
    const hop = `Via: SIP/2.0/UDP admin.invalid;branch=z9hG4bKa${randomUUID()}`;
    await this.register(aor, [hop, ...headers], { program: 'admin.invalid', source: sourceOf(contact) });
  }

  /** Removes these bindings of an AOR. */
  async remove(aor: string, bindings: readonly Binding[], by: Asker): Promise<void> {
    const flows = bindings.some(({ regId }) => regId !== undefined);
    const contacts = bindings.map(({ uri, instance, regId }) => {
      const flow = regId === undefined ? '' : `;+sip.instance="<${instance}>";reg-id=${regId}`;
      return `Contact: <${uri}>${flow};expires=0`;
    });
    await this.register(aor, [...contacts, ...(flows ? ['Supported: path, outbound'] : [])], by);
  }

  /** Removes all bindings of an AOR. */
  async removeAll(aor: string, by: Asker): Promise<void> {
    await this.register(aor, ['Contact: *', 'Expires: 0'], by);
  }

  private async register(aor: string, headers: readonly string[], { program, source }: Asker): Promise<void> {
    const domain = aor.slice(aor.lastIndexOf('@') + 1);
    const uri = `sip:${aor}`;
    const id = randomUUID();
    const lines = [
      `REGISTER sip:${domain} SIP/2.0`,
      `Via: SIP/2.0/UDP admin.invalid;branch=z9hG4bK${id};rport`,
      'Max-Forwards: 70',
      `From: <${uri}>;tag=${id.slice(0, 8)}`,
      `To: <${uri}>`,
      `Call-ID: ${id}@${program}`,
      'CSeq: 1 REGISTER',
      ...headers,
      'Content-Length: 0',
    ];
    const answer = await this.give(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), source ?? NOWHERE);
    if (answer === undefined)
      throw new Problem(504, 'no_answer', 'the shard did not answer in time; look before you try again');
    const [, status, phrase] = /^SIP\/2\.0 ([0-9]{3}) ([^\r\n]*)/.exec(answer.toString('latin1')) ?? [];
    if (status === '200') return;
    const minimum = /^Min-Expires: ([0-9]+)/m.exec(answer.toString('latin1'))?.[1];
    const hint = minimum === undefined ? '' : `: at least ${minimum} seconds`;
    if (status === '404') throw new Problem(422, 'domain_not_served', `domain ${domain} is not served`);
    const code = ['500', '503', '504'].includes(status) ? Number(status) : 422;
    throw new Problem(code, 'refused', `the registrar answers ${status} ${phrase}${hint}`);
  }
}

/** The source of a binding: its contact's own address, where it names one. */
function sourceOf(contact: string): OrderSource {
  const [, host, port] = /^sips?:(?:[^@]*@)?(\[[0-9a-f:.]+\]|[0-9.]+)(?::([0-9]{1,5}))?(?:[;?]|$)/i.exec(contact) ?? [];
  if (host === undefined) return HERE;
  return { address: host.replace(/^\[|\]$/g, ''), port: Number(port ?? 5060) & 0xffff };
}
