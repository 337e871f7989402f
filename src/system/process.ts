// Runs external programs: arguments are arrays and never pass a shell, output is bounded, and an interrupted
// program is ended with everything that it started. Children get a process group of their own, so that Ctrl-C at a
// terminal reaches this program alone, which then ends its children and cleans up in order.

import { spawn } from 'node:child_process';
import { errnoOf, HoldfastError } from './errors.ts';
import { packageHint } from './tools.ts';

export interface RunOptions {
  /** Working directory on this machine. */
  cwd?: string;
  /** The whole environment; default is the program's own. */
  env?: NodeJS.ProcessEnv;
  /** Written to standard input; without it standard input is /dev/null. */
  input?: string | Uint8Array;
  /** Ends the program (SIGTERM, after `graceMs` SIGKILL) when aborted. */
  signal?: AbortSignal | undefined;
  timeoutMs?: number;
  /** How long an ended program may take before it is killed; default 5000. */
  graceMs?: number;
  /** Called for each complete line as it arrives, without its line end. */
  onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  /** How much of each stream is kept; the oldest part is dropped. Default 4 MiB. */
  maxOutputBytes?: number;
}

export interface RunResult {
  argv: readonly string[];
  /** Exit status, or null when a signal ended it. */
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  durationMs: number;
}

/** Keeps the newest `limit` bytes of a stream and hands out its lines. */
class OutputCollector {
  #chunks: Buffer[] = [];
  #size = 0;
  #rest = '';
  readonly #decoder = new TextDecoder();
  readonly #limit: number;
  readonly #onLine: ((line: string) => void) | undefined;

  constructor(limit: number, onLine: ((line: string) => void) | undefined) {
    this.#limit = limit;
    this.#onLine = onLine;
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    while (this.#chunks.length > 1 && this.#size - (this.#chunks[0]?.length ?? 0) >= this.#limit) {
      this.#size -= this.#chunks.shift()?.length ?? 0;
    }
    if (this.#onLine === undefined) return;
    const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split('\n');
    // A program that prints no line end at all must not grow the remainder without limit.
    this.#rest = (lines.pop() ?? '').slice(-65536);
    for (const line of lines) this.#onLine(line.replace(/\r$/, ''));
  }

  end(): string {
    if (this.#onLine !== undefined && this.#rest !== '') this.#onLine(this.#rest);
    const all = Buffer.concat(this.#chunks);
    return all.subarray(Math.max(0, all.length - this.#limit)).toString('utf8');
  }
}

/**
 * Runs a program to its end, whatever its exit status.
 * @throws HoldfastError HF-TOOL-MISSING when the program isn't there, HF-INTERRUPTED when `signal` aborted it,
 *   HF-COMMAND when it took longer than `timeoutMs`.
 */
export function run(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<RunResult> {
  const [program, ...args] = argv;
  const started = performance.now();
  if (options.signal?.aborted) return Promise.reject(interrupted(program));
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      detached: true,
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    const limit = options.maxOutputBytes ?? 4 << 20;
    const { onLine } = options;
    const stdout = new OutputCollector(limit, onLine && ((line) => onLine(line, 'stdout')));
    const stderr = new OutputCollector(limit, onLine && ((line) => onLine(line, 'stderr')));
    let ended: 'aborted' | 'timeout' | undefined;
    let killTimer: NodeJS.Timeout | undefined;

    const end = (why: 'aborted' | 'timeout') => {
      if (ended !== undefined) return;
      ended = why;
      killGroup(child.pid, 'SIGTERM');
      killTimer = setTimeout(() => killGroup(child.pid, 'SIGKILL'), options.graceMs ?? 5000);
    };
    const onAbort = () => end('aborted');
    options.signal?.addEventListener('abort', onAbort, { once: true });
    const timer = options.timeoutMs === undefined ? undefined : setTimeout(() => end('timeout'), options.timeoutMs);
    const settle = () => {
      clearTimeout(timer);
      clearTimeout(killTimer);
      options.signal?.removeEventListener('abort', onAbort);
    };

    child.stdout?.on('data', (chunk: Buffer) => stdout.add(chunk));
    child.stderr?.on('data', (chunk: Buffer) => stderr.add(chunk));
    if (child.stdin) {
      // A program may end before it has read everything; its exit status says what matters.
      child.stdin.on('error', () => {});
      child.stdin.end(options.input);
    }
    child.on('error', (error) => {
      settle();
      reject(errnoOf(error) === 'ENOENT' ? toolMissing(program, error) : error);
    });
    child.on('close', (status, signal) => {
      settle();
      const out = stdout.end();
      const err = stderr.end();
      if (ended === 'aborted') return reject(interrupted(program));
      if (ended === 'timeout') {
        return reject(
          new HoldfastError('HF-COMMAND', `${argv.join(' ')} did not finish within ${options.timeoutMs} ms`, {
            outputTail: tailOf(err || out),
          }),
        );
      }
      resolve({ argv, status, signal, stdout: out, stderr: err, durationMs: performance.now() - started });
    });
  });
}

/**
 * Runs a program that must succeed and returns its standard output.
 * @throws HoldfastError HF-COMMAND with the end of its output when the status isn't 0; otherwise as {@link run}.
 */
export async function runChecked(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<string> {
  const result = await run(argv, options);
  if (result.status !== 0) throw commandFailed(result);
  return result.stdout;
}

/** The error that describes a finished program with a status other than 0. */
export function commandFailed(result: RunResult, hint?: string): HoldfastError {
  const how = result.status === null ? `was ended by ${result.signal}` : `failed with status ${result.status}`;
  return new HoldfastError('HF-COMMAND', `${result.argv.join(' ')} ${how}`, {
    outputTail: tailOf(result.stderr.trim() === '' ? result.stdout : result.stderr),
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The last 20 lines of a text, what errors and records show of a program's output. */
export function tailOf(text: string, lines = 20): string {
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}

/** The error for a program that isn't there, with the package that brings it. */
export function toolMissing(program: string, cause?: unknown): HoldfastError {
  return new HoldfastError('HF-TOOL-MISSING', `the program ${program} is not installed or not in PATH`, {
    cause,
    hint: packageHint(program),
  });
}

function interrupted(program: string): HoldfastError {
  return new HoldfastError('HF-INTERRUPTED', `interrupted while running ${program}`);
}

function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // The group may be gone already; that is what was wanted.
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}
