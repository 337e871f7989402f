// Checks a volume before it is mounted, as fsck.mode and fsck.repair ask for. Without a wish only what its superblock calls
// damaged is checked: journals are replayed by the mount itself, and a check of what is clean costs the boot a process.

import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { run } from '../system/process.ts';
import type { LayoutArguments } from './command-line.ts';

/** `noted`: it can be mounted, and the owner should hear the text. */
export type CheckResult = { outcome: 'ok' | 'skipped' } | { outcome: 'noted' | 'failed'; text: string };

export type CheckOptions = LayoutArguments['check'] & {
  /** The directory where whoever has checked a device leaves a file of its name; it isn't checked twice. */
  marks: string;
  limitMs: number;
  /** Hears of a check that begins, which may take minutes. */
  starting: (text: string) => void;
};

/**
 * Checks one device that isn't mounted.
 * @returns `failed` when errors are left: it must not be mounted for writing.
 */
export async function checkVolume(device: string, type: string, options: CheckOptions): Promise<CheckResult> {
  const { marks, limitMs } = options;
  const mark = join(marks, basename(realpathSync(device)));
  if (options.mode === 'skip') return { outcome: 'skipped' };
  if (existsSync(mark)) {
    const before = Number.parseInt(readFileSync(mark, 'utf8'), 10);
    return before >= 4
      ? { outcome: 'failed', text: `${device} has errors that its check left` }
      : { outcome: 'skipped' };
  }
  const isExt = /^ext[234]$/.test(type);
  if (!isExt && !(type === 'vfat' && options.mode === 'force')) return { outcome: 'skipped' };
  if (options.mode === 'auto' && !needsCheck(readSuperblock(device))) return { outcome: 'skipped' };

  const repair = { preen: '-p', yes: '-y', no: '-n' }[options.repair];
  // None of them ever asks: e2fsck and fsck.fat have a letter for each kind of answer (fsck.fat's preen is -a).
  const force = options.mode === 'force' ? ['-f'] : [];
  const argv: [string, ...string[]] = isExt
    ? ['e2fsck', ...force, repair, device]
    : ['fsck.fat', repair === '-p' ? '-a' : repair, device];
  options.starting(`checking ${device}; this may take some minutes`);
  try {
    const { status, stdout, stderr } = await run(argv, { timeoutMs: limitMs });
    mkdirSync(marks, { recursive: true });
    writeFileSync(mark, `${status}\n`);
    if (status === 0) return { outcome: 'ok' };
    // e2fsck(8): 1 and 2 are errors that were corrected, 4 ones that weren't, 8 and more that it couldn't work at all.
    if (status !== null && status < 4) {
      return { outcome: 'noted', text: `${device} had errors, which ${argv[0]} repaired` };
    }
    const last = (stderr.trim() || stdout.trim()).split('\n').at(-1) ?? '';
    return { outcome: 'failed', text: `${device} has errors that ${argv[0]} left (status ${status}): ${last}` };
  } catch (error) {
    const text = `${device} could not be checked: ${messageOf(error)}`;
    // An initramfs without the program is no reason to lose the volume.
    const isMissing = error instanceof HoldfastError && error.code === 'HF-TOOL-MISSING';
    return { outcome: isMissing ? 'noted' : 'failed', text };
  }
}

/** The first bytes of an ext superblock, or undefined when there is none. */
function readSuperblock(device: string): Buffer | undefined {
  const block = Buffer.alloc(128);
  try {
    const fd = openSync(device, 'r');
    try {
      if (readSync(fd, block, 0, block.length, 1024) < block.length) return undefined;
    } finally {
      closeSync(fd);
    }
  } catch {
    // The mount will say what is wrong with the device.
    return undefined;
  }
  return block.readUInt16LE(0x38) === 0xef53 ? block : undefined;
}

/** e2fsck's own conditions: errors noted, not unmounted and without a journal, or mounted too often (off by default). */
function needsCheck(superblock: Buffer | undefined): boolean {
  if (superblock === undefined) return false;
  const state = superblock.readUInt16LE(0x3a);
  const hasJournal = (superblock.readUInt32LE(0x5c) & 0x4) !== 0;
  const mounts = superblock.readUInt16LE(0x34);
  const mostMounts = superblock.readInt16LE(0x36);
  return (state & 2) !== 0 || ((state & 1) === 0 && !hasJournal) || (mostMounts > 0 && mounts >= mostMounts);
}
