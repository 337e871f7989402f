// Makes a new tree out of a clone of an old one. The difference becomes removals, links, patches, and, for all that is
// new, the very entries that a layer would have: the unpacker makes them, so that both ways give the same tree.

import { chmodSync, lchownSync, linkSync, mkdirSync } from 'node:fs';
import { errnoOf, HoldfastError, messageOf } from '../system/errors.ts';
import type { Progress } from '../system/events.ts';
import { verify } from './blob.ts';
import { showName } from './entrypath.ts';
import { setTime } from './exact-time.ts';
import { LayerUnpacker } from './layerunpacker.ts';
import { DirectoryTimes } from './modificationtimes.ts';
import { PATCH_BUFFER_BYTES, patchFile } from './patch-file.ts';
import { SpareBuffer } from './spare-buffer.ts';
import { through } from './streamstage.ts';
import { TargetTree, type TreePath } from './targettree.ts';
import type { TarEntry, TarEvent } from './tarreader.ts';
import type { FileChange, TreeDifference } from './tree-diff.ts';
import type { FileContent, TreeEntry, TreeIndex } from './tree-index.ts';
import { XattrLedger } from './xattrs.ts';

export interface ApplyDeltaOptions {
  /** The tree that the directory holds, and what it is to be turned into. */
  old: TreeIndex;
  difference: TreeDifference;
  /** The stored bytes of any content that is written. A piece may be valid only until the next one. */
  read: (content: FileContent) => AsyncIterable<Buffer>;
  signal?: AbortSignal | undefined;
  /** In bytes of content. */
  onProgress?: ((progress: Progress) => void) | undefined;
}

/**
 * Carries a difference out on a directory that holds the old tree; nothing else may use it. Every content that is written
 * is checked against its digest. After an error the directory is neither the old tree nor the new one. Needs root.
 * @returns bytes of content that were really written.
 * @throws HoldfastError HF-DIGEST when a content is not what it should be, HF-STATE when the directory doesn't hold the
 *   old tree, HF-NO-SPACE, HF-IO, HF-INTERRUPTED.
 */
export async function applyDelta(directory: string, options: ApplyDeltaOptions): Promise<{ writtenBytes: number }> {
  const times = new DirectoryTimes();
  const tree: TargetTree = new TargetTree(directory, {
    beforeChange: (path) => times.keep(tree, path),
    implied: (path) => {
      throw doesNotFit(path);
    },
    removed: (path, wasDirectory) => {
      if (wasDirectory) times.forget(path);
      xattrs.forget(path, wasDirectory);
    },
  });
  const xattrs = new XattrLedger(tree);
  await xattrs.assume(options.old);
  const unpacker = new LayerUnpacker({ tree, times, xattrs, warn: () => {}, countEntry: () => {} });
  try {
    const delta = new Delta(tree, times, unpacker, options);
    const writtenBytes = await delta.apply();
    await xattrs.finish();
    times.apply(tree);
    return { writtenBytes };
  } catch (error) {
    const errno = errnoOf(error);
    if (error instanceof HoldfastError || errno === undefined) throw error;
    if (errno === 'ENOSPC' || errno === 'EDQUOT') {
      throw new HoldfastError('HF-NO-SPACE', 'no space is left in the target', { cause: error });
    }
    // What the index speaks of is not there, or is something else.
    if (['ENOENT', 'EEXIST', 'ENOTDIR', 'EISDIR', 'ENOTEMPTY', 'ELOOP'].includes(errno)) {
      throw doesNotFit(messageOf(error), error);
    }
    throw new HoldfastError('HF-IO', `the difference could not be written: ${messageOf(error)}`, { cause: error });
  } finally {
    unpacker.close();
  }
}

class Delta {
  readonly #tree: TargetTree;
  readonly #times: DirectoryTimes;
  readonly #unpacker: LayerUnpacker;
  readonly #options: ApplyDeltaOptions;
  readonly #buffers = new SpareBuffer(PATCH_BUFFER_BYTES);
  readonly #staged = new Map<FileChange, TreePath>();
  #writtenBytes = 0;
  #doneBytes = 0;

  constructor(tree: TargetTree, times: DirectoryTimes, unpacker: LayerUnpacker, options: ApplyDeltaOptions) {
    this.#tree = tree;
    this.#times = times;
    this.#unpacker = unpacker;
    this.#options = options;
  }

