// An ISO from a web server, onto a disk if there is one with room: on a live system /tmp is memory, and what doesn't fit
// there ends the machine, not only the download (elemental-cli#184).

import { mkdirSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { Incoming } from '../stages/downloads/incoming.ts';
import { HoldfastError } from '../system/errors.ts';
import type { Progress } from '../system/events.ts';
import { type HttpHead, httpDownload, withoutSecrets } from '../system/http.ts';
import type { UndoStack } from '../system/plan.ts';
import { formatBytes } from './sizes.ts';

/** A server that sends nothing for so long is given up. */
const STALL_MS = 60_000;
/** What is left free beside the file. */
const RESERVE_BYTES = 64 << 20;
/** What a machine needs to go on when the file is in memory. */
const MEMORY_RESERVE_BYTES = 512 << 20;
const TMPFS_MAGIC = 0x01021994;
const RAMFS_MAGIC = 0x858458f6;

export interface FetchOptions {
  undo: UndoStack;
  signal: AbortSignal;
  onProgress?: (progress: Progress) => void;
  /** Hears where it really comes from, after redirects; anew with each try. */
  onAddress?: (url: string) => void;
  /** Where it may go; default TMPDIR alone, or else /var/tmp and /tmp. */
  directories?: readonly string[];
}

/**
 * Downloads an ISO to a file that is gone when the undo stack is unwound. TLS is verified.
 * @throws HoldfastError HF-NETWORK, HF-NO-SPACE with the figures, HF-INTERRUPTED.
 */
export async function fetchIso(url: string, options: FetchOptions): Promise<string> {
  const { undo, signal, onProgress, onAddress } = options;
  let incoming: Incoming | undefined;
  let file = '';
  let done = 0;
  const open = (head: HttpHead) => {
    incoming?.discard();
    onAddress?.(head.url);
    done = 0;
    const length = Number(head.headers.get('content-length') ?? Number.NaN);
    const total = Number.isSafeInteger(length) ? length : undefined;
    const directory = join(
      chooseDirectory(options.directories ?? scratchDirectories(), total),
      `holdfast-${process.pid}`,
    );
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    undo.always(`remove ${directory}`, () => rmSync(directory, { recursive: true, force: true }));
    file = join(directory, 'medium.iso');
    const target = new Incoming(file, file, total);
    incoming = target;
    return (chunk: Uint8Array) => {
      target.sink(chunk);
      done += chunk.length;
      onProgress?.({ done, unit: 'bytes', ...(total !== undefined && { total }) });
    };
  };
  try {
    const headers = { 'accept-encoding': 'identity' };
    await httpDownload(url, open, { timeoutMs: 0, stallMs: STALL_MS, signal, headers });
    if (incoming === undefined) throw new HoldfastError('HF-NETWORK', `${withoutSecrets(url)} sent nothing`);
    incoming.finish({ uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, mode: 0o600 }, undefined);
    return file;
  } finally {
    incoming?.discard();
  }
}

function scratchDirectories(): string[] {
  const chosen = process.env.TMPDIR;
  return chosen ? [chosen] : ['/var/tmp', '/tmp'];
}

/** The first with room for it. */
function chooseDirectory(directories: readonly string[], bytes = 0): string {
  const rooms = directories.map((directory) => ({ directory, free: roomIn(directory) }));
  const found = rooms.find(({ free }) => free >= bytes + RESERVE_BYTES);
  if (found !== undefined) return found.directory;
  const figures = rooms.map(({ directory, free }) => `${directory} has ${formatBytes(Math.max(0, free))}`).join(', ');
  throw new HoldfastError(
    'HF-NO-SPACE',
    `there is no room for the ISO, which needs ${formatBytes(bytes + RESERVE_BYTES)}: ${figures}`,
    {
      hint: 'name a directory on a disk with room for it: TMPDIR=/mnt/disk holdfast install …',
    },
  );
}

/** Bytes that a directory can take; of one in memory what the machine can spare. */
function roomIn(directory: string): number {
  try {
    const { bavail, bsize, type } = statfsSync(directory);
    const free = bavail * bsize;
    if (type !== TMPFS_MAGIC && type !== RAMFS_MAGIC) return free;
    const available =
      Number(/^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0) * 1024;
    const spare = available - MEMORY_RESERVE_BYTES;
    return type === RAMFS_MAGIC ? spare : Math.min(free, spare);
  } catch {
    // It isn't there.
    return 0;
  }
}
