// How often and how long to try again: a pause that doubles, what the server asks for, and an end. Anew after each sign
// of progress, so that a long transfer may break off more often than a short one.

import { HoldfastError } from '../../system/errors.ts';
import { pause } from '../../system/http.ts';

export interface PatienceOptions {
  /** Tries in all without any progress; default 5. */
  attempts?: number;
  /** The first pause; default half a second. */
  delayMs?: number;
  signal?: AbortSignal | undefined;
}

/** What a server may ask for at most. */
const MAX_PAUSE_MS = 60_000;

export class Patience {
  readonly #options: PatienceOptions;
  #failures = 0;

  constructor(options: PatienceOptions) {
    this.#options = options;
  }

  /** Something came: whatever went wrong before counts no more. */
  progress(): void {
    this.#failures = 0;
  }

  /**
   * Waits before the next try.
   * @param retryAfter the header of that name, in either of its forms.
   * @returns false, without waiting, when there shall be no next try.
   * @throws HoldfastError HF-INTERRUPTED
   */
  async wait(retryAfter: string | null = null): Promise<boolean> {
    const { attempts = 5, delayMs = 500, signal } = this.#options;
    this.#failures += 1;
    if (this.#failures >= attempts) return false;
    const own = delayMs * 2 ** (this.#failures - 1);
    await pause(Math.min(MAX_PAUSE_MS, Math.max(own, retryAfterMs(retryAfter))), signal);
    if (signal?.aborted) throw new HoldfastError('HF-INTERRUPTED', 'interrupted while waiting for a registry');
    return true;
  }
}

function retryAfterMs(header: string | null): number {
  if (header === null) return 0;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}
