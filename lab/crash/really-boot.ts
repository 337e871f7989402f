// A state of the disk really booted: firmware, GRUB, menu, bootargs.cfg, and a kernel whose command line says which image
// it came from. There is nothing in these systems that a kernel could go on with.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../src/system/errors.ts';
import { Machine } from '../machine/machine.ts';
import { makeDisk } from './again.ts';
import type { Examined } from './examination.ts';
import type { Finding } from './judge.ts';
import type { Recording } from './recording.ts';

const TIMEOUT_MS = 120_000;

/** Boots a state by UEFI or BIOS and holds the kernel against what GRUB's view of the disk has promised. */
export async function reallyBoot(
  { recording, examined }: { recording: Recording; examined: Examined },
  { scratch, firmware }: { scratch: string; firmware: 'uefi' | 'bios' },
): Promise<Finding[]> {
  const disk = join(scratch, 'boot.img');
  makeDisk(recording, examined.point, disk);
  const machine = await Machine.boot({
    disks: [{ file: disk }],
    logFile: join(scratch, 'boot.log'),
    firmware,
    memoryMiB: 512,
    cpus: 1,
    network: 'none',
    bootMenu: 'keep',
  });
  try {
    const [, line = ''] = await machine.waitFor(/Kernel command line: ([^\r\n]*)\r?\n/, { timeoutMs: TIMEOUT_MS });
    const uuid = /(?:^| )holdfast\.slot=(\S+)/.exec(line)?.[1];
    if (uuid === examined.boots?.uuid) return [];
    return [
      { kind: 'boot', detail: `${firmware} booted ${uuid}, not ${examined.boots?.slot} ${examined.boots?.uuid}` },
    ];
  } catch (error) {
    return [{ kind: 'boot', detail: `${firmware}: ${messageOf(error)}` }];
  } finally {
    await machine.powerCut();
    rmSync(disk, { force: true });
  }
}
