// Lines from a terminal that may be a serial port: the kernel edits and echoes them, so nothing is ever redrawn and no
// escape sequence is sent. Only for what must not be seen the echo is off, and then what editing there is happens here.

import type { Readable } from 'node:stream';

/** Standard input, or what stands in for it in a test. */
export type Keyboard = Readable & { isTTY?: boolean; setRawMode?: (on: boolean) => unknown };

/** Longer than any key; what is longer is no answer. */
const LONGEST_LINE = 32_768;

export class LineTerminal {
  readonly #input: Keyboard;
  readonly #write: (text: string) => void;
  readonly #decoder = new TextDecoder();
  /** What was typed and not yet read. */
  #typed = '';
  #ended = false;
  #isOpen = false;
  /** Whether the echo is off. */
  #isHidden = false;
  #wake: () => void = () => {};

  constructor(input: Keyboard, write: (text: string) => void) {
    this.#input = input;
    this.#write = write;
  }

  print(lines: readonly string[]): void {
    for (const line of lines) this.#write(`${line}\n`);
  }

  /**
   * Shows a prompt and reads a line.
   * @param options.secret it is not shown; where there is no terminal nothing is shown anyway. The echo stays off until a
   *   question that isn't one, or {@link showTyping}: what is typed while a secret is asked for again isn't seen either.
   * @returns undefined at the end of input, and when it was interrupted.
   */
  async ask(prompt: string, options: { secret: boolean; signal: AbortSignal }): Promise<string | undefined> {
    const { secret, signal } = options;
    this.#open();
    const raw = secret && this.#input.isTTY === true;
    const onAbort = () => this.#wake();
    signal.addEventListener('abort', onAbort);
    // Before the prompt: whoever answers it at once is not seen either.
    this.#hideTyping(raw);
    this.#write(prompt);
    let answer: string | undefined;
    try {
      for (;;) {
        if (signal.aborted) return undefined;
        const line = raw ? this.#takeSecret() : this.#takeLine();
        if (line !== undefined) {
          answer = line === END ? undefined : line;
          return answer;
        }
        if (this.#ended) {
          const rest = this.#typed;
          this.#typed = '';
          answer = rest === '' ? undefined : rest;
          return answer;
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      if (answer === undefined) this.showTyping();
      if (raw) this.#write('\n');
      // Whatever runs until the next question may have the terminal.
      this.#input.pause();
    }
  }

  /** The terminal is for others again. */
  showTyping(): void {
    this.#hideTyping(false);
  }

  #hideTyping(isHidden: boolean): void {
    if (isHidden === this.#isHidden) return;
    this.#isHidden = isHidden;
    this.#input.setRawMode?.(isHidden);
  }

  #open(): void {
    if (!this.#isOpen) {
      this.#isOpen = true;
      this.#input.on('data', (chunk: Buffer | string) => {
        this.#typed += typeof chunk === 'string' ? chunk : this.#decoder.decode(chunk, { stream: true });
        if (this.#typed.length > LONGEST_LINE) this.#typed = this.#typed.slice(-LONGEST_LINE);
        this.#wake();
      });
      const onEnd = () => {
        this.#ended = true;
        this.#wake();
      };
      this.#input.on('end', onEnd);
      this.#input.on('close', onEnd);
      // A terminal that is hung up.
      this.#input.on('error', onEnd);
    }
    this.#input.resume();
  }

  #takeLine(): string | undefined {
    // Keys, not lines, where it was typed while the echo was still off. Only a terminal has keys: a file's line may end
    // with two characters that come apart.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: Enter and Ctrl-C are what is looked for
    const found = (this.#input.isTTY === true ? /\r\n|[\r\n\x03]/ : /\r?\n/).exec(this.#typed);
    if (found === null) return undefined;
    const line = this.#typed.slice(0, found.index);
    this.#typed = this.#typed.slice(found.index + found[0].length);
    return found[0] === END ? END : line;
  }

  /** A line as keys: the kernel neither edits nor acts on them now. */
  #takeSecret(): string | undefined {
    const keys = this.#typed;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: Enter, Ctrl-C and Ctrl-D are what is looked for
    const end = keys.search(/[\r\n\x03\x04]/);
    if (end < 0) return undefined;
    const last = keys.charAt(end);
    const rest = keys.slice(end + 1);
    this.#typed = last === '\r' && rest.startsWith('\n') ? rest.slice(1) : rest;
    const line = edited(keys.slice(0, end));
    if (last === '\x03' || (last === '\x04' && line === '')) return END;
    return line;
  }
}

/** What no line is. */
const END = '\x03';

/** What is left of typed keys: backspace and Ctrl-U have done what they do. */
export function edited(keys: string): string {
  const line: string[] = [];
  for (const key of keys) {
    if (key === '\x7f' || key === '\b') line.pop();
    else if (key === '\x15') line.length = 0;
    else line.push(key);
  }
  return line.join('');
}
