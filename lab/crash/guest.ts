// The guest of a crash test: a kernel of three seconds that runs one command on a disk, of which QEMU writes down every
// write and flush in the order in which the disk got them.

import { rmSync, statSync, writeFileSync } from 'node:fs';

import { HoldfastError } from '../../src/system/errors.ts';
import { Machine } from '../machine/machine.ts';
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
}

export interface GuestRun {
  machine: Machine;
  /** Bytes of the log so far. */
  logBytes: () => number;
}

/** Boots a guest. The caller talks with its scenario over the console. */
export async function bootGuest({ root, delivery, disk, log, consoleLog }: GuestOptions): Promise<GuestRun> {
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
      commandLine: 'root=/dev/nvme0n1 ro init=/crash-init console=ttyS0 panic=-1 quiet',
    },
    logFile: consoleLog,
    memoryMiB: 1024,
    cpus: 1,
    network: 'none',
    extraArguments: diskArguments(disk, log),
  });
  return { machine, logBytes: () => (log === undefined ? 0 : statSync(log).size) };
}

/**
 * The disk under test, its writes logged in the format of the kernel's dm-log-writes. Flushes are logged but not carried
 * out on the host, where no power is cut.
 */
function diskArguments(disk: string, log: string | undefined): string[] {
  const file = (id: string, name: string) =>
    `driver=file,node-name=${id},filename=${name.replaceAll(',', ',,')},discard=unmap,detect-zeroes=unmap,cache.no-flush=on`;
  const raw = [
    '-blockdev',
    file('crashfile', disk),
    '-blockdev',
    'driver=raw,node-name=crashraw,file=crashfile,discard=unmap',
  ];
  const logged =
    log === undefined
      ? []
      : [
          ...['-blockdev', file('crashlog', log)],
          '-blockdev',
          'driver=blklogwrites,node-name=crashlogged,file=crashraw,log=crashlog,log-sector-size=512,discard=unmap',
        ];
  const drive = log === undefined ? 'crashraw' : 'crashlogged';
  return [...raw, ...logged, '-device', `virtio-blk-pci,drive=${drive},serial=crash,bootindex=10`];
}

/** Waits for the end of a command that the scenario announces as `<<crash NAME STATUS>>`. */
export async function commandEnd({ machine }: GuestRun, name: string, timeoutMs: number): Promise<number> {
  const [, status = ''] = await machine.waitFor(new RegExp(`<<crash ${name} (\\d+)>>`), { timeoutMs });
  return Number(status);
}

/** Lets the guest switch itself off in order. */
export async function endGuest({ machine }: GuestRun): Promise<void> {
  machine.send('go\n');
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), 60_000);
  });
  const end = await Promise.race([machine.untilOff(), late]);
  clearTimeout(timer);
  if (end === 'late') {
    await machine.powerCut();
    throw new HoldfastError('HF-COMMAND', `the guest did not switch off:\n${machine.consoleTail()}`);
  }
}
