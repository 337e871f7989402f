// What building a network boot will do, decided from what was asked and what is at the place of its files. Which way the root
// takes may depend on the image's initramfs, which is only known once it is unpacked.

import { lstatSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { HoldfastError } from '../system/errors.ts';
import type { Action, Plan } from '../system/plan.ts';
import type { RootWay } from './netboot-root.ts';
import { NETBOOT_FILES, type NetbootOptions } from './netboot-script.ts';
import type { Compression } from './root-file.ts';

export interface NetbootRequest extends Pick<NetbootOptions, 'base' | 'cloudConfig' | 'install' | 'extra'> {
  /** The image as it is named. */
  source: string;
  directory: string;
  /** Default: what the initramfs can. */
  way: RootWay | undefined;
  compression: Compression;
  overlays: readonly string[];
  /** Room for the unpacked system. */
  systemBytes: number;
}

/** What is at the place of the files. */
export interface NetbootPlace {
  /** Absolute. */
  directory: string;
  state: 'absent' | 'there';
  /** Files of ours that it holds already. */
  replaces: readonly string[];
}

export type NetbootAction =
  | (Action<'unpack-system'> & { overlays: readonly string[]; systemBytes: number })
  | (Action<'prepare-place'> & { directory: string; needBytes: number })
  | (Action<'look-at-initramfs'> & { way: RootWay | undefined })
  | (Action<'make-root'> & { compression: Compression })
  | Action<'copy-boot-files'>
  | Action<'write-config'>
  | Action<'write-script'>
  | (Action<'publish'> & { directory: string });

/** What squashfs makes of a system, at the most that was seen. */
const PACKED_RATIO = 0.6;
const BOOT_FILE_BYTES = 128 << 20;

/**
 * @throws HoldfastError HF-TARGET for a place that can't take the files, or that has such files when `force` isn't set.
 */
export function inspectNetbootPlace(output: string, { force }: { force: boolean }): NetbootPlace {
  const directory = resolve(output);
  const there = statSync(directory, { throwIfNoEntry: false });
  if (there === undefined) {
    if (lstatSync(directory, { throwIfNoEntry: false }) !== undefined) {
      throw new HoldfastError('HF-TARGET', `${directory} is a link that leads nowhere`);
    }
    if (!statSync(dirname(directory), { throwIfNoEntry: false })?.isDirectory()) {
      throw new HoldfastError('HF-TARGET', `${dirname(directory)} is not a directory`, { hint: 'make it first' });
    }
    return { directory, state: 'absent', replaces: [] };
  }
  if (!there.isDirectory())
    throw new HoldfastError('HF-TARGET', `${directory} is there already and is not a directory`);
  const names: readonly string[] = Object.values(NETBOOT_FILES);
  const replaces = readdirSync(directory)
    .filter((name) => names.includes(name))
    .sort();
  const odd = replaces.find((name) => !lstatSync(join(directory, name)).isFile());
  if (odd !== undefined)
    throw new HoldfastError('HF-TARGET', `${join(directory, odd)} is there already and is no file`);
  if (replaces.length > 0 && !force) {
    // Elemental has a number for this (OutFileExists).
    throw new HoldfastError('HF-TARGET', `${directory} already has files of a network boot: ${replaces.join(', ')}`, {
      exitStatus: 25,
      hint: 'name another directory, or replace them with --force; other files in it stay',
    });
  }
  return { directory, state: 'there', replaces };
}

export function planNetboot(request: NetbootRequest, { directory, replaces }: NetbootPlace): Plan<NetbootAction> {
  const { source, way, compression, overlays, systemBytes, cloudConfig } = request;
  const packedBytes = Math.ceil(compression === 'none' ? systemBytes : systemBytes * PACKED_RATIO);
  const laidOver = overlays.length === 0 ? '' : ` and lay ${overlays.join(', ')} over it`;
  return {
    title: `Build a network boot of ${source}`,
    actions: [
      {
        kind: 'prepare-place',
        summary: `See that there is room in ${directory}`,
        directory,
        needBytes: packedBytes + BOOT_FILE_BYTES,
      },
      {
        kind: 'unpack-system',
        summary: `Unpack ${source}${laidOver}`,
        overlays,
        systemBytes,
        cost: { bytes: systemBytes },
      },
      { kind: 'look-at-initramfs', summary: WAY_SUMMARIES[way ?? 'any'], way },
      {
        kind: 'make-root',
        summary: `Pack the system as a squashfs (${compression === 'none' ? 'not compressed' : compression})`,
        compression,
        cost: { bytes: packedBytes },
      },
      { kind: 'copy-boot-files', summary: 'Copy its kernel and its initramfs' },
      ...(cloudConfig === 'beside'
        ? [{ kind: 'write-config' as const, summary: `Put the stage file beside it as ${NETBOOT_FILES.cloudConfig}` }]
        : []),
      { kind: 'write-script', summary: `Write the iPXE script ${NETBOOT_FILES.script}` },
      {
        kind: 'publish',
        summary:
          replaces.length === 0
            ? `Check the sums and put the files into ${directory}`
            : `Check the sums and put the files into ${directory}, in place of ${replaces.join(', ')}`,
        directory,
      },
    ],
  };
}

const WAY_SUMMARIES: Readonly<Record<RootWay | 'any', string>> = {
  any: 'Choose how the root gets into memory: fetched by the initramfs if it can, else brought by the boot loader',
  http: 'See that the initramfs can fetch its root',
  initrd: 'See that the initramfs can take its root from the boot loader',
};
