// A change of the owner's file as a plan: what is written, kept beside it and removed. The plan is made from the file as
// it is; the runner writes it as a whole, so that a reader sees the old file or the new one.

import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fsyncPath, writeFileDurably } from '../system/durable.ts';
import type { Action, Performers, Plan } from '../system/plan.ts';
import { listRequests, type OwnerFile, renderOwnerFile } from './owner-file.ts';
import { ownerFilePath, writeOwnerFile } from './owner-place.ts';
import { describeRequest, type OwnerRequest, requestId, STORED_FILES } from './request.ts';

export type OwnerAction =
  | (Action<'store-file'> & { sha256: string })
  | Action<'write-owner-file'>
  | (Action<'remove-stored-file'> & { sha256: string });

/** What became of one request. */
export interface OwnerChange {
  change: 'added' | 'replaced' | 'removed' | 'kept-already';
  kind: OwnerRequest['kind'];
  id: string;
  what: string;
}

export interface OwnerPlan extends Plan<OwnerAction> {
  before: OwnerFile;
  after: OwnerFile;
  changes: readonly OwnerChange[];
}

export interface OwnerChangeState {
  plan: OwnerPlan;
  oemDirectory: string;
  /** Where large files are kept. */
  storedFiles: string;
  /** Contents of the files to store, by digest. */
  contents: ReadonlyMap<string, Uint8Array>;
}

/**
 * Decides what is done. Pure.
 * @param stored digests of the files that are kept now.
 */
export function planOwnerChange(
  before: OwnerFile,
  after: OwnerFile,
  changes: readonly OwnerChange[],
  options: { oemDirectory: string; stored: readonly string[] },
): OwnerPlan {
  const [old, wanted] = [storedDigests(before), storedDigests(after)];
  const isSame = renderOwnerFile(before) === renderOwnerFile(after);
  const actions: OwnerAction[] = [
    ...[...wanted]
      .filter((sha256) => !options.stored.includes(sha256))
      .map((sha256) => ({
        kind: 'store-file' as const,
        summary: `Keep the content in ${STORED_FILES}/${sha256}`,
        sha256,
      })),
    ...(isSame ? [] : [{ kind: 'write-owner-file' as const, summary: `Write ${ownerFilePath(options.oemDirectory)}` }]),
    // After the file: until then the old one may be run.
    ...[...old]
      .filter((sha256) => !wanted.has(sha256) && options.stored.includes(sha256))
      .map((sha256) => ({ kind: 'remove-stored-file' as const, summary: `Remove ${STORED_FILES}/${sha256}`, sha256 })),
  ];
  return { title: 'Keep for every system to come', actions, before, after, changes };
}

export const ownerPerformers: Performers<OwnerAction, OwnerChangeState> = {
  'store-file': ({ sha256 }, _, { storedFiles, contents }) => {
    const bytes = contents.get(sha256);
    if (bytes === undefined) return;
    mkdirSync(storedFiles, { recursive: true, mode: 0o700 });
    writeFileDurably(join(storedFiles, sha256), bytes, { mode: 0o600 });
  },
  'write-owner-file': (_, { warn }, { plan, oemDirectory }) => {
    const { comments } = plan.before;
    writeOwnerFile(plan.after, oemDirectory);
    if (comments > 0) {
      warn(
        `${ownerFilePath(oemDirectory)}: ${comments} ${comments === 1 ? 'line of comment is' : 'lines of comments are'} lost`,
      );
    }
  },
  'remove-stored-file': ({ sha256 }, _, { storedFiles }) => {
    const path = join(storedFiles, sha256);
    if (!existsSync(path)) return;
    rmSync(path);
    fsyncPath(storedFiles);
  },
};

/** Digests of the large files that are there. */
export function storedFilesIn(directory: string): string[] {
  if (lstatSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  return readdirSync(directory).filter((name) => /^[0-9a-f]{64}$/.test(name));
}

function storedDigests(file: OwnerFile): Set<string> {
  const digests = listRequests(file).flatMap((request) =>
    request.kind === 'file' && request.content.kind === 'stored' ? [request.content.sha256] : [],
  );
  return new Set(digests);
}

export function ownerChange(change: OwnerChange['change'], request: OwnerRequest): OwnerChange {
  return { change, kind: request.kind, id: requestId(request), what: describeRequest(request) };
}
