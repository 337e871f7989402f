// What can be seen of one state of a disk, by GRUB and by Linux, without judging it.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { BLOCK_SIZE, parseGrubEnvironment } from '../../src/boot/grub-environment.ts';
import { SLOT_FILES, type SlotName } from '../../src/slots/names.ts';
import { readState } from '../../src/slots/state-file.ts';
import { messageOf } from '../../src/system/errors.ts';
import { BOOT_FILES, type Expectation } from './expectation.ts';
import type { GrubView } from './grub-view.ts';
import type { LinuxPartition, LinuxView } from './linux-view.ts';
import { BLOCK, compareSlot, fileReader, uuidOf, uuidOfFile } from './slot-content.ts';

/** One slot file in one of the two views. */
export interface SeenSlot {
  uuid?: string;
  /** Why it is not the complete system that its UUID says. */
  problem?: string;
}

export interface SeenEnvironment {
  variables: Record<string, string>;
  problem?: string;
}

/** A block of variables, as both views have to read it; `absent` is for the caller to judge. */
export function seeEnvironment(block: Buffer | undefined): SeenEnvironment {
  if (block === undefined) return { variables: {}, problem: 'absent' };
  if (block.length !== BLOCK_SIZE) return { variables: {}, problem: `${block.length} bytes` };
  try {
    return { variables: Object.fromEntries(parseGrubEnvironment(block)) };
  } catch (error) {
    return { variables: {}, problem: messageOf(error) };
  }
}

export function seeSlotInGrub(grub: GrubView, slot: SlotName, { systems }: Expectation): SeenSlot {
  const partition = slot === 'recovery' ? 'recovery' : 'state';
  const read = (offset: number, size: number) => grub.read(partition, `/${SLOT_FILES[slot]}`, { offset, size });
  const first = read(0, BLOCK);
  if (first === undefined) return { problem: 'GRUB finds no such file' };
  return judgeSlot(uuidOf(first), systems, (expected) =>
    compareSlot(expected, (offset, size) => read(offset, size) ?? Buffer.alloc(0)),
  );
}

function judgeSlot(
  uuid: string | undefined,
  systems: Expectation['systems'],
  compare: (expected: NonNullable<ReturnType<Expectation['systems']['get']>>) => string | undefined,
): SeenSlot {
  if (uuid === undefined) return { problem: 'it is no ext4 file system' };
  const expected = systems.get(uuid);
  if (expected === undefined) return { uuid, problem: 'it is a system that was in no slot before or after' };
  const problem = compare(expected);
  return problem === undefined ? { uuid } : { uuid, problem };
}

/** Boot files of a partition that GRUB can read, by the names of {@link Expectation}. */
export function seeBootFiles(grub: GrubView, partition: 'efi' | 'state'): Record<string, Buffer | undefined> {
  return Object.fromEntries(BOOT_FILES[partition].map((path) => [`${partition}:${path}`, grub.read(partition, path)]));
}

/** What Linux finds on a partition with slots. */
export interface SeenPartition {
  refused?: string;
  slots: Partial<Record<SlotName, SeenSlot>>;
  /** All image files by name, as far as they were looked at: the slots, and the first one with each other's UUID. */
  candidates: Record<string, SeenSlot>;
  stateProblem?: string;
  environment: SeenEnvironment;
}

const NOTHING: SeenEnvironment = { variables: {} };

/** @param slots those that belong on this partition. */
export function seePartition(
  view: LinuxView,
  partition: LinuxPartition,
  slots: readonly SlotName[],
  { systems }: Expectation,
): SeenPartition {
  const result = view.look(partition, (directory): SeenPartition => {
    const cos = join(directory, 'cOS');
    const names = existsSync(cos) ? readdirSync(cos).filter((name) => name.endsWith('.img')) : [];
    const candidates: Record<string, SeenSlot> = {};
    const looked = new Set<string>();
    // In the order in which the initramfs asks them for their UUID; only the first one with a UUID can become the root.
    for (const name of [...slots.map((slot) => basename(SLOT_FILES[slot])), ...names.sort()]) {
      if (!names.includes(name) || candidates[`cOS/${name}`] !== undefined) continue;
      const uuid = uuidOfFile(join(cos, name));
      const isSlot = slots.some((slot) => basename(SLOT_FILES[slot]) === name);
      if (!isSlot && uuid !== undefined && looked.has(uuid)) continue;
      if (uuid !== undefined) looked.add(uuid);
      candidates[`cOS/${name}`] = seeFile(join(cos, name), systems);
    }
    const seen: SeenPartition['slots'] = {};
    for (const slot of slots) seen[slot] = candidates[SLOT_FILES[slot]] ?? { problem: 'there is no such file' };
    const stateFile = join(directory, 'state.yaml');
    const { state, problem } = readState(stateFile);
    const stateProblem = !existsSync(stateFile)
      ? 'absent'
      : (problem ?? (Object.keys(state).length === 0 ? 'it names no slot' : undefined));
    return {
      slots: seen,
      candidates,
      environment: seeEnvironment(readIfThere(join(directory, 'grub_oem_env'))),
      ...(stateProblem === undefined ? {} : { stateProblem }),
    };
  });
  return 'refused' in result
    ? { refused: result.refused, slots: {}, candidates: {}, environment: NOTHING }
    : result.seen;
}

function seeFile(file: string, systems: Expectation['systems']): SeenSlot {
  return judgeSlot(uuidOfFile(file), systems, (expected) => {
    const { read, close } = fileReader(file);
    try {
      return compareSlot(expected, read);
    } finally {
      close();
    }
  });
}

/** The administrator's variables on COS_OEM. */
export function seeOem(view: LinuxView): { refused?: string; environment: SeenEnvironment } {
  const result = view.look('oem', (directory) => seeEnvironment(readIfThere(join(directory, 'grubenv'))));
  return 'refused' in result ? { refused: result.refused, environment: NOTHING } : { environment: result.seen };
}

function readIfThere(file: string): Buffer | undefined {
  return existsSync(file) ? readFileSync(file) : undefined;
}

/** The file that the initramfs makes the root when the kernel came from the image with this UUID (holdfast-slot.sh). */
export function attachedFile(
  candidates: SeenPartition['candidates'],
  named: string,
  uuid: string,
): { name: string; slot: SeenSlot } | undefined {
  const order = [named, 'cOS/active.img', 'cOS/passive.img', ...Object.keys(candidates)];
  for (const name of order) {
    const slot = candidates[name];
    if (slot?.uuid === uuid) return { name, slot };
  }
  return undefined;
}
