// A root shell in the guest behind its serial console: from the first prompt (autologin, or an emergency shell) to
// running commands one after the other and carrying files in and out.

import { HoldfastError } from '../../src/system/errors.ts';
import type { Console } from './console.ts';
import {
  functionsMarker,
  GUEST_DIRECTORY,
  goLine,
  installScript,
  parseResult,
  putLines,
  quietShellLine,
  quote,
  type RawResult,
  readyMarker,
  resultMarkers,
  setupLines,
  showLine,
} from './guest-commands.ts';
import { BOOT_TIMEOUT_MS, COMMAND_TIMEOUT_MS, ECHO_TIMEOUT_MS } from './timings.ts';

/** A shell's prompt at the very end of what was printed, or a question that one has to answer to get there. */
const PROMPT = /[^\n]*[#$] $|Press Enter for (?:system )?(?:maintenance|emergency)[^\n]*\n?[^\n]*$/;
const PROMPT_WITH_MORE = /automatic login|^[^\n]*[#$] (?=\S)/m;
/** How long the console may be silent while a command runs before its result is asked for. */
const NUDGE_MS = 30_000;
const MAX_DAMAGED_ANSWERS = 10;
/** Over the console a megabyte takes some ten seconds. */
const MAX_FILE_BYTES = 8 << 20;

export class GuestShell {
  readonly #console: Console;
  readonly #send: (text: string) => void;
  readonly #directory: string;
  readonly #environment: Readonly<Record<string, string>>;
  #commands = 0;
  #attempts = 0;
  #ready = false;
  #queue: Promise<unknown> = Promise.resolve();

  /**
   * @param directory where the guest keeps commands and results.
   * @param environment what commands get beside the login's own.
   */
  constructor(
    console: Console,
    send: (text: string) => void,
    directory = GUEST_DIRECTORY,
    environment: Readonly<Record<string, string>> = {},
  ) {
    this.#directory = directory;
    this.#environment = environment;
    this.#console = console;
    this.#send = send;
  }

  get isReady(): boolean {
    return this.#ready;
  }

  /** The machine has restarted: there is no shell any more. */
  forget(): void {
    this.#ready = false;
  }

  /**
   * Waits for a prompt and prepares the shell behind it.
   * @throws HoldfastError HF-COMMAND with the console's end when there is none in time.
   */
  async login(timeoutMs = BOOT_TIMEOUT_MS): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!this.#ready) {
      const question = await this.#waitForPrompt(deadline);
      if (question) {
        this.#send('\n');
        continue;
      }
      const attempt = ++this.#attempts;
      try {
        this.#send(quietShellLine(attempt));
        await this.#console.waitFor(readyMarker(attempt), { timeoutMs: ECHO_TIMEOUT_MS });
        for (const line of setupLines(attempt, this.#directory, this.#environment)) this.#send(line);
        await this.#console.waitFor(functionsMarker(attempt), { timeoutMs: ECHO_TIMEOUT_MS });
        this.#ready = true;
      } catch (error) {
        // It only looked like a prompt, or something was printed into the marker; an empty line asks for a new one.
        if (Date.now() >= deadline || this.#console.hasEnded) throw error;
        this.#send('\n');
      }
    }
  }

  /** Runs a script in the guest with its bash, else its sh; one at a time, with nothing on its standard input. */
  run(script: string, timeoutMs = COMMAND_TIMEOUT_MS): Promise<RawResult> {
    const result = this.#queue.then(() => this.#run(script, timeoutMs));
    this.#queue = result.catch(() => {});
    return result;
  }

  /** Starts a command whose end the shell won't see, such as a restart. */
  async start(script: string): Promise<void> {
    await this.#queue;
    await this.#requireReady();
    this.#send(`${script}\n`);
  }

  async putFile(path: string, content: Uint8Array, mode: number): Promise<void> {
    if (content.length > MAX_FILE_BYTES) {
      throw new HoldfastError('HF-USAGE', `${path} has ${content.length} bytes, too many for a serial console`, {
        hint: 'give the machine a delivery disk with the file on it (lab/demo/delivery.ts)',
      });
    }
    const put = this.#queue.then(async () => {
      await this.#requireReady();
      const id = ++this.#commands;
      return { id, chunks: await this.#put(id, content) };
    });
    this.#queue = put.catch(() => {});
    const { id, chunks } = await put;
    const result = await this.run(installScript(id, chunks, path, mode, this.#directory));
    if (result.status !== 0) {
      throw new HoldfastError('HF-COMMAND', `${path} could not be written in the guest: ${result.stderr}`);
    }
  }

  async getFile(path: string): Promise<Buffer> {
    const result = await this.run(`cat ${quote(path)}`);
    if (result.status !== 0) {
      throw new HoldfastError('HF-COMMAND', `${path} could not be read in the guest: ${result.stderr}`);
    }
    return result.stdout;
  }

  /** Returns whether what stands there is a question to be answered with Enter rather than a shell's prompt. */
  async #waitForPrompt(deadline: number): Promise<boolean> {
    for (;;) {
      const left = Math.max(1, deadline - Date.now());
      try {
        const prompt = await this.#console.waitFor(PROMPT, { timeoutMs: Math.min(left, NUDGE_MS) });
        return prompt[0].startsWith('Press Enter');
      } catch (error) {
        if (left <= NUDGE_MS || this.#console.hasEnded) throw error;
        // A message may have been printed behind the prompt; Enter brings another. Not before there was one: in a
        // boot menu Enter means something.
        if (PROMPT_WITH_MORE.test(this.#console.unseen)) this.#send('\n');
      }
    }
  }

  async #requireReady(): Promise<void> {
    if (!this.#ready) await this.login();
  }

  async #run(script: string, timeoutMs: number): Promise<RawResult> {
    await this.#requireReady();
    const id = ++this.#commands;
    const chunks = await this.#put(id, Buffer.from(script));
    this.#send(goLine(id, chunks));
    const { begin, end } = resultMarkers(id);
    const deadline = Date.now() + timeoutMs;
    for (let damaged = 0; ; ) {
      const left = deadline - Date.now();
      let frame: string;
      try {
        frame = await this.#console.waitForFrame(begin, end, {
          timeoutMs: Math.max(1, Math.min(left, NUDGE_MS)),
          endsWithBoot: true,
        });
      } catch (error) {
        if (!this.#ready) throw error;
        if (left <= NUDGE_MS) {
          // The command still runs; end it, so that the shell is of use to whoever looks for the cause.
          this.#send('\x03');
          throw this.#timedOut(script, timeoutMs, error);
        }
        // Either it still runs, then this line waits in the terminal; or the end marker was damaged.
        this.#send(showLine(id));
        continue;
      }
      const result = parseResult(frame);
      if (result === 'lost') {
        throw new HoldfastError(
          'HF-COMMAND',
          `the guest lost a command, or restarted while it ran: ${firstLine(script)}`,
        );
      }
      if (result !== 'damaged') return result;
      if (++damaged > MAX_DAMAGED_ANSWERS) {
        throw new HoldfastError('HF-COMMAND', `the result of a command never arrived undamaged: ${firstLine(script)}`);
      }
      this.#send(showLine(id));
    }
  }

  async #put(id: number, content: Uint8Array): Promise<number> {
    const lines = putLines(id, content);
    for (const { line, acknowledgement } of lines) {
      for (let attempt = 1; ; attempt++) {
        this.#send(line);
        try {
          await this.#console.waitFor(acknowledgement, { timeoutMs: ECHO_TIMEOUT_MS, endsWithBoot: true });
          break;
        } catch (error) {
          if (!this.#ready || attempt === 5) throw error;
        }
      }
    }
    return lines.length;
  }

  #timedOut(script: string, timeoutMs: number, cause: unknown): HoldfastError {
    const seconds = Math.round(timeoutMs / 1000);
    return new HoldfastError(
      'HF-COMMAND',
      `a command in the guest did not end within ${seconds} s: ${firstLine(script)}; the end of its console:\n${this.#console.tail()}`,
      { cause },
    );
  }
}

function firstLine(script: string): string {
  const [line = ''] = script.trim().split('\n');
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}
