// What layers make of each other, worked out in memory from their entries: the tree that unpackLayers would leave on the
// disk, without a byte of content. It follows layerunpacker.ts step by step; tests hold the two together. Whatever that
// one would refuse is refused here too.

import { parseEntryName, parseLinkTarget, refused, showName } from './entrypath.ts';
import { tooMuch } from './layervisitor.ts';
import { parentOf, type TreePath } from './targettree.ts';
import type { TarEntry } from './tarreader.ts';
import type { LayerEntry, LayerIndex, TreeEntry, TreeIndex } from './tree-index.ts';
import { DEFAULT_LIMITS } from './unpack.ts';
import { isSettable } from './xattrs.ts';

/** As many links as Linux follows in one path. */
const MAX_LINKS = 40;
/** The highest user and group. */
const MAX_ID = 0xffff_fffe;
const NO_XATTRS: ReadonlyMap<string, Buffer> = new Map();

type Attributes = Omit<TreeEntry, 'path' | 'inode'>;

interface Node {
  attributes: Attributes;
  /** Only of directories. */
  children: Map<string, Node> | undefined;
}

/**
 * The tree that layers make, lowest first.
 * @throws HoldfastError HF-IMAGE for what unpacking would refuse.
 */
export function treeOf(layers: readonly LayerIndex[]): TreeIndex {
  const model = new TreeModel();
  for (const layer of layers) model.addLayer(layer);
  return model.index();
}

export class TreeModel {
  readonly #root: Node = directory({ mode: 0o755, uid: 0, gid: 0, mtime: undefined, xattrs: NO_XATTRS });
  /** What the current layer brought, with all directories above. */
  #upper = new Set<TreePath>();
  #count = 0;

  /** Puts another layer on top. After an error the model is of no use any more. */
  addLayer(layer: LayerIndex): void {
    this.#upper = new Set(['']);
    for (const entry of layer.entries) this.#add(entry);
  }

  /** What the tree is now. */
  index(): TreeIndex {
    const entries = new Map<TreePath, TreeEntry>();
    const inodes = new Map<Node, number>();
    // A stack of our own: the tree may be deep.
    const pending: { path: TreePath; node: Node }[] = [{ path: '', node: this.#root }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const { path, node } = next;
      const inode = inodes.get(node) ?? inodes.size;
      inodes.set(node, inode);
      entries.set(path, { path, ...node.attributes, inode });
      const names = [...(node.children ?? [])].sort(([one], [other]) => (one < other ? 1 : -1));
      for (const [name, child] of names) pending.push({ path: join(path, name), node: child });
    }
    return entries;
  }

  #add(entry: LayerEntry): void {
    const { header } = entry;
    const name = parseEntryName(header.name);
    switch (name.kind) {
      case 'ignored':
        return;
      case 'whiteout': {
        const path = this.#resolveEntry(name.parts);
        if (this.#at(path) !== undefined) this.#remove(path);
        return;
      }
      case 'opaque': {
        const path = this.#resolve(name.parts);
        if (this.#at(path)?.children !== undefined) this.#empty(path);
        return;
      }
      case 'entry':
        this.#place(entry, name.parts);
    }
  }

  #place(entry: LayerEntry, parts: readonly string[]): void {
    const { header } = entry;
    if (header.uid > MAX_ID || header.gid > MAX_ID) throw refused(header.name, 'has an owner that no system has');
    if (parts.length === 0) {
      if (header.type !== 'directory') throw refused(header.name, 'would replace the tree itself');
      this.#root.attributes = attributesOf(entry);
      return;
    }
    const path = this.#resolveEntry(parts);
    const parent = this.#makeDirectories(parentOf(path), header);
    const name = path.slice(path.lastIndexOf('/') + 1);
    this.#countEntry();
    for (let at = path; !this.#upper.has(at); at = parentOf(at)) this.#upper.add(at);
    if (header.type === 'directory') {
      const there = parent.get(name);
      const children = there?.children ?? new Map<string, Node>();
      parent.set(name, { attributes: attributesOf(entry), children });
    } else if (header.type === 'hardlink') {
      const sourcePath = this.#resolveEntry(parseLinkTarget(header.linkName));
      const source = this.#at(sourcePath);
      const missing = () => refused(header.name, `is a hard link to ${showName(header.linkName)}, which is not there`);
      if (source === undefined) throw missing();
      if (source.children !== undefined) throw refused(header.name, 'is a hard link to a directory');
      if (sourcePath.startsWith(`${path}/`)) throw missing();
      parent.set(name, source);
    } else {
      if (header.type === 'symlink') checkLink(header);
      parent.set(name, { attributes: attributesOf(entry), children: undefined });
    }
  }

  /** Where an entry goes: links in its parents are followed, its own name is not. */
  #resolveEntry(parts: readonly string[]): TreePath {
    return join(this.#resolve(parts.slice(0, -1)), parts.at(-1) ?? '');
  }

  #resolve(parts: readonly string[]): TreePath {
    const pending = parts.toReversed();
    const done: string[] = [];
    let links = 0;
    for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
      if (part === '..') {
        done.pop();
        continue;
      }
      done.push(part);
      const found = this.#at(done.join('/'));
      if (found?.attributes.type !== 'symlink') continue;
      links += 1;
      if (links > MAX_LINKS) throw refused(parts.join('/'), 'leads through too many links');
      done.pop();
      const target = found.attributes.linkName;
      if (target.startsWith('/')) done.length = 0;
      pending.push(
        ...target
          .split('/')
          .filter((piece) => piece !== '' && piece !== '.')
          .reverse(),
      );
    }
    return done.join('/');
  }

