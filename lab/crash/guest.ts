// The guest of a crash test: a kernel of three seconds that runs commands on a disk, of which QEMU writes down every
// write and flush in the order in which the disk got them.

import { rmSync, statSync, writeFileSync } from 'node:fs';
import { HoldfastError } from '../../src/system/errors.ts';
import { chooseAccelerator, environmentUnder } from '../machine/accelerator.ts';
import { Machine } from '../machine/machine.ts';
import { BOOT_TIMEOUT_MS, COMMAND_TIMEOUT_MS, SHUTDOWN_TIMEOUT_MS } from '../machine/timings.ts';
import type { GuestRoot } from './guest-root.ts';

export interface GuestOptions {
  root: GuestRoot;
  /** ext4 image with what the guest runs and reads, the script `scenario` among it. */
  delivery: string;
  /** The disk under test; it is changed. */
  disk: string;
  /** Where QEMU writes what happens to the disk; without it nothing is written down. */
  log?: string;
  /** The console is kept here. */
  consoleLog: string;
  /** Cuts the guest's power. */
  signal?: AbortSignal | undefined;
}

export class Guest {
  readonly #machine: Machine;
  readonly #log: string | undefined;
  #lines = 0;

  private constructor(machine: Machine, log: string | undefined) {
    this.#machine = machine;
    this.#log = log;
  }

  /** Boots a guest and waits until it takes commands. */
  static async boot({ root, delivery, disk, log, consoleLog, signal }: GuestOptions): Promise<Guest> {
    if (log !== undefined) {
      rmSync(log, { force: true });
      writeFileSync(log, '');
    }
    const machine = await Machine.boot({
      disks: [
        { file: root.image, bus: 'nvme', readOnly: true },
        { file: delivery, serial: 'delivery', readOnly: true },
      ],
      direct: {
        kernel: root.kernel,
        commandLine: `root=/dev/nvme0n1 ro init=/crash-init console=ttyS0 panic=-1 quiet ${await environmentWords()}`,
      },
      logFile: consoleLog,
      memoryMiB: 1024,
      cpus: 1,
      network: 'none',
      extraArguments: diskArguments(disk, log),
    });
    const guest = new Guest(machine, log);
    signal?.addEventListener('abort', () => void guest.cut(), { once: true });
    try {
      await machine.waitFor('<<crash ready 0>>', { timeoutMs: BOOT_TIMEOUT_MS });
    } catch (error) {
      await guest.cut();
      throw error;
    }
    return guest;
  }

  /**
   * Runs a line of shell.
   * @returns what it printed, and how large the log was when it had ended.
   * @throws HoldfastError HF-COMMAND with its output when it fails.
   */
  async run(line: string): Promise<{ output: string; logBytes: number }> {
    this.#lines += 1;
    this.#machine.send(`${line}\n`);
    const end = new RegExp(`^([\\s\\S]*)<<crash ${this.#lines} (\\d+)>>`);
    const [, output = '', status] = await this.#machine.waitFor(end, { timeoutMs: COMMAND_TIMEOUT_MS });
    const logBytes = this.#log === undefined ? 0 : statSync(this.#log).size;
    if (status !== '0')
      throw new HoldfastError('HF-COMMAND', `in the guest, status ${status} from: ${line}\n${output}`);
    return { output, logBytes };
  }

  /** Switches it off in order. */
  async off(): Promise<void> {
    this.#machine.send('off\n');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), SHUTDOWN_TIMEOUT_MS);
    });
    const end = await Promise.race([this.#machine.untilOff(), late]);
    clearTimeout(timer);
    if (end !== 'late') return;
    await this.cut();
    throw new HoldfastError('HF-COMMAND', `the guest did not switch off:\n${this.#machine.consoleTail()}`);
  }

  async cut(): Promise<void> {
    await this.#machine.powerCut();
  }
}

/** Words that the kernel doesn't know are the environment of its first process, and of all that come of it. */
async function environmentWords(): Promise<string> {
  const environment = environmentUnder(await chooseAccelerator());
  return Object.entries(environment)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

/**
 * The disk under test, its writes logged in the format of the kernel's dm-log-writes. Flushes are logged but not carried
 * out on the host, where no power is cut.
 */
function diskArguments(disk: string, log: string | undefined): string[] {
  const file = (id: string, name: string) =>
    `driver=file,node-name=${id},filename=${name.replaceAll(',', ',,')},discard=unmap,cache.no-flush=on`;
  const args = ['-blockdev', file('crashfile', disk)];
  args.push('-blockdev', 'driver=raw,node-name=crashraw,file=crashfile,discard=unmap');
  if (log !== undefined) {
    const options = 'file=crashraw,log=crashlog,log-sector-size=512,discard=unmap';
    args.push('-blockdev', file('crashlog', log), '-blockdev', `driver=blklogwrites,node-name=crashlogged,${options}`);
  }
  const drive = log === undefined ? 'crashraw' : 'crashlogged';
  return [...args, '-device', `virtio-blk-pci,drive=${drive},serial=crash,bootindex=10`];
}
