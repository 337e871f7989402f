// A QEMU process that can't outlive us: it is ended when this process exits, and by the kernel (the parent-death
// signal) when this process is killed. It gets a process group of its own, so that Ctrl-C at a terminal doesn't switch
// the machine off behind our back.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { errnoOf, HoldfastError } from '../../src/system/errors.ts';
import { findProgram, packageHint } from '../../src/system/tools.ts';
import { QEMU_START_TIMEOUT_MS } from './timings.ts';

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class QemuProcess {
  readonly #child: ChildProcess;
  #stderr = '';
  /** Settles when the process has ended. */
  readonly ended: Promise<{ status: number | null; signal: NodeJS.Signals | null }>;
  #isRunning = true;

  private constructor(child: ChildProcess) {
    this.#child = child;
    running.add(child);
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-65536);
    });
    this.ended = new Promise((resolve) => {
      const settle = (status: number | null, signal: NodeJS.Signals | null) => {
        running.delete(child);
        this.#isRunning = false;
        resolve({ status, signal });
      };
      child.on('error', (error) => {
        this.#stderr += error.message;
        settle(null, null);
      });
      child.on('close', settle);
    });
  }

  /** @throws HoldfastError HF-TOOL-MISSING when there is no QEMU. */
  static start(args: readonly string[]): QemuProcess {
    const program = findProgram('qemu-system-x86_64');
    if (program === undefined) {
      throw new HoldfastError('HF-TOOL-MISSING', 'the program qemu-system-x86_64 is not installed', {
        hint: packageHint('qemu-system-x86_64'),
      });
    }
    const setpriv = findProgram('setpriv');
    const argv = [...(setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'KILL', '--']), program, ...args];
    const [first = program, ...rest] = argv;
    return new QemuProcess(spawn(first, rest, { detached: true, stdio: ['ignore', 'ignore', 'pipe'] }));
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** What QEMU itself complained about. */
  get complaints(): string {
    return this.#stderr
      .split('\n')
      .filter((line) => !line.includes(': info: QEMU waiting for connection'))
      .join('\n')
      .trim();
  }

  /** Ends it at once: for the guest, the power is gone. */
  async kill(): Promise<void> {
    if (this.#isRunning) this.#child.kill('SIGKILL');
    await this.ended;
  }

  /**
   * Connects to a socket that QEMU opens, as soon as it has.
   * @throws HoldfastError HF-COMMAND with QEMU's complaint when it ends first.
   */
  async connect(path: string): Promise<Socket> {
    const deadline = Date.now() + QEMU_START_TIMEOUT_MS;
    for (;;) {
      const socket = createConnection({ path });
      try {
        await once(socket, 'connect');
        return socket;
      } catch (error) {
        const code = errnoOf(error);
        if (!this.#isRunning) {
          throw new HoldfastError('HF-COMMAND', `QEMU did not start: ${this.complaints || 'it said nothing'}`);
        }
        if ((code !== 'ENOENT' && code !== 'ECONNREFUSED') || Date.now() > deadline) throw error;
      }
      await Promise.race([new Promise((resolve) => setTimeout(resolve, 20)), this.ended]);
    }
  }
}
