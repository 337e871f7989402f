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
/**
 * What a layer's paths may cost, in names that are looked up. An entry of a system takes about twice as many as its path has
 * names; one that is 2000 directories deep, or leads through 40 links, takes up to 100,000.
 */
const STEPS_PER_ENTRY = 128;
const FREE_STEPS = 1_000_000;
/** Bytes of a text that cost as much as a name: to keep it, and to take it apart. */
const BYTES_PER_STEP = 64;
const SPLIT_BYTES_PER_STEP = 8;
const STEPS_PER_REMOVAL = 4;
const NO_XATTRS: ReadonlyMap<string, Buffer> = new Map();

type Attributes = Omit<TreeEntry, 'path' | 'inode'>;

interface Node {
  attributes: Attributes;
  /** Only of directories. */
  children: Map<string, Node> | undefined;
}

/** Where an entry goes. */
interface EntryPlace {
  /** Of the directories above. */
  names: readonly string[];
  /** The last of them, if it is there. */
  parent: Node | undefined;
  name: string;
  path: TreePath;
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
  #nameBytes = 0;
  /** Left for the current layer. */
  #steps = 0;

  /** Puts another layer on top. After an error the model is of no use any more. */
  addLayer(layer: LayerIndex): void {
    this.#upper = new Set(['']);
    this.#steps = FREE_STEPS + layer.entries.length * STEPS_PER_ENTRY;
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
        const { parent, name: last, path } = this.#resolveEntry(name.parts);
        if (parent?.children?.has(last)) this.#remove(parent, last, path);
        return;
      }
      case 'opaque': {
        const { names, node } = this.#resolve(name.parts);
        if (node?.children !== undefined) this.#empty(node, names.join('/'));
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
    const { names, name, path } = this.#resolveEntry(parts);
    const siblings = this.#makeDirectories(names, header);
    this.#countEntry(path.length);
    for (let at = path; !this.#upper.has(at); at = parentOf(at)) {
      this.#spendOn(at.length);
      this.#upper.add(at);
    }
    if (header.type === 'directory') {
      const there = siblings.get(name);
      const children = there?.children ?? new Map<string, Node>();
      siblings.set(name, { attributes: attributesOf(entry), children });
    } else if (header.type === 'hardlink') {
      const from = this.#resolveEntry(parseLinkTarget(header.linkName));
      const source = from.parent?.children?.get(from.name);
      const missing = () => refused(header.name, `is a hard link to ${showName(header.linkName)}, which is not there`);
      if (source === undefined) throw missing();
      if (source.children !== undefined) throw refused(header.name, 'is a hard link to a directory');
      if (from.path.startsWith(`${path}/`)) throw missing();
      siblings.set(name, source);
    } else {
      if (header.type === 'symlink') checkLink(header);
      siblings.set(name, { attributes: attributesOf(entry), children: undefined });
    }
  }

  /** Where an entry goes: links in its parents are followed, its own name is not. */
  #resolveEntry(parts: readonly string[]): EntryPlace {
    const { names, node } = this.#resolve(parts.slice(0, -1));
    const name = parts.at(-1) ?? '';
    return { names, parent: node, name, path: join(names.join('/'), name) };
  }

  /** Follows a path as far as it exists; what is missing is taken for directories. */
  #resolve(parts: readonly string[]): { names: string[]; node: Node | undefined } {
    const pending = parts.toReversed();
    const names: string[] = [];
    /** What is at each of the names, and before them the root. */
    const nodes: (Node | undefined)[] = [this.#root];
    let links = 0;
    for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
      this.#spend(1);
      if (part === '..') {
        if (names.pop() !== undefined) nodes.pop();
        continue;
      }
      const found = nodes.at(-1)?.children?.get(part);
      if (found?.attributes.type !== 'symlink') {
        names.push(part);
        nodes.push(found);
        continue;
      }
      links += 1;
      if (links > MAX_LINKS) throw refused(parts.join('/'), 'leads through too many links');
      const target = found.attributes.linkName;
      // It is taken apart here.
      this.#spend(1 + Math.floor(target.length / SPLIT_BYTES_PER_STEP));
      if (target.startsWith('/')) {
        names.length = 0;
        nodes.length = 1;
      }
      pending.push(
        ...target
          .split('/')
          .filter((piece) => piece !== '' && piece !== '.')
          .reverse(),
      );
    }
    return { names, node: nodes.at(-1) };
  }

  #makeDirectories(names: readonly string[], entry: TarEntry): Map<string, Node> {
    this.#spend(names.length);
    let node = this.#root;
    let length = 0;
    for (const name of names) {
      length += name.length + 1;
      const children = node.children;
      let next = children?.get(name);
      if (next === undefined && children !== undefined) {
        this.#countEntry(length);
        const { mtime, exactMtime } = entry;
        next = directory({ mode: 0o755, uid: 0, gid: 0, mtime, exactMtime, xattrs: NO_XATTRS });
        children.set(name, next);
      }
      if (next?.children === undefined) throw refused(entry.name, 'lies below something that is not a directory');
      node = next;
    }
    return node.children ?? new Map<string, Node>();
  }

  /** Removes a name, but not what this layer brought, nor the directories on the way there. */
  #remove(parent: Node, name: string, path: TreePath): void {
    this.#spend(STEPS_PER_REMOVAL);
    this.#spendOn(path.length);
    const node = parent.children?.get(name);
    if (!this.#upper.has(path)) parent.children?.delete(name);
    else if (node?.children !== undefined) this.#empty(node, path);
  }

  #empty(node: Node, path: TreePath): void {
    for (const name of [...(node.children?.keys() ?? [])]) this.#remove(node, name, join(path, name));
  }

  #countEntry(pathBytes: number): void {
    this.#count += 1;
    this.#nameBytes += pathBytes;
    const { entries, nameBytes } = DEFAULT_LIMITS;
    if (this.#count > entries) throw tooMuch(`more than ${entries} entries`);
    if (this.#nameBytes > nameBytes) throw tooMuch(`more than ${nameBytes} bytes of names`);
    this.#spendOn(pathBytes);
  }

  /** For handling a text. */
  #spendOn(length: number): void {
    this.#spend(1 + Math.floor(length / BYTES_PER_STEP));
  }

  #spend(steps: number): void {
    this.#steps -= steps;
    if (this.#steps < 0) throw tooMuch('paths that take longer to follow than those of any system');
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
