// Writes a promotion into a directory of its own: the container file and the files that it copies. The directory is new or
// empty, so nothing of somebody's is ever overwritten.

import { chmodSync, copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import type { Action, Performers, Plan } from '../system/plan.ts';
import type { Root } from '../system/root.ts';
import type { PromotedFile, Promotion } from './containerfile.ts';
import { STORED_FILES } from './request.ts';

export type PromotionAction =
  | (Action<'write-containerfile'> & { text: string })
  | (Action<'write-files'> & { files: readonly PromotedFile[] });

export const CONTAINERFILE = 'Containerfile';

/** Pure. */
export function planPromotion({ containerfile, files }: Promotion, directory: string): Plan<PromotionAction> {
  const count = files.filter(({ content }) => content.kind !== 'directory').length;
  return {
    title: `Write this machine’s changes for an image to ${directory}`,
    actions: [
      ...(files.length === 0
        ? []
        : [
            {
              kind: 'write-files' as const,
              summary: `Copy ${count} file${count === 1 ? '' : 's'} to ${directory}/files`,
              files,
            },
          ]),
      { kind: 'write-containerfile', summary: `Write ${directory}/${CONTAINERFILE}`, text: containerfile },
    ],
  };
}

/** @throws HoldfastError HF-USAGE when the directory has something in it, or can't be one. */
export function requireEmpty(directory: string): void {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    if (errnoOf(error) !== 'ENOTDIR') throw error;
    throw new HoldfastError('HF-USAGE', `${directory} is no directory`, { hint: 'name one that is new or empty' });
  }
  if (names.length === 0) return;
  throw new HoldfastError('HF-USAGE', `${directory} is not empty`, { hint: 'name a directory that is new or empty' });
}

export interface PromotionState {
  directory: string;
  /** What files of the system are copied from. */
  tree: Root;
  /** Where the store of large files is. */
  host: Root;
}

export const promotionPerformers: Performers<PromotionAction, PromotionState> = {
  'write-containerfile': ({ text }, _, { directory }) => {
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, CONTAINERFILE), text, { flag: 'wx' });
  },

  'write-files': ({ files }, { signal, progress }, { directory, tree, host }) => {
    for (const [index, { name, content, mode }] of files.entries()) {
      if (signal.aborted) throw new HoldfastError('HF-INTERRUPTED', `interrupted while copying ${name}`);
      const at = join(directory, name);
      mkdirSync(content.kind === 'directory' ? at : dirname(at), { recursive: true });
      if (content.kind === 'bytes') writeFileSync(at, content.bytes);
      else if (content.kind === 'stored') copyFileSync(host.resolve(`${STORED_FILES}/${content.sha256}`), at);
      else if (content.kind === 'system') copyFileSync(tree.resolve(content.path), at);
      // A directory must be writable until everything is in it.
      if (content.kind !== 'directory') chmodSync(at, mode);
      progress({ done: index + 1, total: files.length, unit: 'files' });
    }
    for (const { name, content, mode } of files)
      if (content.kind === 'directory') chmodSync(join(directory, name), mode);
  },
};
