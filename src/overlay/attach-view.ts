// Puts the view together in the initramfs: loop devices, device-mapper, a check of its file system, and a look at what would
// become the root. Everything it made is taken away again when one of these says no.

import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { parseCommandLine, readLayoutArguments } from '../boot/command-line.ts';
import type { EventSink } from '../system/events.ts';
import { freeBytes } from '../system/filesystems.ts';
import { mount, unmount } from '../system/mounts.ts';
import type { UndoStack } from '../system/plan.ts';
import { run, runChecked, tailOf } from '../system/process.ts';
import { findProgram } from '../system/tools.ts';
import { AttachRefusal } from './attach-refusal.ts';
import { bootableProblem } from './bootable-view.ts';
import { CHUNK_BYTES, entriesPerArea, isBadSize } from './cow-geometry.ts';
import { createMapping, linearTable, readOnlySnapshotTable, snapshotStatus, snapshotTable } from './device-mapper.ts';
import { sizeOfBase } from './fingerprint.ts';
import { hasJournal, isExt, readExtFeatures } from './view-features.ts';

/** As dracut names them. */
const VIEW = 'live-rw';
const STORED = 'live-ro';
const BASE = 'live-base';
/** Where the look at the view happens. */
const TRIAL_DIRECTORY = '/run/holdfast/view';
/** Where changes go that are not to be kept. */
const MEMORY_DIRECTORY = '/run/initramfs/overlay-memory';
const CHECK_TIMEOUT_MS = 600_000;
/** Enough for a crash to be repaired by replaying it; the smallest that e2fsprogs makes of 4 KiB blocks. */
const JOURNAL_MIB = 4;

export interface ViewOptions {
  slotFile: string;
  /** Undefined: nothing is stored yet, and nothing is going to be. */
  cow: string | undefined;
  chunkSectors: number;
  /** New changes go to memory, and not a byte of the COW is written. */
  readOnly: boolean;
  /** The COW holds nothing yet. */
  blank: boolean;
  /** The root stays read-only (`ro`). */
  rootReadOnly: boolean;
  /** The kernel command line, for fsck.mode and init. */
  commandLine: string;
  events: EventSink;
  signal?: AbortSignal | undefined;
}

/**
 * Makes the device that becomes the root.
 * @returns its path.
 * @throws AttachRefusal no-device-mapper, invalid, fsck, unmountable, not-bootable.
 */
export async function buildView(undo: UndoStack, options: ViewOptions): Promise<string> {
  const { slotFile, cow, chunkSectors, readOnly } = options;
  await run(['modprobe', '--quiet', '--all', 'loop', 'dm_mod', 'dm_snapshot']);
  const base = await attach(undo, slotFile, { readOnly: true });
  const sectors = sizeOfBase(base) / 512;
  await createMapping(undo, BASE, linearTable(sectors, base), { readOnly: true });
  const stored = cow === undefined ? undefined : await attach(undo, cow, { readOnly });
  let view: string;
  if (readOnly || stored === undefined) {
    const origin =
      stored === undefined
        ? base
        : await createMapping(undo, STORED, readOnlySnapshotTable(sectors, base, stored, chunkSectors), {
            readOnly: true,
          });
    view = await createMapping(undo, VIEW, snapshotTable(sectors, origin, await memoryCow(undo), 8));
  } else view = await createMapping(undo, VIEW, snapshotTable(sectors, base, stored, chunkSectors));
  if ((await snapshotStatus(stored !== undefined && readOnly ? STORED : VIEW)) === 'Invalid') {
    throw new AttachRefusal('invalid', `the kernel calls ${cow} invalid`, 'holdfast overlay repair');
  }
  await checkView(view, options);
  await addJournal(view, options);
  await tryView(view, options);
  return view;
}

/** A loop device that stays. Direct I/O where the file system has it: else everything would be in memory twice. */
async function attach(undo: UndoStack, file: string, { readOnly }: { readOnly: boolean }): Promise<string> {
  const argv: [string, ...string[]] = ['losetup', '--find', '--show'];
  if (readOnly) argv.push('--read-only');
  const device = (await runChecked([...argv, file])).trim();
  undo.onFailure(`detach ${device}`, async () => {
    await run(['losetup', '--detach', device]);
  });
  if (!readOnly) await run(['losetup', '--direct-io=on', device]);
  return device;
}

