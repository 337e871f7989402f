// The users' own shell lines: `sh -c TEXT` inside the root, standard input closed. In a mounted system the caller's
// environment stays out, so that a hook does the same whoever starts it.

import { HoldfastError } from '../system/errors.ts';
import type { EventSink } from '../system/events.ts';
import { toolMissing } from '../system/process.ts';
import type { Root } from '../system/root.ts';
import { maskSecrets } from '../system/secrets.ts';

/** Searched in a mounted system, and on a host that has no PATH (early boot). */
export const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const TAIL_LINES = 20;

export interface ShellContext {
  root: Root;
  events: EventSink;
  signal?: AbortSignal | undefined;
  env?: Readonly<Record<string, string>> | undefined;
  /** Hears which program runs now, without its arguments, which can be secrets; empty when it has ended. */
  running?: (program: string) => void;
}

/** The environment of commands in a root. */
export function commandEnvironment(root: Root, extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  if (!root.isHost) return { PATH: SYSTEM_PATH, HOME: '/root', ...extra };
  // Our units set this for us alone; a user's own program may want to compile.
  const { BUN_JSC_useJIT: _, ...environment } = process.env;
  return { PATH: SYSTEM_PATH, ...environment, ...extra };
}

/** How a program ended: its status, and its last lines. */
export interface CommandEnd {
  status: number | null;
  signal: NodeJS.Signals | null;
  outputTail: string;
}

/**
 * Runs a program in the root and hands its lines to the events unless `quiet`.
 * @throws HoldfastError HF-INTERRUPTED when the signal was aborted, HF-TOOL-MISSING when there is no such program.
 */
export async function runInRoot(
  argv: readonly [string, ...string[]],
  context: ShellContext,
  options: { quiet?: boolean; label?: string } = {},
): Promise<CommandEnd> {
  const tail: string[] = [];
  context.running?.(options.label ?? argv[0]);
  const running = context.root.run(argv, {
    env: commandEnvironment(context.root, context.env),
    signal: context.signal,
    maxOutputBytes: 64 << 10,
    onLine: (text) => {
      if (!options.quiet) context.events({ type: 'output', text });
      tail.push(text.slice(0, 1000));
      if (tail.length > TAIL_LINES) tail.shift();
    },
  });
  const result = await running.finally(() => context.running?.(''));
  return { status: result.status, signal: result.signal, outputTail: tail.join('\n') };
}

/** Runs a text with the root's `sh`. Both streams share one pipe, as with yip, which keeps their lines in order. */
export function runShell(text: string, context: ShellContext, options: { quiet?: boolean } = {}): Promise<CommandEnd> {
  const label = maskSecrets(text).trim().split('\n', 1)[0]?.slice(0, 100) ?? '';
  return runInRoot(['sh', '-c', 'exec sh -c "$1" 2>&1', 'sh', text], context, { ...options, label });
}

/** "failed with status 3", for a sentence. */
export function describeEnd({ status, signal }: CommandEnd): string {
  return status === null ? `was ended by ${signal}` : `failed with status ${status}`;
}

/** @throws HoldfastError HF-COMMAND when the program didn't end with status 0; otherwise as {@link runInRoot}. */
export async function runInRootChecked(argv: readonly [string, ...string[]], context: ShellContext): Promise<void> {
  const end = await runInRoot(argv, context);
  if (end.status !== 0) throw commandError(argv, end, context);
}

/** What went wrong with a program that didn't end with status 0. */
export function commandError(
  argv: readonly [string, ...string[]],
  end: CommandEnd,
  { root }: Pick<ShellContext, 'root'>,
): HoldfastError {
  const [program] = argv;
  // chroot(8) has no other way to say that there is no such program.
  if (end.status === 127 && !root.isHost && !SYSTEM_PATH.split(':').some((path) => root.exists(`${path}/${program}`))) {
    return toolMissing(program);
  }
  return new HoldfastError('HF-COMMAND', `${argv.join(' ')} ${describeEnd(end)}`, { outputTail: end.outputTail });
}
