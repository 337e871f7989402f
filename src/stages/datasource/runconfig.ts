// /run/config: what the chosen provider says about this machine, as files under the names of the originals, for whoever
// wants to know. Everything is written anew each time, so that a key that was added is seen and one that was taken away
// is gone.

import { join } from 'node:path';
import type { Root } from '../../system/root.ts';
import { placeDirectory, placeFile, processOwner } from '../placement.ts';
import type { Instance } from './provider.ts';

export const RUN_CONFIG = '/run/config';
export const HOSTNAME_FILE = `${RUN_CONFIG}/hostname`;
export const KEYS_FILE = `${RUN_CONFIG}/ssh/authorized_keys`;

/** Writes into a root and tells what it changed. */
export class RunConfig {
  readonly #root: Root;
  readonly #changed: (path: string) => void;

  constructor(root: Root, changed: (path: string) => void) {
    this.#root = root;
    this.#changed = changed;
  }

  /** The provider's name, the host name, the facts and the keys. User data is the step's business. */
  writeInstance(provider: string, { hostname, facts, keys }: Instance): void {
    this.makeDirectory(RUN_CONFIG);
    this.writeFile(join(RUN_CONFIG, 'provider'), provider);
    if (hostname !== undefined) this.writeFile(HOSTNAME_FILE, hostname);
    for (const [name, value] of facts) this.writeFile(join(RUN_CONFIG, name), value);
    if (keys === undefined) return;
    if (keys.length > 0) {
      this.makeDirectory(join(KEYS_FILE, '..'));
      this.writeFile(KEYS_FILE, keys.map((key) => `${key}\n`).join(''), 0o600);
    } else if (this.#root.exists(KEYS_FILE)) {
      this.#root.remove(KEYS_FILE);
      this.#changed(KEYS_FILE);
    }
  }

  makeDirectory(path: string, mode = 0o755): void {
    const placement = { ...processOwner(), mode };
    // One that somebody else made stays as it is.
    if (this.#root.stat(path)?.isDirectory()) return;
    placeDirectory(this.#root, path, placement, placement).forEach(this.#changed);
  }

  writeFile(path: string, content: string | Uint8Array, mode = 0o644): void {
    if (placeFile(this.#root, path, content, { ...processOwner(), mode })) this.#changed(path);
  }
}
