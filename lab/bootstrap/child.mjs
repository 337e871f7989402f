// Runs programs for the bootstrap: their output is ours, their failure is ours, and an interruption is passed on once
// and waited for, so that they clean up before we are gone.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

/** A failure that needs no stack: the message (empty when the program said everything itself) and our exit status. */
export class ChildFailed extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** How often it is looked whether npm is still there. */
const PARENT_MS = 500;
/** npm passes a signal on that the terminal has sent to us as well; a person who means it again takes longer. */
const REPEAT_MS = 1000;

/**
 * Runs a program to its end. It gets a process group of its own and no standard input, so that Ctrl-C reaches it through
 * us alone; with `terminal` it shares ours and deals with the keyboard itself.
 * @param options.onOutput takes the output instead of our own.
 * @throws ChildFailed with its status, or 128 plus the number of the signal that ended it.
 */
export function runChild([program, ...args], { cwd, env, terminal = false, onOutput } = {}) {
  return new Promise((resolve, reject) => {
    const output = onOutput ? 'pipe' : 'inherit';
    const child = spawn(program, args, {
      cwd,
      env: env ?? process.env,
      detached: !terminal,
      stdio: terminal ? 'inherit' : ['ignore', output, output],
    });
    let lastSignal = 0;
    let interrupted;
    const forward = (signal) => {
      if (Date.now() - lastSignal < REPEAT_MS) return;
      lastSignal = Date.now();
      interrupted = signal;
      if (!terminal) child.kill(signal);
    };
    for (const signal of FORWARDED) process.on(signal, forward);
    // npm doesn't pass SIGTERM on to what its shell has started, it only ends: without it, nobody waits for us.
    const parents = parentChain();
    const watch = setInterval(() => {
      if (parentChain() !== parents && interrupted === undefined) forward('SIGTERM');
    }, PARENT_MS);
    const settle = () => {
      clearInterval(watch);
      for (const signal of FORWARDED) process.off(signal, forward);
    };
    child.stdout?.on('data', onOutput);
    child.stderr?.on('data', onOutput);
    child.on('error', (error) => {
      settle();
      reject(new ChildFailed(`${program} could not be started: ${error.message}`, 127));
    });
    child.on('close', (status, signal) => {
      settle();
      if (status === 0 && interrupted === undefined) return resolve();
      const ended = signal ?? (status === 0 ? interrupted : undefined);
      reject(new ChildFailed('', ended === undefined ? status : 128 + constants.signals[ended]));
    });
  });
}

/** Our parent, and its parent when that is npm. */
function parentChain() {
  if (process.env.npm_lifecycle_event === undefined) return '';
  try {
    const [, parent] = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${process.ppid}/status`, 'utf8')) ?? [];
    return `${process.ppid} ${parent}`;
  } catch {
    // It has just ended.
    return 'none';
  }
}
