// Changes of bindings by a program: with the orders and the readers of the admin API, loaded on first use.

import type { Binding } from '../../core/binding/binding-view.ts';
import type { FlowLiveness } from '../../core/binding/live-flow.ts';
import type { LocationReader } from '../../location/location-reader.ts';
import type { LocationOrders } from '../admin/location-orders.ts';
import type { NewBinding } from '../admin/location-schemas.ts';
import type { AorBindings, Locations } from '../admin/locations.ts';
import { issueTexts } from '../http/issue-text.ts';
import { Problem } from '../http/problem.ts';

export type { AorBindings, NewBinding };

export interface BindingFilter {
  /** AORs of this domain only. */
  readonly domain?: string | undefined;
  /** AORs that contain this text. */
  readonly match?: string | undefined;
}

/** Bindings of users, without static ones. An AOR is `alice@example.com` or a SIP URI; otherwise the error is a RangeError. */
export interface ProgramBindings {
  /** Registered bindings of an AOR. */
  get(aor: string): Promise<readonly Binding[]>;
  /** Every AOR that has bindings, in no order, without delay for registrations. */
  list(filter?: BindingFilter): AsyncIterable<AorBindings>;
  /**
   * Adds a binding, or renews that of the same contact, as an operator does. On disk when it resolves with the granted seconds: no more than
   * `policy.maxExpires`.
   * @throws RangeError where it is invalid or the policy refuses it; Error where no answer came in time
   */
  add(aor: string, binding: NewBinding): Promise<number>;
  /** Removes the binding of a contact, or all. Resolves with the number of removed ones. */
  remove(aor: string, contact?: string): Promise<number>;
}

export interface BindingAccess {
  readonly readers: () => readonly LocationReader[];
  readonly secret: Uint8Array;
  readonly now: () => number;
  readonly flows: FlowLiveness | null;
  readonly order: ConstructorParameters<typeof LocationOrders>[0];
}

interface Parts {
  readonly locations: Locations;
  readonly orders: LocationOrders;
  readonly check: (binding: NewBinding) => NewBinding;
}

/** @param access throws where the registrar does not run */
export function programBindings(access: () => BindingAccess): ProgramBindings {
  const parts = whileRunning(access, load);
  return {
    get: (aor) => told(async () => (await parts()).locations.get(aor).contacts),
    list: (filter = {}) => listed(parts, filter),
    add: (aor, binding) =>
      told(async () => {
        const { locations, orders, check } = await parts();
        await orders.add(locations.canonical(aor), check(binding));
        const contact = unescaped(binding.contact);
        const added = locations.get(aor).contacts.find(({ uri }) => unescaped(uri) === contact);
        return added === undefined ? 0 : Math.round((added.expiresAt - added.refreshedAt) / 1000);
      }),
    remove: (aor, contact) =>
      told(async () => {
        const { locations, orders } = await parts();
        const { aor: text, contacts } = locations.get(aor);
        const found = contacts.filter(({ uri }) => contact === undefined || uri === contact);
        if (found.length === 0) return 0;
        await (contact === undefined ? orders.removeAll(text, HERE) : orders.remove(text, found, HERE));
        return found.length;
      }),
  };
}

/**
 * Parts that are loaded once, and available only while the registrar runs: their files are closed after it, and may be replaced by then.
 * @param access throws where it does not run
 */
export function whileRunning<Access, Loaded>(
  access: () => Access,
  load: (access: Access) => Promise<Loaded>,
): () => Promise<Loaded> {
  let loading: Promise<Loaded> | undefined;
  return async () => {
    const found = access();
    const loaded = await (loading ??= load(found));
    access();
    return loaded;
  };
}

/** Compares URIs without escapes: stored ones have all necessary escapes. */
function unescaped(uri: string): string {
  try {
    return decodeURIComponent(uri);
  } catch {
    return uri; // escapes that are no UTF-8
  }
}

/** The author in the history: the program around the registrar. */
const HERE = { program: 'embedding-program' };

async function load({ readers, secret, now, flows, order }: BindingAccess): Promise<Parts> {
  const [{ Locations }, { LocationOrders }, { newBindingSchema }] = await Promise.all([
    import('../admin/locations.ts'),
    import('../admin/location-orders.ts'),
    import('../admin/location-schemas.ts'),
  ]);
  return {
    locations: new Locations({ readers: readers(), secret, now, flows }),
    orders: new LocationOrders(order),
    check: (binding) => {
      const { success, data, error } = newBindingSchema.safeParse(binding);
      if (success) return data;
      throw new RangeError(issueTexts(error.issues).join('; '));
    },
  };
}

async function* listed(parts: () => Promise<Parts>, filter: BindingFilter): AsyncGenerator<AorBindings> {
  const { locations } = await parts();
  for await (const items of locations.all(filter)) {
    yield* items;
    await parts(); // the program may have stopped it meanwhile
  }
}

/** Turns Problems, which are answers of HTTP, into errors for programs. */
export async function told<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    throw error.status >= 500 ? new Error(error.message) : new RangeError(error.message);
  }
}
