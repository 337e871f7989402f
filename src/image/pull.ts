// An image unpacked into a directory of its own. It appears there whole, by a rename: until then it is built beside it,
// and what an interrupted pull has left there is cleared away, or continued.

import { chmodSync, lstatSync, mkdirSync, readdirSync, rmdirSync, rmSync, statfsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { renameDurably } from '../system/durable.ts';
import { HoldfastError } from '../system/errors.ts';
import { lockDirectoryUntilEnd } from '../system/lock.ts';
import { mountAt } from '../system/mounts.ts';
import type { Action, Performers, Plan, UndoStack } from '../system/plan.ts';
import { runChecked } from '../system/process.ts';
import { type Estimate, estimateImage } from './estimate.ts';
import type { Image } from './image.ts';
import { withRepository } from './oci-image.ts';
import { Spool, SpooledRepository } from './spool.ts';
import { unpackImage } from './unpack-image.ts';

const LOCK_WAIT_SECONDS = 3;

/** What is where the image shall be. */
export interface PullTarget {
  /** Absolute. */
  directory: string;
  /** `mounted`: it can't be replaced, so the image is unpacked in place. */
  state: 'absent' | 'empty' | 'mounted';
  availableBytes: number;
  /** An earlier pull has left something beside it. */
  hasRemains: boolean;
}

export interface PullRequest {
  image: Image;
  target: PullTarget;
  estimate: Estimate;
  /** Keep what is fetched until all of it is there. */
  resume: boolean;
}

export type PullAction =
  | (Action<'prepare'> & { working: string })
  | (Action<'unpack'> & { into: string; spool: string | undefined })
  | (Action<'place'> & { from: string; to: string; working: string });

export interface PullState {
  image: Image;
  /** Takes back what holds for the whole command. */
  undo: UndoStack;
  /** Set when the image is unpacked. */
  files: number;
}

/**
 * Looks at the directory that shall hold the image.
 * @throws HoldfastError HF-TARGET when it isn't empty or is none, HF-NO-SOURCE without a parent.
 */
export function inspectPullTarget(path: string): PullTarget {
  const directory = resolve(path);
  const parent = dirname(directory);
  if (!lstatSync(parent, { throwIfNoEntry: false })?.isDirectory()) {
    throw new HoldfastError('HF-TARGET', `${parent} is not a directory`, { hint: 'make it first' });
  }
  const found = lstatSync(directory, { throwIfNoEntry: false });
  if (found !== undefined && !found.isDirectory()) {
    throw new HoldfastError('HF-TARGET', `${directory} is there already and is not a directory`);
  }
  const isMounted = mountAt(directory) !== undefined;
  const names = found === undefined ? [] : readdirSync(directory);
  if (names.some((name) => !(isMounted && name === 'lost+found'))) {
    throw new HoldfastError('HF-TARGET', `${directory} is not empty`, { hint: 'name a new directory' });
  }
  const { bavail, bsize } = statfsSync(isMounted ? directory : parent);
  return {
    directory,
    state: isMounted ? 'mounted' : found === undefined ? 'absent' : 'empty',
    availableBytes: bavail * bsize,
    hasRemains: lstatSync(workingDirectory(directory), { throwIfNoEntry: false }) !== undefined,
  };
}

/** Estimates what the image will take; nothing of its layers is read but a few bytes of each. */
export function estimatePull(image: Image, signal: AbortSignal): Promise<Estimate> {
  return estimateImage(image, { signal });
}

/** @throws HoldfastError HF-NO-SPACE, with figures, when it can't fit; HF-USAGE for what can't be continued. */
export function planPull({ image, target, estimate, resume }: PullRequest): Plan<PullAction> {
  const { directory, state, availableBytes } = target;
  const isRemote = image.kind === 'oci' && image.origin === 'registry';
  const spoolBytes = resume && isRemote ? estimate.compressedBytes : 0;
  const neededBytes = estimate.contentBytes + spoolBytes;
  // A guess is no reason to refuse; the disk will say it.
  if (estimate.exact && neededBytes > availableBytes) {
    throw new HoldfastError('HF-NO-SPACE', `${directory} needs ${neededBytes} bytes, ${availableBytes} are free`, {
      hint: 'free some room, or name a directory on another disk',
    });
  }
  const working = workingDirectory(directory);
  const cost = { bytes: estimate.compressedBytes || estimate.contentBytes };
  if (state === 'mounted') {
    if (resume) {
      throw new HoldfastError('HF-USAGE', `${directory} is a mounted file system: a pull into it can't be continued`, {
        hint: 'leave out --resume, or name a directory inside it',
      });
    }
    const into = directory;
    return {
      title: `Pull ${image.source} into ${directory}`,
      actions: [{ kind: 'unpack', summary: `Unpack the image into ${into}`, into, spool: undefined, cost }],
    };
  }
  const tree = join(working, 'tree');
  const spool = resume && isRemote ? join(working, 'fetched') : undefined;
  return {
    title: `Pull ${image.source} into ${directory}`,
    actions: [
      {
        kind: 'prepare',
        summary: target.hasRemains ? `Clear away what an earlier pull left in ${working}` : `Make ${working}`,
        working,
      },
      {
        kind: 'unpack',
        summary: `Unpack the image${spool === undefined ? '' : ', keeping what is fetched'}`,
        into: tree,
        spool,
        cost,
      },
      { kind: 'place', summary: `Put it at ${directory}`, from: tree, to: directory, working },
    ],
  };
}

export const pullPerformers: Performers<PullAction, PullState> = {
  prepare: async ({ working }, { undo }, state) => {
    const tree = join(working, 'tree');
    mkdirSync(working, { mode: 0o700, recursive: true });
    const { uid, mode } = lstatSync(working);
    if ((mode & 0o170000) !== 0o040000 || uid !== process.getuid?.() || (mode & 0o022) !== 0) {
      throw new HoldfastError('HF-TARGET', `${working} belongs to somebody else`, { hint: 'remove it' });
    }
    // A pull that was killed a moment ago may still hold it.
    await lockDirectoryUntilEnd(state.undo, working, LOCK_WAIT_SECONDS);
    if (lstatSync(working, { throwIfNoEntry: false }) === undefined) {
      throw new HoldfastError('HF-LOCKED', `another pull into the same directory was faster`);
    }
    rmSync(tree, { recursive: true, force: true });
    mkdirSync(tree);
    chmodSync(tree, 0o755);
    undo.onFailure(`remove ${tree}`, () => {
      rmSync(tree, { recursive: true, force: true });
      // Unless something is kept for a continuation.
      if (readdirSync(working).length === 0) rmdirSync(working);
    });
  },

  unpack: async ({ into, spool: kept }, { events, signal, progress, warn }, state) => {
    let { image } = state;
    if (kept !== undefined && image.kind === 'oci') {
      const notice = (text: string) => events({ type: 'notice', level: 'info', text });
      const spool = new Spool(kept, { notice });
      spool.prune(image.layers);
      image = withRepository(image, new SpooledRepository(image.repository, spool));
    }
    const { files, warnings } = await unpackImage(image, into, { signal, onProgress: progress });
    for (const text of warnings) warn(text);
    state.files = files;
  },

  place: async ({ from, to, working }) => {
    // All of it is on the disk before it has its name.
    await runChecked(['sync', '--file-system', from]);
    // Only an empty directory gives way.
    if (lstatSync(to, { throwIfNoEntry: false }) !== undefined) rmdirSync(to);
    renameDurably(from, to);
    rmSync(working, { recursive: true, force: true });
  },
};

/** Beside the directory: on the same file system. */
function workingDirectory(directory: string): string {
  return join(dirname(directory), `.${basename(directory)}.holdfast-pull`);
}