/** A fifth of the memory, as for ephemeral changes without an overlay; nothing is taken before it is written. */
async function memoryCow(undo: UndoStack): Promise<string> {
  await mount('tmpfs', MEMORY_DIRECTORY, { type: 'tmpfs', options: ['size=20%', 'mode=700', 'nr_inodes=16'] });
  undo.onFailure(`unmount ${MEMORY_DIRECTORY}`, () => unmount(MEMORY_DIRECTORY));
  const file = `${MEMORY_DIRECTORY}/cow`;
  writeFileSync(file, '', { mode: 0o600 });
  // The tmpfs has its own bookkeeping in the last of it; a size that breaks a full snapshot is one chunk too many.
  const chunks = Math.floor(freeBytes(MEMORY_DIRECTORY) / CHUNK_BYTES) - 1;
  truncateSync(file, (isBadSize(chunks, entriesPerArea(CHUNK_BYTES)) ? chunks - 1 : chunks) * CHUNK_BYTES);
  return await attach(undo, file, { readOnly: false });
}

/** Only what is safe is repaired; whatever needs a decision is left for `overlay repair`, which works on a copy. */
async function checkView(view: string, { commandLine, blank, events, signal }: ViewOptions): Promise<void> {
  const { mode } = readLayoutArguments(commandLine).check;
  const features = readExtFeatures(view);
  if (mode === 'skip' || features === undefined || !isExt(features)) return;
  // Changes that were made without a journal: what a crash left is found by looking at everything.
  const whole = mode === 'force' || (!blank && !hasJournal(features));
  const argv: [string, ...string[]] = ['e2fsck', '-p', ...(whole ? ['-f'] : []), view];
  const { status, stdout, stderr } = await run(argv, { timeoutMs: CHECK_TIMEOUT_MS, signal });
  const said = tailOf(`${stdout}${stderr}`, 1);
  // e2fsck(8): 1 and 2 are errors that were corrected.
  if (status !== null && status >= 1 && status < 4) {
    events({ type: 'notice', level: 'warning', text: `the file system in the overlay had errors, which are repaired` });
  } else if (status !== 0) {
    throw new AttachRefusal(
      'fsck',
      `the file system in the overlay has errors that e2fsck -p does not repair (status ${status}): ${said}`,
      'holdfast overlay repair',
    );
  }
}

/**
 * Slot files have no journal; a root that is written to needs one. It is kept in the overlay, the base stays as it is.
 * After an error the root becomes read-only: without that a full COW loses what is written without a word.
 */
async function addJournal(view: string, { events, signal }: ViewOptions): Promise<void> {
  const features = readExtFeatures(view);
  if (features === undefined || !isExt(features) || hasJournal(features)) return;
  if (findProgram('tune2fs') === undefined) {
    events({ type: 'notice', level: 'warning', text: 'the overlay gets no journal: the initramfs has no tune2fs' });
    return;
  }
  const argv: [string, ...string[]] = ['tune2fs', '-j', '-J', `size=${JOURNAL_MIB}`, '-e', 'remount-ro', view];
  const { status, stderr } = await run(argv, { timeoutMs: CHECK_TIMEOUT_MS, signal });
  if (status === 0) return;
  const why = tailOf(stderr, 1);
  events({ type: 'notice', level: 'warning', text: `the overlay gets no journal (tune2fs, status ${status}): ${why}` });
}

/** As the boot will do it: read-only first, writable by the layout. */
async function tryView(view: string, { commandLine, rootReadOnly }: ViewOptions): Promise<void> {
  mkdirSync(TRIAL_DIRECTORY, { recursive: true });
  await mountOrRefuse(['mount', '-o', 'ro', view, TRIAL_DIRECTORY]);
  let problem: string | undefined;
  try {
    const init = parseCommandLine(commandLine).findLast(({ key }) => key === 'init')?.value;
    problem = await bootableProblem(TRIAL_DIRECTORY, init);
    if (problem === undefined && !rootReadOnly) await mountOrRefuse(['mount', '-o', 'remount,rw', TRIAL_DIRECTORY]);
  } finally {
    await unmount(TRIAL_DIRECTORY);
  }
  if (problem !== undefined) {
    throw new AttachRefusal('not-bootable', `with its changes the root can’t start: ${problem}`);
  }
}

async function mountOrRefuse(argv: readonly [string, ...string[]]): Promise<void> {
  const { status, stderr } = await run(argv, { timeoutMs: 120_000 });
  if (status === 0) return;
  const why = stderr.trim().replace(/\s+/g, ' ');
  throw new AttachRefusal('unmountable', `the root with the overlay can’t be mounted: ${why}`);
}
