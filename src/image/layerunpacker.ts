// Puts one layer's entries onto a tree, in the order of the layer: whiteouts first of all concern what lower layers
// left, everything else replaces what is there, but a directory keeps its content when a directory comes.

import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  futimesSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { errnoOf, HoldfastError, messageOf } from '../system/errors.ts';
import { runChecked } from '../system/process.ts';
import { parseEntryName, parseLinkTarget, refused, showName } from './entrypath.ts';
import { canKeep, setExactTime, setTime, timeOf } from './exact-time.ts';
import type { DirectoryTimes } from './modificationtimes.ts';
import { bytesOf, parentOf, type TargetTree, type TreePath } from './targettree.ts';
import type { TarEntry, TarEvent } from './tarreader.ts';
import { isSettable, saysNoSpace, type XattrLedger } from './xattrs.ts';

export interface UnpackTools {
  tree: TargetTree;
  times: DirectoryTimes;
  xattrs: XattrLedger;
  /** Called for what is left out: the same text again only adds to its count. */
  warn: (text: string, name: string) => void;
  /** Called for every name that comes into being; throws when there are too many. */
  countEntry: (path: string) => void;
  /** Gives a full target more room; nothing in it is open meanwhile. Absent: a full target is an error. */
  makeRoom?: (() => Promise<void>) | undefined;
}

/** The highest user and group; the next one means "leave as it is" to the kernel. */
const MAX_ID = 0xffff_fffe;
const MAX_LINK_BYTES = 4095;
/** Entries that begin like this are whiteouts. */
const NODE_NAME = '.wh.holdfast-node';
/** O_EXCL and O_NOFOLLOW: whatever has the name, nothing is ever written through it. */
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

export class LayerUnpacker {
  readonly #tools: UnpackTools;
  /** What this layer brought, with all directories above: its own whiteouts leave that alone. */
  readonly #upper = new Set<TreePath>(['']);
  #current: { entry: TarEntry; path: TreePath; fd: number } | undefined;

  constructor(tools: UnpackTools) {
    this.#tools = tools;
  }

  /**
   * Acts on one event. A promise comes back only from what needs a program, or more room.
   * @throws HoldfastError HF-IMAGE for entries that are refused, HF-NO-SPACE, HF-IO.
   */
  handle(event: TarEvent): Promise<void> | undefined {
    if (this.#tools.makeRoom === undefined) return this.#act(event);
    try {
      return this.#act(event)?.catch((error: unknown) => this.#actAgain(event, error));
    } catch (error) {
      return this.#actAgain(event, error);
    }
  }

  /** Acting a second time on what was done in part ends the same way: everything is made by name or written by offset. */
  async #actAgain(event: TarEvent, error: unknown): Promise<void> {
    const { makeRoom, tree } = this.#tools;
    if (makeRoom === undefined || !isNoSpace(error)) throw error;
    const current = this.#current;
    this.close();
    await makeRoom();
    if (current !== undefined) {
      const fd = openSync(tree.at(current.path), constants.O_WRONLY | constants.O_NOFOLLOW);
      this.#current = { ...current, fd };
    }
    await this.handle(event);
  }