  async apply(): Promise<number> {
    const { difference, signal } = this.#options;
    const staging = this.#stage();
    for (const path of difference.removed) {
      if (this.#tree.lstat(path) === undefined) throw doesNotFit(path);
      this.#tree.remove(path);
    }
    for (const entry of difference.directories) await this.#emit(headerOf(entry, entry.path));
    for (const change of difference.files) {
      if (signal?.aborted) throw new HoldfastError('HF-INTERRUPTED', 'interrupted while the difference was written');
      if (change.from === undefined) await this.#make(change);
      else await this.#change(change, change.from);
    }
    if (staging !== undefined) this.#tree.remove(staging);
    return this.#writtenBytes;
  }

  /** Old files that none of their names will lead to get one to wait under, before names are removed. */
  #stage(): TreePath | undefined {
    const moved = this.#options.difference.files.filter(({ from, kept }) => from !== undefined && kept.length === 0);
    if (moved.length === 0) return undefined;
    let staging = '.holdfast-delta';
    while (this.#tree.lstat(staging) !== undefined) staging += '-';
    this.#times.keep(this.#tree, '');
    mkdirSync(this.#tree.at(staging), 0o700);
    for (const [number, change] of moved.entries()) {
      const path = `${staging}/${number}`;
      linkSync(this.#tree.at(change.from?.path ?? ''), this.#tree.at(path));
      this.#staged.set(change, path);
    }
    return staging;
  }

  async #make({ entry, paths }: FileChange): Promise<void> {
    const { content } = entry;
    await this.#send({ kind: 'entry', entry: headerOf(entry, entry.path) });
    if (content !== undefined && content.sizeBytes > 0) {
      let position = 0;
      let stored = 0;
      const runs = (content.extents ?? [{ offset: 0, length: content.sizeBytes }]).values();
      let run = runs.next().value;
      for await (const piece of this.#contentOf(entry, content)) {
        // A piece of the stream may belong to several pieces of the file.
        for (let rest = piece; rest.length > 0 && run !== undefined; ) {
          const part = rest.subarray(0, run.length - stored);
          await this.#send({ kind: 'data', offset: run.offset + stored, bytes: part, position });
          rest = rest.subarray(part.length);
          stored += part.length;
          position += part.length;
          if (stored < run.length) continue;
          run = runs.next().value;
          stored = 0;
        }
        this.#writtenBytes += piece.length;
      }
    }
    await this.#send({ kind: 'end' });
    for (const path of paths) if (path !== entry.path) await this.#link(path, entry.path);
  }

  async #change(change: FileChange, from: TreeEntry): Promise<void> {
    const { entry, paths, kept, hasNewAttributes, hasNewContent } = change;
    const source = kept[0] ?? this.#staged.get(change) ?? from.path;
    const at = this.#tree.at(source);
    if (hasNewContent && entry.content !== undefined) {
      this.#writtenBytes += await patchFile(at, this.#contentOf(entry, entry.content), this.#buffers);
    }
    if (hasNewAttributes || hasNewContent) {
      lchownSync(at, entry.uid, entry.gid);
      // After chown, which clears the set-id bits; a link has no mode, and chmod would follow it.
      if (entry.type !== 'symlink') chmodSync(at, entry.mode);
      setTime(at, { mtime: entry.mtime ?? 0, exactMtime: entry.exactMtime });
    }
    for (const path of paths) if (!kept.includes(path)) await this.#link(path, source);
  }

  /** The stream of a content, checked. */
  #contentOf(entry: TreeEntry, content: FileContent): AsyncIterable<Buffer> {
    const { read, onProgress, difference } = this.#options;
    const count = async function* (this: Delta, source: AsyncIterable<Buffer>) {
      for await (const piece of source) {
        yield piece;
        this.#doneBytes += piece.length;
        onProgress?.({ done: this.#doneBytes, total: difference.writeBytes, unit: 'bytes' });
      }
    };
    const what = `the new content of ${showName(entry.path)}`;
    return through(read(content), verify(what, content), count.bind(this));
  }

  async #link(path: TreePath, source: TreePath): Promise<void> {
    await this.#emit({ ...NO_HEADER, type: 'hardlink', name: path, linkName: source });
  }

  async #emit(entry: TarEntry): Promise<void> {
    await this.#send({ kind: 'entry', entry });
    await this.#send({ kind: 'end' });
  }

  async #send(event: TarEvent): Promise<void> {
    const waiting = this.#unpacker.handle(event);
    if (waiting !== undefined) await waiting;
  }
}

const NO_HEADER: TarEntry = {
  type: 'file',
  name: '',
  linkName: '',
  mode: 0,
  uid: 0,
  gid: 0,
  sizeBytes: 0,
  storedBytes: 0,
  mtime: 0,
  deviceMajor: 0,
  deviceMinor: 0,
  xattrs: new Map(),
  unapplied: [],
};

/** The header of a layer that would bring this entry. */
function headerOf(entry: TreeEntry, path: TreePath): TarEntry {
  const { type, linkName, mode, uid, gid, sizeBytes, deviceMajor, deviceMinor, xattrs } = entry;
  return {
    type,
    name: path === '' ? './' : path,
    linkName,
    mode,
    uid,
    gid,
    sizeBytes,
    storedBytes: entry.content?.sizeBytes ?? 0,
    // The tree itself, when no layer speaks of it: it is as old as what is made now.
    mtime: entry.mtime ?? Date.now() / 1000,
    exactMtime: entry.exactMtime,
    deviceMajor,
    deviceMinor,
    xattrs,
    unapplied: [],
  };
}

function doesNotFit(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('HF-STATE', `the copy of the installed image is not what its index says: ${what}`, {
    cause,
    hint: 'the image is fetched as a whole instead',
  });
}
