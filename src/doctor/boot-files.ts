// What firmware and GRUB need before Linux runs: the boot loader's files, the menu, the environment blocks, and an initramfs
// that mounts a slot. And what they will choose next.

import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { findInitramfsModule, type InitramfsModule } from '../boot/init-initramfs.ts';
import { type NextBoot, nextBoot, readBootVariables } from '../lifecycle/boot-choice.ts';
import { BOOTARGS, literalSettings } from '../lifecycle/bootable.ts';
import { slotId } from '../slots/identify.ts';
import { HoldfastError } from '../system/errors.ts';
import { run } from '../system/process.ts';
import { findProgram } from '../system/tools.ts';
import { type Finding, inArea } from './finding.ts';
import { type FoundBlock, judgeBlock, lookAtBlock } from './grub-blocks.ts';
import { openPartition, openSlot, type Patient, slotPath } from './patient.ts';

export interface BootFacts {
  firmware: 'efi' | 'bios';
  /** On the ESP: programs of the removable path, and its configuration. Undefined where it can't be read. */
  esp: { programs: readonly string[]; hasConfig: boolean } | undefined;
  /** The first sector of the disk starts GRUB; undefined where that doesn't matter. */
  bootSector: boolean | undefined;
  /** The menu on the state partition; undefined where there is none. */
  menu: string | undefined;
  blocks: readonly FoundBlock[];
  /** Of the active slot; undefined where it can't be mounted. */
  initramfs: InitramfsModule | undefined;
  next: NextBoot | undefined;
}

const { ok, skipped, warning, failed } = inArea('boot');

/** Every layout of cOS and ours. */
const MENUS = ['grub2/grub.cfg', 'grub/grub.cfg', 'boot/grub2/grub.cfg', 'boot/grub/grub.cfg'];
const LOADER_MEND = 'holdfast reset, from the recovery system, writes the boot loader anew';

/** Pure. */
export function judgeBoot(facts: BootFacts): Finding[] {
  const { firmware, esp, bootSector, menu, blocks } = facts;
  const findings: Finding[] = [];
  if (esp !== undefined && esp.programs.length === 0) {
    const say = firmware === 'efi' ? failed : warning;
    findings.push(
      say(
        'there is no boot loader in EFI/BOOT on COS_GRUB',
        'the firmware finds nothing to start on this disk',
        LOADER_MEND,
      ),
    );
  } else if (esp !== undefined && !esp.hasConfig) {
    findings.push(failed('EFI/BOOT/grub.cfg is missing on COS_GRUB', 'GRUB starts and finds no menu', LOADER_MEND));
  }
  if (bootSector === false) {
    findings.push(
      failed(
        'the first sector of the disk does not start GRUB',
        'the BIOS finds nothing to start on this disk',
        LOADER_MEND,
      ),
    );
  }
  if (menu === undefined) {
    findings.push(
      failed('there is no grub.cfg on COS_STATE', 'GRUB has no menu and starts nothing by itself', LOADER_MEND),
    );
  }
  for (const block of blocks)
    findings.push(...judgeBlock(block).map(({ problem, loss, mend }) => warning(problem, loss, mend)));
  if (findings.length === 0) findings.push(ok('boot loader, menu and environment blocks are there'));
  return [...findings, ...judgeInitramfs(facts.initramfs), ...judgeNext(facts.next)];
}

function judgeInitramfs(module: InitramfsModule | undefined): Finding[] {
  const mend = 'build the image with dracut in it and run holdfast init in it, then upgrade to it';
  switch (module) {
    case undefined:
      return [];
    case 'holdfast':
      return [ok('the initramfs of the active slot mounts it')];
    case 'cos':
      return [ok('the initramfs of the active slot is one of cOS or Elemental, which mounts it in its own way')];
    case 'unknown':
      return [skipped('what the initramfs of the active slot can do is unknown: it can’t be unpacked here')];
    case 'missing':
      return [failed('the active slot has no initramfs', 'the kernel starts and finds no root', mend)];
    case 'none':
      return [
        failed(
          'the initramfs of the active slot has no module that mounts a slot',
          'the kernel starts and finds no root',
          mend,
        ),
      ];
  }
}

function judgeNext(next: NextBoot | undefined): Finding[] {
  if (next === undefined) return [];
  const what = next.slot === undefined ? `the menu entry ${JSON.stringify(next.entry)}` : `the ${next.slot} system`;
  if (next.why === 'saved_entry' && next.slot !== 'active') {
    return [
      warning(
        `every boot starts ${what}, not the active system`,
        'an upgrade has no effect',
        'holdfast boot --default active',
      ),
    ];
  }
  const why = {
    next_entry: 'once, as chosen',
    'boot assessment': 'the active one failed',
    saved_entry: 'as chosen',
    'first entry': 'as usual',
  };
  return [ok(`the next boot starts ${what} (${why[next.why]})`)];
}

