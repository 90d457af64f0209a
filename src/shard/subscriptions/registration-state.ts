// Contents of a NOTIFY about an AOR: its committed contacts, with static ones, and the changes of a batch.

import { imageLength } from '../../core/binding/binding.ts';
import { type Changes, changeLength, changeParts } from '../../core/binding/changes.ts';
import { countImages } from '../../core/binding/images.ts';
import { isTarget } from '../../core/binding/target.ts';
import { ContactElements, EVENT_OF_CHANGE, eventOfState } from '../../core/subscriptions/contact-elements.ts';
import type { ContactElement } from '../../core/subscriptions/reginfo.ts';
import type { LocationStore } from '../../location/location-store.ts';
import { RECORD_BYTES_MAX, RECORD_HEADER_BYTES, recordAorLength } from '../../location/record.ts';
import type { StaticTable } from '../statics/static-table.ts';
import type { WatchedAor, WatchedAors } from './watched-aors.ts';

export class RegistrationState {
  readonly elements: ContactElements;
  private readonly store: LocationStore;
  private readonly statics: StaticTable | null;
  private readonly record = new Uint8Array(RECORD_BYTES_MAX);

  /** @param key 16 secret bytes, for ids */
  constructor(store: LocationStore, statics: StaticTable | null, key: Uint8Array) {
    this.store = store;
    this.statics = statics;
    this.elements = new ContactElements(key);
  }

  /** The live contacts. @param gruus whether GRUUs are on. Throws where the store cannot read them. */
  contacts(aor: WatchedAor, now: number, gruus: boolean): ContactElement[] {
    const { record } = this;
    const name = gruus ? Buffer.from(aor.name, 'latin1') : null;
    const length = this.store.load(new Uint8Array(aor.key.buffer, aor.key.byteOffset, 16), record);
    const at = length <= 0 || length > record.length ? 0 : RECORD_HEADER_BYTES + recordAorLength(record, 0);
    const registered = at === 0 || countImages(record, at, length) < 0 ? [] : this.read(record, at, length, now, name);
    const images = this.statics?.images(aor.key) ?? null;
    return images === null ? registered : [...registered, ...this.read(images, 0, images.length, now, null)];
  }

  /** Passes the changes of a batch to the subscriptions of watched AORs; calls `changed` for each of these AORs. */
  spread(changes: Changes, watched: WatchedAors, gruus: boolean, changed: (aor: WatchedAor) => void): void {
    const { bytes, end } = changes;
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < end; at += changeLength(view, at)) {
      const { kind, aorAt, imageAt } = changeParts(view, at);
      const name = Buffer.from(bytes.buffer, aorAt, imageAt - aorAt);
      const aor = watched.named(name.toString('latin1'));
      if (aor === undefined) continue;
      const element = this.elements.of(bytes, imageAt, EVENT_OF_CHANGE[kind], gruus ? name : null);
      for (const subscription of aor.subscriptions) subscription.changed(element);
      changed(aor);
    }
  }

  private read(bytes: Uint8Array, at: number, end: number, now: number, name: Uint8Array | null): ContactElement[] {
    const contacts: ContactElement[] = [];
    for (let image = at; image < end; image += imageLength(bytes, image)) {
      if (isTarget(bytes, image, now, null))
        contacts.push(this.elements.of(bytes, image, eventOfState(bytes, image), name));
    }
    return contacts;
  }
}
