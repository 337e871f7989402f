// What one run knows of a repository from earlier ones, and what it adds. The record may be out of reach for writing: then
// only a pin can stand in for it, and that is said.

import { messageOf } from '../../system/errors.ts';
import { TrustError } from '../trust-error.ts';
import type { Root } from './metadata.ts';
import type { Pin } from './pins.ts';
import { type StoredTrust, storedRoot } from './stored-trust.ts';
import type { TrustRecord } from './trust-store.ts';

/** Something that the person is to be told, whatever comes of it. */
export interface NotaryNotice {
  level: 'info' | 'warning';
  text: string;
}

export class TrustMemory {
  readonly pin: Pin;
  readonly notices: NotaryNotice[] = [];
  /** Whether trust began in this run. */
  isNew = false;
  readonly #record: TrustRecord;
  #stored: StoredTrust | undefined;
  #isWritable: boolean;

  /** @throws TrustError state-not-writable */
  constructor(record: TrustRecord, pin: Pin) {
    this.pin = pin;
    this.#record = record;
    this.#stored = record.stored;
    this.#isWritable = record.problem === undefined;
    if (record.problem !== undefined) this.#cannotSave(record.problem, undefined);
  }

  /** What is remembered, or undefined before first trust. */
  get before(): StoredTrust | undefined {
    return this.#stored;
  }

  /** What is remembered once a root is trusted. */
  get stored(): StoredTrust {
    if (this.#stored === undefined) throw new TypeError('no root is trusted yet');
    return this.#stored;
  }

  /** The root that is trusted; undefined before first trust. @throws TrustError state-corrupt */
  root(): Root | undefined {
    return this.#stored === undefined ? undefined : storedRoot(this.#stored, this.#record.file);
  }

  /** @throws TrustError state-not-writable */
  save(stored: StoredTrust): void {
    this.#stored = stored;
    if (!this.#isWritable) return;
    try {
      this.#record.save(stored);
    } catch (error) {
      this.#isWritable = false;
      this.#cannotSave(messageOf(error), error);
    }
  }

  tell(level: NotaryNotice['level'], text: string): void {
    this.notices.push({ level, text });
  }

  /** Without memory every run is a first one. */
  #cannotSave(why: string, cause: unknown): void {
    const { file } = this.#record;
    if (this.pin.rule === 'first-use') {
      throw new TrustError('state-not-writable', `what is trusted can't be remembered in ${file}: ${why}`, {
        cause,
        hint: 'mount the OEM partition writable, or pin the root key of the repository',
      });
    }
    this.tell(
      'warning',
      `what is trusted can't be remembered in ${file}: ${why}; an older state of the repository would not be noticed`,
    );
  }
}