  #makeDirectories(path: TreePath, entry: TarEntry): Map<string, Node> {
    let node = this.#root;
    for (const part of path === '' ? [] : path.split('/')) {
      const children = node.children;
      let next = children?.get(part);
      if (next === undefined && children !== undefined) {
        this.#countEntry();
        const { mtime, exactMtime } = entry;
        next = directory({ mode: 0o755, uid: 0, gid: 0, mtime, exactMtime, xattrs: NO_XATTRS });
        children.set(part, next);
      }
      if (next?.children === undefined) throw refused(entry.name, 'lies below something that is not a directory');
      node = next;
    }
    return node.children ?? new Map<string, Node>();
  }

  #at(path: TreePath): Node | undefined {
    let node: Node | undefined = this.#root;
    if (path === '') return node;
    for (let start = 0; start <= path.length; ) {
      const slash = path.indexOf('/', start);
      const end = slash === -1 ? path.length : slash;
      node = node.children?.get(path.slice(start, end));
      if (node === undefined) return undefined;
      start = end + 1;
    }
    return node;
  }

  /** Removes a path, but not what this layer brought, nor the directories on the way there. */
  #remove(path: TreePath): void {
    if (!this.#upper.has(path)) this.#at(parentOf(path))?.children?.delete(path.slice(path.lastIndexOf('/') + 1));
    else if (this.#at(path)?.children !== undefined) this.#empty(path);
  }

  #empty(path: TreePath): void {
    for (const name of [...(this.#at(path)?.children?.keys() ?? [])]) this.#remove(join(path, name));
  }

  #countEntry(): void {
    this.#count += 1;
    if (this.#count > DEFAULT_LIMITS.entries) throw tooMuch(`more than ${DEFAULT_LIMITS.entries} entries`);
  }
}

/** What an entry becomes. */
function attributesOf({ header, content }: LayerEntry): Attributes {
  const { type, uid, gid, mtime, exactMtime, deviceMajor, deviceMinor, sizeBytes, linkName } = header;
  if (type === 'hardlink') throw new TypeError('a hard link has no attributes of its own');
  const isDevice = type.endsWith('-device');
  return {
    type,
    mode: type === 'symlink' ? 0o777 : header.mode,
    uid,
    gid,
    mtime,
    exactMtime,
    sizeBytes: type === 'file' ? sizeBytes : 0,
    content: type === 'file' ? content : undefined,
    linkName: type === 'symlink' ? linkName : '',
    deviceMajor: isDevice ? deviceMajor : 0,
    deviceMinor: isDevice ? deviceMinor : 0,
    xattrs: settable(header.xattrs),
  };
}

function settable(xattrs: ReadonlyMap<string, Buffer>): ReadonlyMap<string, Buffer> {
  if (xattrs.size === 0) return NO_XATTRS;
  return new Map([...xattrs].filter(([name]) => isSettable(name)));
}

function checkLink({ name, linkName }: TarEntry): void {
  // PATH_MAX without its NUL, as for unpacking.
  if (linkName === '' || linkName.includes('\0') || linkName.length > 4095) {
    throw refused(name, 'is a link to something that can not be a name');
  }
}

function directory(given: Pick<Attributes, 'mode' | 'uid' | 'gid' | 'mtime' | 'exactMtime' | 'xattrs'>): Node {
  const nothing = { sizeBytes: 0, content: undefined, linkName: '', deviceMajor: 0, deviceMinor: 0 };
  return { attributes: { type: 'directory', ...given, ...nothing }, children: new Map() };
}

function join(directoryPath: TreePath, name: string): TreePath {
  return directoryPath === '' ? name : `${directoryPath}/${name}`;
}
