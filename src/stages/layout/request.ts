// What a `layout` asks for, checked as a whole before anything is looked at: names, labels and combinations that can't
// work are errors here, so that no disk is changed for half a layout.

import { HoldfastError } from '../../system/errors.ts';
import type { StepValue } from '../steps/handler.ts';
import { FILESYSTEM_NAMES, type Filesystem, FORMATS, filesystemNamed } from './formats.ts';

/** One of `add_partitions`. */
export interface PartitionRequest {
  filesystem: Filesystem;
  /** Empty: none. */
  fsLabel: string;
  /** The partition's own name, on GPT. Empty: none. */
  pLabel: string;
  /** 0: all that is left. */
  sizeMib: number;
  bootable: boolean;
  /** How many equal entries come before it. */
  occurrence: number;
}

export interface LayoutRequest {
  label: string;
  path: string;
  /** The name whose UUID an initialised disk gets; absent unless `init_disk`. */
  initName?: string;
  /** Of `expand_partition`; 0: all that is left. */
  expandMib?: number;
  partitions: readonly PartitionRequest[];
  warnings: readonly string[];
}

/** yip 1.19. */
const DEFAULT_DISK_NAME = 'YIP_DISK';
/** UTF-16 code units in a GPT entry. */
const NAME_UNITS = 36;

/**
 * Checks a layout.
 * @returns undefined, with what to say, when there is nothing to do.
 * @throws HoldfastError HF-CONFIG for what can't be done on any disk.
 */
export function readRequest(value: StepValue<'layout'>): LayoutRequest | { nothing: string } {
  const { device, expand_partition: expand, add_partitions: add = [] } = value;
  if (device === undefined) return { nothing: 'the layout names no device, nothing is done' };
  const { label = '', path = '', init_disk: init = false, disk_name: diskName = '' } = device;
  if (init && (label !== '' || path === '')) {
    throw new HoldfastError('HF-CONFIG', 'init_disk needs a path and takes no label', {
      hint: 'a disk that is found by a label is in use; name it with "path:"',
    });
  }
  if (label === '' && path === '') {
    return { nothing: "the layout's device has neither a label nor a path, nothing is done" };
  }
  const warnings: string[] = [];
  const partitions: PartitionRequest[] = [];
  for (const [index, entry] of add.entries()) {
    const where = `add_partitions[${index}]`;
    const request = readPartition(entry, where, warnings);
    if (partitions.some((other) => sharesLabel(other, request))) {
      warnings.push(`layout: ${where}: an entry before it has the same label, so it is taken for the same partition`);
      continue;
    }
    const equal = partitions.filter((other) => entryKey(other, 0) === entryKey(request, 0));
    partitions.push({ ...request, occurrence: equal.length });
  }
  if (partitions.filter(({ bootable }) => bootable).length > 1) {
    warnings.push('layout: more than one partition is bootable; firmware takes the first that it finds');
  }
  const nothingAsked = !init && expand === undefined && partitions.length === 0;
  if (nothingAsked) return { nothing: 'the layout has neither expand_partition nor add_partitions, nothing is done' };
  return {
    label,
    path,
    ...(init ? { initName: diskName || DEFAULT_DISK_NAME } : {}),
    ...(expand === undefined ? {} : { expandMib: expand.size ?? 0 }),
    partitions,
    warnings,
  };
}

type Entry = NonNullable<StepValue<'layout'>['add_partitions']>[number];

function readPartition(entry: Entry, where: string, warnings: string[]): PartitionRequest {
  const { filesystem: name = '', fsLabel = '', pLabel = '', size: sizeMib = 0, bootable = false } = entry;
  const filesystem = filesystemNamed(name);
  if (filesystem === undefined) {
    throw new HoldfastError('HF-CONFIG', `${where}: the filesystem "${name}" is not known`, {
      hint: `known are ${FILESYSTEM_NAMES.join(', ')}`,
    });
  }
  if (filesystem === 'none') {
    if (fsLabel !== '') warnings.push(`layout: ${where}: fsLabel "${fsLabel}" is not used without a filesystem`);
  } else {
    checkLabel(filesystem, fsLabel, where);
    if (bootable && FORMATS[filesystem].type !== 'vfat') {
      warnings.push(
        `layout: ${where}: as a bootable partition it gets the type BIOS boot on GPT; grub-install overwrites its filesystem`,
      );
    }
  }
  if (pLabel.length > NAME_UNITS || hasControl(pLabel)) {
    throw new HoldfastError('HF-CONFIG', `${where}: pLabel "${pLabel}" can't be a partition's name`, {
      hint: `at most ${NAME_UNITS} characters, none of them a control character`,
    });
  }
  return { filesystem, fsLabel: filesystem === 'none' ? '' : fsLabel, pLabel, sizeMib, bootable, occurrence: 0 };
}

function sharesLabel(one: PartitionRequest, other: PartitionRequest): boolean {
  return (['fsLabel', 'pLabel'] as const).some((key) => one[key] !== '' && one[key] === other[key]);
}

function checkLabel(filesystem: Exclude<Filesystem, 'none'>, label: string, where: string): void {
  const { labelBytes, labelExcludes } = FORMATS[filesystem];
  const bytes = Buffer.byteLength(label);
  if (bytes > labelBytes) {
    throw new HoldfastError(
      'HF-CONFIG',
      `${where}: the label "${label}" has ${bytes} bytes, ${filesystem} takes at most ${labelBytes}`,
      { hint: 'use a shorter fsLabel' },
    );
  }
  const bad = hasControl(label) ? 'control characters' : labelExcludes?.exec(label)?.[0];
  if (bad !== undefined) {
    throw new HoldfastError('HF-CONFIG', `${where}: a label of ${filesystem} can't have ${bad} in it`);
  }
}

function hasControl(text: string): boolean {
  return /\p{Cc}/u.test(text);
}

/** The text that an entry is known by where it has no label: equal entries are told apart by their position. */
export function entryKey(entry: PartitionRequest, occurrence = entry.occurrence): string {
  const { filesystem, fsLabel, pLabel, sizeMib, bootable } = entry;
  return JSON.stringify([filesystem, fsLabel, pLabel, sizeMib, bootable, occurrence]);
}

/** "COS_PERSISTENT (ext4, 512 MiB)", for plans and messages. */
export function describePartition({ filesystem, fsLabel, pLabel, sizeMib }: PartitionRequest): string {
  const name = fsLabel || pLabel;
  const size = sizeMib === 0 ? 'all that is left' : `${sizeMib} MiB`;
  const details = `${filesystem === 'none' ? 'not formatted' : filesystem}, ${size}`;
  return name === '' ? `a partition (${details})` : `the partition ${name} (${details})`;
}
