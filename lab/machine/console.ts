// What a machine has printed on its serial port, as text to search: escape sequences are taken out, and a cursor marks
// what earlier waits have seen, so that a wait never matches something old. Every wait is bounded and says, when it
// expires, what was on the console.

import { HoldfastError } from '../../src/system/errors.ts';

/** Text before the cursor is kept for error messages only. */
const KEPT_CHARACTERS = 1 << 18;
const TAIL_LINES = 40;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
const ESCAPE_SEQUENCE = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()#][0-9A-Za-z]|[^[\]()#])/g;

interface Waiter {
  /** Tries to match from the cursor on; true when it has settled. */
  look: () => boolean;
  fail: (error: Error) => void;
  endsWithBoot: boolean;
}

export interface WaitOptions {
  timeoutMs: number;
  /** What is waited for can't come any more when the machine restarts. */
  endsWithBoot?: boolean;
}

export class Console {
  readonly #logFile: string;
  readonly #decoder = new TextDecoder();
  readonly #waiters = new Set<Waiter>();
  #text = '';
  #unfinishedEscape = '';
  #cursor = 0;
  #ended: Error | undefined;

  /** @param logFile named in errors. */
  constructor(logFile: string) {
    this.#logFile = logFile;
  }

  /** Takes what came from the serial port. */
  feed(bytes: Uint8Array): void {
    const { text, rest } = stripEscapes(this.#unfinishedEscape + this.#decoder.decode(bytes, { stream: true }));
    this.#unfinishedEscape = rest;
    this.#text += text;
    for (const waiter of [...this.#waiters]) waiter.look();
    if (this.#cursor > 2 * KEPT_CHARACTERS) {
      this.#text = this.#text.slice(this.#cursor - KEPT_CHARACTERS);
      this.#cursor = KEPT_CHARACTERS;
    }
  }

  /** Nothing more will come; everybody who waits, now or later, gets this error. */
  end(reason: string): void {
    this.#ended ??= this.#error(reason);
    for (const waiter of [...this.#waiters]) waiter.fail(this.#ended);
  }

  /** The machine restarts: what it printed before is not waited for any more, and who waits for that boot fails. */
  restart(): void {
    const error = this.#error('the machine restarted');
    for (const waiter of [...this.#waiters]) if (waiter.endsWithBoot) waiter.fail(error);
    this.#cursor = this.#text.length;
  }

  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** What has been printed since the last match. */
  get unseen(): string {
    return this.#text.slice(this.#cursor);
  }

  /** The last lines that were printed, whether waited for or not. */
  tail(lines = TAIL_LINES): string {
    return this.#text.trimEnd().split(/\r*\n/).slice(-lines).join('\n');
  }

  /**
   * Waits until `pattern` has been printed after everything that earlier waits matched.
   * @returns the match; a string is matched as it is.
   * @throws HoldfastError HF-COMMAND with the console's last lines when the time is over or the machine has ended.
   */
  waitFor(pattern: RegExp | string, options: WaitOptions): Promise<RegExpExecArray> {
    if (pattern instanceof RegExp) {
      const search = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
      return this.#wait(String(pattern), options, () => {
        const match = search.exec(this.#text.slice(this.#cursor));
        return match && { value: match, length: match.index + match[0].length };
      });
    }
    const escaped = pattern.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    return this.waitFor(new RegExp(escaped), options);
  }

  /**
   * Waits for a text between two markers and returns it; made for long ones, which it doesn't search twice.
   * @throws as {@link waitFor}.
   */
  waitForFrame(begin: string, end: string, options: WaitOptions): Promise<string> {
    // Relative to the cursor, which may move with the text when old text is dropped.
    let searched = 0;
    return this.#wait(`${begin}…${end}`, options, () => {
      const at = this.#text.indexOf(end, this.#cursor + Math.max(0, searched - end.length));
      if (at < 0) {
        searched = this.#text.length - this.#cursor;
        return undefined;
      }
      const length = at + end.length - this.#cursor;
      const start = this.#text.lastIndexOf(begin, at);
      // An end whose begin was lost in other output: still a frame, an empty one, which its reader finds damaged.
      const value = start < this.#cursor ? '' : this.#text.slice(start + begin.length, at);
      return { value, length };
    });
  }

  #wait<T>(
    what: string,
    { timeoutMs, endsWithBoot = false }: WaitOptions,
    find: () => { value: T; length: number } | null | undefined,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter = {
        endsWithBoot,
        look: () => {
          const found = find();
          if (!found) return false;
          settle();
          this.#cursor += found.length;
          resolve(found.value);
          return true;
        },
        fail: (error) => {
          settle();
          reject(error);
        },
      };
      const timer = setTimeout(() => {
        waiter.fail(this.#error(`the machine did not print ${what} within ${Math.round(timeoutMs / 1000)} s`));
      }, timeoutMs);
      this.#waiters.add(waiter);
      if (!waiter.look() && this.#ended) waiter.fail(this.#ended);
    });
  }

  #error(message: string): HoldfastError {
    const tail = this.tail();
    return new HoldfastError(
      'HF-COMMAND',
      `${message}; the end of its console (all of it: ${this.#logFile}):\n${tail === '' ? '(nothing was printed)' : tail}`,
    );
  }
}

/**
 * Takes escape sequences (ECMA-48 control sequences, operating system commands, two-character ones) out of a text.
 * `rest` is a sequence that is not yet complete.
 */
export function stripEscapes(input: string): { text: string; rest: string } {
  const text = input.replace(ESCAPE_SEQUENCE, '');
  const at = text.lastIndexOf('\u001b');
  // A lone escape character must not hold back text for ever.
  if (at < 0 || text.length - at > 256) return { text, rest: '' };
  return { text: text.slice(0, at), rest: text.slice(at) };
}
