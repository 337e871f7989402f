// A tree as one compressed file that a kernel mounts as the root of a live or recovery system. The same tree gives the same
// bytes, on any number of processors.

import { rmSync, statSync } from 'node:fs';
import { HoldfastError } from '../system/errors.ts';
import type { ApplyContext } from '../system/plan.ts';
import { runChecked } from '../system/process.ts';
import { requireTools } from '../system/tools.ts';
import { reproducibleEnvironment } from './source-time.ts';

export const ROOT_FORMATS = ['squashfs', 'erofs'] as const;
export type RootFormat = (typeof ROOT_FORMATS)[number];

/** By format, the usual one first. */
export const COMPRESSIONS = {
  squashfs: ['xz', 'zstd', 'gzip', 'lzo', 'lz4', 'none'],
  erofs: ['lz4hc', 'lz4', 'none'],
} as const;

export type Compression = (typeof COMPRESSIONS)[RootFormat][number];

/** For a squashfs that GRUB takes kernel and initramfs from: neither zstd nor lz4 (GRUB 2.06). */
export const RECOVERY_COMPRESSION: Compression = 'xz';

export interface RootFileOptions {
  format: RootFormat;
  compression: Compression;
  /** Of the medium; newer files are said to be this old. */
  timeSeconds: number;
  /** For erofs, which has one. */
  uuid: string;
  /** Default: this machine's. The result doesn't depend on it. */
  processors?: number | undefined;
}

/** The program that makes such files. */
export function rootFileTool(format: RootFormat): string {
  return format === 'squashfs' ? 'mksquashfs' : 'mkfs.erofs';
}

/**
 * @throws HoldfastError HF-USAGE for a compression that the format doesn't have.
 */
export function parseCompression(format: RootFormat, text: string): Compression {
  const found = COMPRESSIONS[format].find((each) => each === text);
  if (found !== undefined) return found;
  throw new HoldfastError('HF-USAGE', `${format} is not compressed with ${JSON.stringify(text)}`, {
    hint: `one of ${COMPRESSIONS[format].join(', ')}`,
  });
}

/**
 * Makes the file, which must not exist; its size is told while it grows.
 * @throws HoldfastError HF-TOOL-MISSING, HF-COMMAND with the program's words (a version without that compression, too),
 *   HF-INTERRUPTED.
 */
export async function makeRootFile(
  context: Pick<ApplyContext, 'signal' | 'progress' | 'undo' | 'events'>,
  directory: string,
  file: string,
  options: RootFileOptions,
): Promise<{ sizeBytes: number }> {
  requireTools([rootFileTool(options.format)]);
  context.undo.onFailure(`remove ${file}`, () => rmSync(file, { force: true }));
  const argv =
    options.format === 'squashfs'
      ? squashArguments(directory, file, options)
      : erofsArguments(directory, file, options);
  let lostAcls = false;
  const watch = setInterval(() => {
    const stat = statSync(file, { throwIfNoEntry: false });
    if (stat !== undefined) context.progress({ done: stat.size, unit: 'bytes' });
  }, 1000);
  try {
    await runChecked(argv, {
      signal: context.signal,
      env: reproducibleEnvironment(options.timeSeconds),
      maxOutputBytes: 1 << 16,
      onLine: (line) => {
        // mksquashfs says it for each file that has one, and goes on.
        if (line.includes('xattr prefix system.posix_acl')) lostAcls = true;
      },
    });
  } finally {
    clearInterval(watch);
  }
  if (lostAcls) {
    const text = `${options.format} keeps no access control lists (ACLs): files of the system that have one are without it there`;
    context.events({ type: 'notice', level: 'info', text });
  }
  const { size } = statSync(file);
  context.progress({ done: size, total: size, unit: 'bytes' });
  return { sizeBytes: size };
}

/** The times come from SOURCE_DATE_EPOCH, which mksquashfs reads since 4.4: as the file's own, and as the latest of files. */
function squashArguments(
  directory: string,
  file: string,
  { compression, processors }: RootFileOptions,
): [string, ...string[]] {
  const uncompressed = ['-noI', '-noId', '-noD', '-noF', '-noX'];
  return [
    'mksquashfs',
    directory,
    file,
    '-noappend',
    '-no-progress',
    '-quiet',
    '-xattrs',
    ...['-b', compression === 'xz' ? '1M' : '256K'],
    ...(compression === 'none' ? uncompressed : ['-comp', compression]),
    // mksquashfs' own level, 15, takes ten times as long for six per cent less.
    ...(compression === 'zstd' ? ['-Xcompression-level', '9'] : []),
    // As cOS does: machine code of this processor gets smaller.
    ...(compression === 'xz' ? ['-Xbcj', 'x86'] : []),
    ...(processors === undefined ? [] : ['-processors', String(processors)]),
  ];
}

function erofsArguments(
  directory: string,
  file: string,
  { compression, uuid }: RootFileOptions,
): [string, ...string[]] {
  return ['mkfs.erofs', '-d1', ...(compression === 'none' ? [] : [`-z${compression}`]), '-U', uuid, file, directory];
}
