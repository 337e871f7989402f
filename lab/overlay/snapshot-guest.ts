// A small guest whose kernel has device-mapper, which build machines lack: the one of the crash tests, up in seconds. A
// disk of its own has bases and COW files; experiments on them (lab/overlay/inside) are TypeScript that Bun runs there,
// and the host looks at the disk when the guest is off or at any instant of what was recorded.

import { copyFileSync, cpSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError } from '../../src/system/errors.ts';
import { runChecked } from '../../src/system/process.ts';
import { PROJECT_DIRECTORY } from '../cache.ts';
import { packDelivery } from '../crash/delivery.ts';
import { Guest } from '../crash/guest.ts';
import { ensureGuestRoot } from '../crash/guest-root.ts';
import { bunProgram } from '../executable.ts';
import { quote } from '../machine/guest-commands.ts';
import type { Experiments } from './inside/experiments.ts';

/** Where the guest has the disk mounted. */
export const DISK_DIRECTORY = '/run/disk';
/** At the end of the disk, outside the file system: an experiment notes there how far it has come. */
export const NOTE_BYTES = 1 << 20;
const DELIVERY = '/run/delivery';

export interface SnapshotGuestOptions {
  /** Scratch files of this guest. */
  directory: string;
  /** A raw image that {@link makeDisk} has made. */
  disk: string;
  /** Where QEMU writes down what happens to the disk. */
  log?: string;
  /** More for the delivery disk: names there, and the host's files or directories. */
  files?: Readonly<Record<string, string>>;
  say: (line: string) => void;
}

export class SnapshotGuest {
  readonly #guest: Guest;

  private constructor(guest: Guest) {
    this.#guest = guest;
  }

  /** Boots it; about five seconds on an idle host. */
  static async boot({ directory, disk, log, files = {}, say }: SnapshotGuestOptions): Promise<SnapshotGuest> {
    const delivery = join(directory, 'delivery');
    rmSync(delivery, { recursive: true, force: true });
    mkdirSync(join(delivery, 'lab/overlay'), { recursive: true });
    copyFileSync(bunProgram(), join(delivery, 'bun'));
    cpSync(join(PROJECT_DIRECTORY, 'src'), join(delivery, 'src'), { recursive: true });
    cpSync(join(PROJECT_DIRECTORY, 'lab/overlay/inside'), join(delivery, 'lab/overlay/inside'), { recursive: true });
    // Without it Bun looks for one further up, to the top of the guest's disk.
    copyFileSync(join(PROJECT_DIRECTORY, 'package.json'), join(delivery, 'package.json'));
    for (const [name, source] of Object.entries(files)) cpSync(source, join(delivery, name), { recursive: true });
    await packDelivery(delivery, `${delivery}.img`);
    rmSync(delivery, { recursive: true, force: true });
    const root = await ensureGuestRoot({ log: say });
    const consoleLog = join(directory, 'console.log');
    const options = { root, delivery: `${delivery}.img`, disk, consoleLog, ...(log === undefined ? {} : { log }) };
    const guest = new SnapshotGuest(await Guest.boot(options));
    try {
      await guest.shell('modprobe dm-snapshot');
      await guest.shell(`mkdir -p ${DISK_DIRECTORY} && mount /dev/crash ${DISK_DIRECTORY}`);
    } catch (error) {
      await guest.cut();
      throw error;
    }
    return guest;
  }

  /** Runs a line of shell. @throws HoldfastError HF-COMMAND with its output when it fails. */
  async shell(line: string): Promise<string> {
    return (await this.#guest.run(line)).output;
  }

  /** Runs an experiment of lab/overlay/inside. */
  async experiment<Name extends keyof Experiments>(
    name: Name,
    options: Parameters<Experiments[Name]>[0],
  ): Promise<Awaited<ReturnType<Experiments[Name]>>> {
    const words = [`${DELIVERY}/bun`, `${DELIVERY}/lab/overlay/inside/main.ts`, name, JSON.stringify(options)];
    const output = await this.shell(words.map(quote).join(' '));
    const result = /^<<result (.*)>>\r?$/m.exec(output)?.[1];
    if (result === undefined) throw new HoldfastError('HF-COMMAND', `the experiment ${name} said: ${output}`);
    return JSON.parse(result);
  }

  /** Unmounts the disk and switches the guest off. */
  async off(): Promise<void> {
    await this.shell(`umount ${DISK_DIRECTORY}`);
    await this.#guest.off();
  }

  async cut(): Promise<void> {
    await this.#guest.cut();
  }
}

/**
 * Makes a disk: ext4 from the start to {@link NOTE_BYTES} before the end.
 * @param options.content a directory whose files are copied into it.
 */
export async function makeDisk(
  file: string,
  { sizeMib, content }: { sizeMib: number; content?: string },
): Promise<void> {
  rmSync(file, { force: true });
  writeFileSync(file, '');
  truncateSync(file, sizeMib * 2 ** 20);
  const tree = content === undefined ? [] : ['-d', content];
  await runChecked(['mkfs.ext4', '-q', '-m', '0', ...tree, file, `${sizeMib - NOTE_BYTES / 2 ** 20}M`]);
}
