// A live medium of the demo system, and machines that have it in their drive, as stories of booted machines begin with one.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { runChecked } from '../src/system/process.ts';
import { DEMO_KERNEL_ARGUMENTS } from './demo/content.ts';
import { type DemoImages, ensureDemoImages } from './demo/images.ts';
import { ensureExecutable } from './executable.ts';
import type { Machine } from './machine/machine.ts';

/**
 * Builds an ISO of version 1, whose systems start as fast as the installed ones.
 * @param directory where it goes; returned is the file.
 */
export async function makeLiveMedium(
  directory: string,
  log: (line: string) => void,
): Promise<{ iso: string; images: DemoImages }> {
  const images = await ensureDemoImages({ log });
  const executable = await ensureExecutable(log);
  const output = join(directory, 'medium');
  mkdirSync(output, { recursive: true });
  const source = `oci-layout:${images.layout}:v1`;
  const fast = ['--compression', 'lz4', '--extra-cmdline', DEMO_KERNEL_ARGUMENTS];
  await runChecked([executable, 'build-iso', source, '-o', output, '--name', 'live', ...fast], {
    onLine: log,
    graceMs: 60_000,
  });
  return { iso: join(output, 'live.iso'), images };
}

/** A drive with a disc; firmware tries it after the disks. */
export function driveWith(iso: string): string[] {
  const drive = `if=none,id=cd0,media=cdrom,readonly=on,format=raw,file=${iso.replaceAll(',', ',,')}`;
  return [
    ...['-device', 'virtio-scsi-pci,id=scsi-cd'],
    ...['-drive', drive, '-device', 'scsi-cd,bus=scsi-cd.0,drive=cd0,bootindex=9'],
  ];
}

/** Chooses an entry of the medium's boot menu, counted from 0. The machine keeps its menu. */
export async function chooseEntry(machine: Machine, entry: number): Promise<void> {
  await machine.waitFor('GNU GRUB');
  // Each key is an escape sequence of its own: what arrives before the menu reads keys waits in the serial port.
  machine.send(`${'\x1b[B'.repeat(entry)}\r`);
}