export async function checkBoot(patient: Patient): Promise<Finding[]> {
  const { labels, partitions, busy } = patient;
  if (partitions.state === undefined) return [skipped('no disk with an installed system is attached')];
  const stateDirectory = await openPartition(patient, 'state');
  if (stateDirectory === undefined) return [skipped('the state partition can’t be read')];
  const oemDirectory = await openPartition(patient, 'oem');
  const activeFile = busy === undefined ? await slotPath(patient, 'active') : undefined;
  const isThere = activeFile !== undefined && existsSync(activeFile);
  const uuid = isThere ? await slotId(activeFile) : undefined;
  const firmware = patient.root.exists('/sys/firmware/efi') ? 'efi' : 'bios';
  const disk = patient.labelled.state.find(({ path }) => path === partitions.state?.device)?.disk;
  return judgeBoot({
    firmware,
    esp: await lookAtEsp(patient),
    bootSector:
      firmware === 'efi' || disk === undefined || disk.startsWith('/') ? undefined : startsGrub(`/dev/${disk}`),
    menu: MENUS.find((name) => existsSync(join(stateDirectory, name))),
    blocks: [
      lookAtBlock('grub_oem_env', labels.partitions.state, stateDirectory, partitions.state),
      { ...lookAtBlock('boot_assessment', labels.partitions.state, stateDirectory, partitions.state), optional: true },
      ...(oemDirectory === undefined
        ? []
        : [lookAtBlock('grubenv', labels.partitions.oem, oemDirectory, partitions.oem)]),
    ],
    initramfs: isThere ? await initramfsOf(patient, activeFile) : undefined,
    next: nextBoot(readBootVariables(stateDirectory, oemDirectory), uuid),
  });
}

async function lookAtEsp(patient: Patient): Promise<BootFacts['esp']> {
  const names = await namesOnEsp(patient);
  if (names === undefined) return undefined;
  const programs = names.filter(({ name, bytes }) => /^BOOT[A-Z0-9]+\.EFI$/i.test(name) && bytes > 0);
  return {
    programs: programs.map(({ name }) => name),
    hasConfig: names.some(({ name }) => name.toLowerCase() === 'grub.cfg'),
  };
}

/** The files of EFI/BOOT; undefined where nobody can look. FAT knows no case, its mount may. */
async function namesOnEsp(patient: Patient): Promise<{ name: string; bytes: number }[] | undefined> {
  const device = patient.partitions.efi?.device;
  if (device === undefined || patient.busy !== undefined) return undefined;
  try {
    const directory = join((await openPartition(patient, 'efi')) ?? '/nonexistent', 'EFI/BOOT');
    if (!existsSync(directory)) return [];
    return readdirSync(directory).map((name) => ({ name, bytes: statSync(join(directory, name)).size }));
  } catch (error) {
    // A kernel without FAT: the same by mtools, where they are.
    if (!(error instanceof HoldfastError) || findProgram('mdir') === undefined) return undefined;
    const { stdout } = await run(['mdir', '-i', device, '::/EFI/BOOT'], { env: { ...process.env, LC_ALL: 'C' } });
    return parseMdir(stdout);
  }
}

/** A listing of mdir(1): `BOOTX64  EFI    143360 2026-11-20  10:00`, with the long name behind it where there is one. */
export function parseMdir(text: string): { name: string; bytes: number }[] {
  return text.split('\n').flatMap((line) => {
    const [, base, extension, bytes, long] =
      /^(\S{1,8}) +(\S{0,3}) +(\d[\d ]*?) +\d{4}-\d{2}-\d{2} +\d+:\d+ *(\S.*)?$/.exec(line) ?? [];
    if (base === undefined || bytes === undefined) return [];
    const name = long?.trim() ?? (extension === '' ? base : `${base}.${extension}`);
    return [{ name, bytes: Number(bytes.replaceAll(' ', '')) }];
  });
}

function startsGrub(device: string): boolean {
  const sector = Buffer.alloc(512);
  const fd = openSync(device, 'r');
  try {
    readSync(fd, sector, 0, sector.length, 0);
  } finally {
    closeSync(fd);
  }
  return sector.readUInt16LE(510) === 0xaa55 && sector.includes('GRUB');
}

async function initramfsOf(patient: Patient, file: string): Promise<InitramfsModule | undefined> {
  try {
    const root = await openSlot(patient, 'active', file);
    const path = literalSettings(root.readTextIfThere(BOOTARGS) ?? '').get('initramfs') ?? '/boot/initrd';
    patient.events({ type: 'output', text: 'looking into the initramfs' });
    return await findInitramfsModule(root, path);
  } catch {
    // That it can't be mounted is said of the slot.
    return undefined;
  }
}
