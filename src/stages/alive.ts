// Says of a step that takes long that it is alive, and with what it is busy, so that nobody takes a slow download for a
// machine that hangs.

import type { EventSink } from '../system/events.ts';

const ALIVE_MS = 10_000;

export class AliveNotices {
  readonly #timer: NodeJS.Timeout;
  #key = '';
  #program = '';

  /** @param step how the step is called in the log. */
  constructor(step: string, events: EventSink, everyMs = ALIVE_MS) {
    const started = performance.now();
    this.#timer = setInterval(() => {
      const seconds = Math.round((performance.now() - started) / 1000);
      const busyWith = [this.#key, this.#program].filter((part) => part !== '').join(': ');
      events({ type: 'notice', level: 'info', text: `${step} is still running after ${seconds} s: ${busyWith}` });
    }, everyMs);
    // A notice is no reason to keep the program running.
    this.#timer.unref();
  }

  /** The key, or the condition, that is being carried out now. */
  startKey(key: string): void {
    this.#key = key;
    this.#program = '';
  }

  /** The program that runs now; empty when it has ended. */
  startProgram(program: string): void {
    this.#program = program;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
