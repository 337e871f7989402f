// A disk image on this machine, and its partitions as a test looks at them: attached by offset, mounted, and given back.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { thisMachine } from '../../../lab/turn.ts';
import { openDisk, readPartitions } from '../../../src/slots/disk.ts';
import { SLOT_FILES, type SlotName } from '../../../src/slots/names.ts';
import { attachLoop, listLoops } from '../../../src/system/loopdevices.ts';
import { listMounts, mount, unmount } from '../../../src/system/mounts.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import { runChecked } from '../../../src/system/process.ts';
import { pidInName } from '../../run/work-names.ts';

export class DiskImage {
  readonly directory = mkdtempSync(join(tmpdir(), 'holdfast-disk-'));
  readonly file: string;

  private constructor(file: string | undefined) {
    this.file = file ?? join(this.directory, 'disk.img');
  }

  /** An empty, sparse disk. */
  static create(sizeMib: number): DiskImage {
    const disk = new DiskImage(undefined);
    writeFileSync(disk.file, '');
    truncateSync(disk.file, sizeMib * 2 ** 20);
    return disk;
  }

  /** A disk image that is there; `remove` leaves it alone. */
  static at(file: string): DiskImage {
    return new DiskImage(file);
  }

  /** Attaches partitions by label for as long as `work` takes; no other test file has any attached meanwhile. */
  withPartitions<T>(labels: readonly string[], work: (devices: Record<string, string>) => Promise<T>): Promise<T> {
    return thisMachine.take(() => this.#attach(labels, work));
  }

  async #attach<T>(labels: readonly string[], work: (devices: Record<string, string>) => Promise<T>): Promise<T> {
    const undo = new UndoStack();
    try {
      const devices: Record<string, string> = {};
      for (const { label, startBytes, sizeBytes } of await readPartitions(await openDisk(this.file))) {
        if (label === undefined || !labels.includes(label)) continue;
        devices[label] = (await attachLoop(undo, this.file, { offsetBytes: startBytes, sizeBytes })).device;
      }
      return await work(devices);
    } finally {
      await undo.unwind(false);
    }
  }

  /** Mounts one partition, read-only unless it is said otherwise, for as long as `work` takes. */
  withMounted<T>(
    label: string,
    work: (directory: string) => Promise<T> | T,
    { writable = false }: { writable?: boolean } = {},
  ): Promise<T> {
    return this.withPartitions([label], async (devices) => {
      const directory = join(this.directory, label);
      mkdirSync(directory, { recursive: true });
      await mount(devices[label] ?? '', directory, { options: [writable ? 'rw' : 'ro'] });
      try {
        return await work(directory);
      } finally {
        await unmount(directory);
      }
    });
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Puts a file onto an ext4 partition that is attached and not mounted. */
export async function writeToExt4(disk: DiskImage, device: string, name: string, text: string): Promise<void> {
  const source = join(disk.directory, 'stage-file');
  writeFileSync(source, text);
  await runChecked(['debugfs', '-w', '-R', `rm ${name}`, device]);
  await runChecked(['debugfs', '-w', '-R', `write ${source} ${name}`, device]);
}

/** A text file of a slot, read from the outside; empty when it isn't there. */
export function slotText(stateDirectory: string, slot: SlotName, path: string): Promise<string> {
  return runChecked(['debugfs', '-R', `cat ${path}`, join(stateDirectory, SLOT_FILES[slot])]);
}

/** Of a second, in /proc on every Linux of today (USER_HZ). */
const CLOCK_TICKS = 100;

/** What belongs to an action or to these tests; others may be at work on the same machine. */
const OURS =
  /holdfast-(disk|tiny)-|\/run\/holdfast\/(install|upgrade|plan|upgrade-recovery|rollback|reset|deploy|boot|state|status|apply|doctor)-|\/run\/cos\/(efi|oem|recovery|state|persistent)\b|tiny-hook/;

/** What an action must leave as it was: mounts, attached loop devices, work directories, processes of ours. */
export function machineTraces(): { mounts: string[]; loops: string[]; work: string[]; processes: string[] } {
  return {
    mounts: listMounts()
      .map(({ mountPoint, source }) => `${source} ${mountPoint}`)
      .filter((text) => OURS.test(text)),
    loops: listLoops()
      .map(({ device, file }) => `${device} ${file}`)
      .filter((text) => OURS.test(text)),
    // What is no lock, no record of a boot and no copy of a stage file from the web.
    work: listNames('/run/holdfast')
      .filter((name) => !/lock$|^stages$|^record$|^sources$|^layout\.json$/.test(name))
      .filter((name) => !isOfAnother(name)),
    processes: holdfastProcesses(),
  };
}

/** {@link machineTraces} at a moment at which no other test file is at work on this machine: for those that run beside others. */
export function settledTraces(): Promise<ReturnType<typeof machineTraces>> {
  return thisMachine.take(machineTraces);
}

/**
 * Whether a work directory belongs to another process that is at work: a test file that runs beside this one. A process that
 * began after the directory was made only has the number of the one that left it.
 */
function isOfAnother(name: string): boolean {
  const pid = pidInName(name);
  if (pid === undefined || pid === process.pid) return false;
  try {
    const { birthtimeMs, ctimeMs } = statSync(join('/run/holdfast', name));
    return startOfProcess(pid) <= (birthtimeMs || ctimeMs);
  } catch {
    // Either of them has gone meanwhile.
    return !existsSync(join('/run/holdfast', name));
  }
}

/** In milliseconds since 1970, exact to a hundredth of a second. @throws when there is no such process. */
function startOfProcess(pid: number): number {
  // proc(5): the 22nd field, counted behind the name, which may hold spaces and brackets.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  const uptimeSeconds = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  return Date.now() - 1000 * (uptimeSeconds - Number(fields[19]) / CLOCK_TICKS);
}

function listNames(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/**
 * Processes that an action starts; those that only wait for being collected don't count, nor those of test files that run
 * beside this one.
 */
function holdfastProcesses(): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const command = commandOf(pid);
      return OURS.test(command) && !isBelowAnotherTest(pid) ? [command] : [];
    } catch {
      return [];
    }
  });
}

function commandOf(pid: string): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
}

/** What nobody is the parent of any more was left behind, and counts. */
function isBelowAnotherTest(pid: string): boolean {
  let isOfAnother = false;
  for (let at = pid; at !== '1' && at !== '0'; ) {
    if (at === String(process.pid)) return false;
    isOfAnother ||= /\bvitest\b/.test(commandOf(at));
    // The name before it may hold spaces and brackets.
    at =
      readFileSync(`/proc/${at}/stat`, 'utf8')
        .replace(/^.*\) \S /s, '')
        .split(' ')[0] ?? '0';
  }
  return isOfAnother;
}
