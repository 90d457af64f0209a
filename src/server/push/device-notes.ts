// Notes on devices: those that their service no longer knows, and pushes in vain. In memory and bounded; the oldest are dropped first.

/** Devices with a note, at most. */
const DEVICES_MAX = 65_536;
/** Time after which a device unknown to its service is tried again: it may have returned under the same name. */
const GONE_MS = 3_600_000;
/** A device that failed to register so many times in a row is still woken, but lookups do not wait for it. */
const IN_VAIN_MAX = 3;

interface Note {
  goneUntil: number;
  inVain: number;
}

export class DeviceNotes {
  private readonly notes = new Map<string, Note>();

  isGone(device: string, now: number): boolean {
    return (this.notes.get(device)?.goneUntil ?? 0) > now;
  }

  isWorthAWait(device: string): boolean {
    return (this.notes.get(device)?.inVain ?? 0) < IN_VAIN_MAX;
  }

  gone(device: string, now: number): void {
    this.note(device).goneUntil = now + GONE_MS;
  }

  inVain(device: string): void {
    this.note(device).inVain++;
  }

  woke(device: string): void {
    this.notes.delete(device);
  }

  private note(device: string): Note {
    const note = this.notes.get(device) ?? { goneUntil: 0, inVain: 0 };
    this.notes.delete(device);
    this.notes.set(device, note);
    for (const oldest of this.notes.keys()) {
      if (this.notes.size <= DEVICES_MAX) break;
      this.notes.delete(oldest);
    }
    return note;
  }
}