  #act(event: TarEvent): Promise<void> | undefined {
    if (event.kind === 'data') {
      this.#write(event.offset, event.bytes);
      return undefined;
    }
    if (event.kind === 'end') return this.#endFile();
    const { name } = event.entry;
    try {
      return this.#begin(event.entry)?.catch((error: unknown) => {
        throw explained(error, name);
      });
    } catch (error) {
      throw explained(error, name);
    }
  }

  /** Closes a file that an error or interruption left open. */
  close(): void {
    if (this.#current !== undefined) closeSync(this.#current.fd);
    this.#current = undefined;
  }

  #begin(entry: TarEntry): Promise<void> | undefined {
    const { tree, warn } = this.#tools;
    const name = parseEntryName(entry.name);
    if (name.kind === 'ignored') {
      warn('what aufs kept for itself was left out', entry.name);
    } else if (name.kind === 'whiteout') {
      const path = tree.find(name.parts);
      if (path !== undefined) tree.remove(path, this.#upper);
    } else if (name.kind === 'opaque') {
      const directory = tree.findDirectory(name.parts);
      if (directory !== undefined) tree.empty(directory, this.#upper);
    } else {
      return this.#place(entry, name.parts);
    }
    return undefined;
  }

  #place(entry: TarEntry, parts: readonly string[]): Promise<void> | undefined {
    const { warn } = this.#tools;
    if (entry.uid > MAX_ID || entry.gid > MAX_ID) throw refused(entry.name, 'has an owner that no system has');
    for (const key of entry.unapplied) warn(`the record ${key} is not applied`, entry.name);
    if (!canKeep(entry)) {
      warn('this runtime keeps the time to the microsecond only', entry.name);
    }
    if (parts.length === 0) {
      if (entry.type !== 'directory') throw refused(entry.name, 'would replace the tree itself');
      return this.#furnishDirectory('', entry);
    }
    const asking = this.#askAbove(parts);
    return asking === undefined ? this.#put(entry, parts) : asking.then(() => this.#put(entry, parts));
  }

  /** What is made in a directory may inherit from it. */
  #askAbove(parts: readonly string[]): Promise<void> | undefined {
    const { tree, xattrs } = this.#tools;
    if (xattrs.knowsAll) return undefined;
    for (let length = parts.length - 1; length >= 0; length--) {
      const directory = tree.findDirectory(parts.slice(0, length));
      if (directory !== undefined) return xattrs.know(directory);
    }
    return undefined;
  }

  #put(entry: TarEntry, parts: readonly string[]): Promise<void> | undefined {
    const { tree, times, xattrs } = this.#tools;
    const path = tree.place(parts, entry);
    this.#addUpper(path);
    times.keep(tree, parentOf(path));
    switch (entry.type) {
      case 'directory': {
        if (this.#makeDirectory(path)) xattrs.made(path);
        return this.#furnishDirectory(path, entry);
      }
      case 'file':
        this.#current = { entry, path, fd: this.#replacing(path, () => openSync(tree.at(path), NEW_FILE, 0o600)) };
        return undefined;
      case 'symlink':
        return this.#makeSymlink(path, entry);
      case 'hardlink':
        this.#makeHardLink(path, entry);
        return undefined;
      default:
        return this.#makeNode(path, entry);
    }
  }

  /** Returns false when the directory was there. */
  #makeDirectory(path: TreePath): boolean {
    const { tree } = this.#tools;
    try {
      mkdirSync(tree.at(path), 0o700);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      if (tree.lstat(path)?.isDirectory()) return false;
      tree.remove(path);
      mkdirSync(tree.at(path), 0o700);
    }
    return true;
  }

  #furnishDirectory(path: TreePath, entry: TarEntry): Promise<void> | undefined {
    const { tree, times, xattrs } = this.#tools;
    const at = tree.at(path);
    lchownSync(at, entry.uid, entry.gid);
    // After chown, which clears the set-id bits.
    chmodSync(at, entry.mode);
    times.set(path, entry);
    const asking = xattrs.know(path);
    return asking === undefined ? this.#recordXattrs(path, entry) : asking.then(() => this.#recordXattrs(path, entry));
  }

  #write(offset: number, bytes: Buffer): void {
    const current = this.#current;
    // Content of an entry that is not kept, such as a whiteout.
    if (current === undefined) return;
    try {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(current.fd, bytes, done, bytes.length - done, offset + done);
      }
    } catch (error) {
      throw explained(error, current.entry.name);
    }
  }

  #endFile(): Promise<void> | undefined {
    const current = this.#current;
    if (current === undefined) return undefined;
    const { entry, path, fd } = current;
    try {
      // A hole at the end.
      if (entry.storedBytes !== entry.sizeBytes) ftruncateSync(fd, entry.sizeBytes);
      fchownSync(fd, entry.uid, entry.gid);
      fchmodSync(fd, entry.mode);
      if (!setExactTime(this.#tools.tree.at(path), entry)) {
        const time = timeOf(entry);
        futimesSync(fd, time, time);
      }
    } catch (error) {
      throw explained(error, entry.name);
    }
    this.close();
    return this.#recordXattrs(path, entry);
  }

  #makeSymlink(path: TreePath, entry: TarEntry): Promise<void> | undefined {
    const { tree } = this.#tools;
    const target = entry.linkName;
    if (target === '' || target.includes('\0') || target.length > MAX_LINK_BYTES) {
      throw refused(entry.name, 'is a link to something that can not be a name');
    }
    this.#replacing(path, () => symlinkSync(bytesOf(target), tree.at(path)));
    return this.#furnishNode(path, entry);
  }

  #makeHardLink(path: TreePath, entry: TarEntry): void {
    const { tree } = this.#tools;
    const source = tree.find(parseLinkTarget(entry.linkName));
    const missing = () => refused(entry.name, `is a hard link to ${showName(entry.linkName)}, which is not there`);
    if (source === undefined) throw missing();
    if (tree.lstat(source)?.isDirectory()) throw refused(entry.name, 'is a hard link to a directory');
    if (source === path) return;
    try {
      // Owner, mode and time belong to the file, which has them already.
      this.#replacing(path, () => linkSync(tree.at(source), tree.at(path)));
    } catch (error) {
      // Its target went away with what was replaced.
      if (errnoOf(error) === 'ENOENT') throw missing();
      throw error;
    }
  }

  async #makeNode(path: TreePath, entry: TarEntry): Promise<void> {
    const { tree, times } = this.#tools;
    tree.remove(path);
    const letters: Partial<Record<TarEntry['type'], string>> = { 'character-device': 'c', 'block-device': 'b' };
    const letter = letters[entry.type];
    const numbers = letter === undefined ? ['p'] : [letter, String(entry.deviceMajor), String(entry.deviceMinor)];
    // The name may be no text, and a program takes only text. No entry has the name that stands in for it.
    times.keep(tree, '');
    tree.remove(NODE_NAME);
    await runChecked(['mknod', '-m', '600', '--', `./${NODE_NAME}`, ...numbers], { cwd: tree.directory });
    renameSync(tree.at(NODE_NAME), tree.at(path));
    await this.#furnishNode(path, entry);
  }

  /** Owner, mode and time of what is neither file nor directory. */
  #furnishNode(path: TreePath, entry: TarEntry): Promise<void> | undefined {
    const at = this.#tools.tree.at(path);
    lchownSync(at, entry.uid, entry.gid);
    // A link has no mode, and chmod would follow it.
    if (entry.type !== 'symlink') chmodSync(at, entry.mode);
    setTime(at, entry);
    return this.#recordXattrs(path, entry);
  }

  /** Makes something new under a name; what has the name is removed first. */
  #replacing<T>(path: TreePath, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
    this.#tools.tree.remove(path);
    return make();
  }

  #recordXattrs(path: TreePath, entry: TarEntry): Promise<void> | undefined {
    let { xattrs } = entry;
    for (const name of xattrs.keys()) {
      if (isSettable(name)) continue;
      this.#tools.warn(`the extended attribute ${name} was left out`, entry.name);
      xattrs = new Map([...xattrs].filter(([key]) => isSettable(key)));
    }
    return this.#tools.xattrs.record(path, xattrs);
  }

  #addUpper(path: TreePath): void {
    this.#tools.countEntry(path);
    for (let at = path; !this.#upper.has(at); at = parentOf(at)) this.#upper.add(at);
  }
}

/** Whether the target is full. */
export function isNoSpace(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'HF-NO-SPACE';
}

function explained(error: unknown, name: string): unknown {
  const errno = errnoOf(error);
  if (errno === 'ENOSPC' || errno === 'EDQUOT' || saysNoSpace(error)) {
    return new HoldfastError('HF-NO-SPACE', `no space is left in the target for ${showName(name)}`, {
      cause: error,
      hint: 'give the system a larger slot or partition',
    });
  }
  if (error instanceof HoldfastError || errno === undefined) return error;
  if (errno === 'EFBIG') return refused(name, 'is larger than a file can be');
  if (errno === 'ENAMETOOLONG') return refused(name, 'has a name that is too long');
  return new HoldfastError('HF-IO', `${showName(name)} could not be unpacked: ${messageOf(error)}`, { cause: error });
}
