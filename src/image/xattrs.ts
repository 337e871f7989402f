// Extended attributes: capabilities, ACLs, labels. Node can't set them, so they are collected and given to setfattr(1)
// in batches, after owners and content, which would clear capabilities. Default ACLs wait until all layers are
// unpacked, since files made in a directory inherit them.

import { closeSync, constants, openSync } from 'node:fs';
import { HoldfastError } from '../system/errors.ts';
import { commandFailed, run, runChecked } from '../system/process.ts';
import { requireTools } from '../system/tools.ts';
import { showName } from './entrypath.ts';
import { throughProgram } from './streamstage.ts';
import type { TargetTree, TreePath } from './targettree.ts';

const DEFAULT_ACL = 'system.posix_acl_default';

/** Written to the disk when so much is pending; bounds memory and the cost of forgetting. */
const BATCH_PATHS = 1000;
const BATCH_BYTES = 1 << 20;

/** What setfattr can be asked to set, by namespace; overlayfs' own marks would confuse an overlay on top. */
export function isSettable(name: string): boolean {
  if (name.length > 255 || /^(trusted|user)\.overlay\./.test(name)) return false;
  if (name.startsWith('system.')) return name === 'system.posix_acl_access' || name === DEFAULT_ACL;
  return /^(user|trusted|security)\../s.test(name);
}

export class XattrLedger {
  readonly #tree: TargetTree;
  /** To set. */
  readonly #pending = new Map<TreePath, ReadonlyMap<string, Buffer>>();
  #pendingBytes = 0;
  /** To take away, by attribute. */
  readonly #stale = new Map<string, Set<TreePath>>();
  /** What is on the disk. */
  readonly #present = new Map<TreePath, Set<string>>();
  readonly #defaultAcls = new Map<TreePath, Buffer>();
  /** Directories whose attributes are known; undefined where all are. */
  #known: Set<TreePath> | undefined;

  constructor(tree: TargetTree) {
    this.#tree = tree;
  }

  /**
   * The tree is not empty, so what it already carries must be learned: a directory that a layer mentions again loses
   * what the layer doesn't list, and default ACLs must not be inherited meanwhile.
   * @param options.atOnce asks for the whole tree now; otherwise each directory is asked for when it is first touched,
   *   which is cheaper for a few files on a large tree.
   */
  async learn(options: { atOnce: boolean }): Promise<void> {
    requireTools(['getfattr', 'setfattr']);
    if (options.atOnce) await this.#ask(['-R', '.']);
    else this.#known = new Set();
  }

  /** As {@link learn}, for a tree whose index says what is there: nobody is asked. */
  async assume(tree: Iterable<readonly [TreePath, { xattrs: ReadonlyMap<string, Buffer> }]>): Promise<void> {
    for (const [path, { xattrs }] of tree) {
      for (const [name, value] of xattrs) {
        this.#remember(path, name);
        if (name !== DEFAULT_ACL) continue;
        this.#defaultAcls.set(path, value);
        this.#discard(path, name);
      }
    }
    if (this.#stale.size > 0) await this.flush();
  }

  /** Whether any was decided on. */
  isUsed = false;

  get knowsAll(): boolean {
    return this.#known === undefined;
  }

  /** Learns what an existing directory carries, if that isn't known yet. Called before anything in it changes. */
  know(directory: TreePath): Promise<void> | undefined {
    if (this.#known === undefined || this.#known.has(directory)) return undefined;
    this.#known.add(directory);
    return withArgument(this.#tree, directory, (argument) => this.#ask(['--', argument], directory));
  }

  /** A directory was made just now: it carries nothing. */
  made(directory: TreePath): void {
    this.#known?.add(directory);
  }

  /** @param only the one directory that is asked about, when it is just one: its name may have been given otherwise. */
  async #ask(what: readonly string[], only?: TreePath): Promise<void> {
    const dump = throughProgram(['getfattr', '-P', '-h', '-d', '-m', '-', '-e', 'hex', ...what], {
      cwd: this.#tree.directory,
    });
    const inherited: TreePath[] = [];
    let rest = '';
    let path: TreePath | undefined;
    const take = (line: string) => {
      if (line.startsWith('# file: ')) path = only ?? unquote(line.slice('# file: '.length)).replace(/^\.(\/|$)/, '');
      const equals = line.indexOf('=0x');
      if (path === undefined || equals === -1 || line.startsWith('#')) return;
      const name = unquote(line.slice(0, equals));
      const value = Buffer.from(line.slice(equals + 3), 'hex');
      if (name === DEFAULT_ACL) {
        this.#defaultAcls.set(path, value);
        inherited.push(path);
      }
      // The host's security module labels files as they are made; that is not the layers' doing.
      if (name !== 'security.selinux') this.#remember(path, name);
    };
    for await (const chunk of dump(nothing())) {
      const lines = (rest + chunk.toString('latin1')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) take(line);
    }
    take(rest);
    for (const path of inherited) this.#discard(path, DEFAULT_ACL);
    if (inherited.length > 0) await this.flush();
  }

  /**
   * Decides on all attributes of a path: those of its entry and no others.
   * @returns a promise only when a batch is written.
   */
  record(path: TreePath, xattrs: ReadonlyMap<string, Buffer>): Promise<void> | undefined {
    for (const name of this.#present.get(path) ?? []) if (!xattrs.has(name)) this.#discard(path, name);
    this.#defaultAcls.delete(path);
    // What an earlier entry of the same directory asked for and isn't on the disk yet.
    this.#pending.delete(path);
    if (xattrs.size === 0) return undefined;
    this.isUsed = true;
    const now = new Map(xattrs);
    const acl = now.get(DEFAULT_ACL);
    if (acl !== undefined) {
      this.#defaultAcls.set(path, acl);
      now.delete(DEFAULT_ACL);
    }
    if (now.size === 0) return undefined;
    this.#pending.set(path, now);
    for (const value of now.values()) this.#pendingBytes += value.length;
    const isFull = this.#pending.size >= BATCH_PATHS || this.#pendingBytes >= BATCH_BYTES;
    return isFull ? this.flush() : undefined;
  }

  /** A path is gone. */
  forget(removed: TreePath, wasDirectory: boolean): void {
    for (const keyed of [this.#pending, this.#present, this.#defaultAcls, ...this.#stale.values()]) {
      keyed.delete(removed);
      if (!wasDirectory) continue;
      for (const path of keyed.keys()) if (path.startsWith(`${removed}/`)) keyed.delete(path);
    }
  }

  /** Writes what is pending, but for default ACLs. */
  async flush(): Promise<void> {
    for (const [name, paths] of this.#stale) await this.#remove(name, [...paths]);
    this.#stale.clear();
    await setXattrs(this.#tree.directory, this.#pending);
    for (const [path, xattrs] of this.#pending) for (const name of xattrs.keys()) this.#remember(path, name);
    this.#pending.clear();
    this.#pendingBytes = 0;
  }

  /** Writes everything. */
  async finish(): Promise<void> {
    await this.flush();
    await setXattrs(
      this.#tree.directory,
      new Map([...this.#defaultAcls].map(([path, acl]) => [path, new Map([[DEFAULT_ACL, acl]])])),
    );
    this.#defaultAcls.clear();
  }

  #remember(path: TreePath, name: string): void {
    const names = this.#present.get(path);
    if (names === undefined) this.#present.set(path, new Set([name]));
    else names.add(name);
  }

  #discard(path: TreePath, name: string): void {
    const paths = this.#stale.get(name);
    if (paths === undefined) this.#stale.set(name, new Set([path]));
    else paths.add(path);
    this.#present.get(path)?.delete(name);
  }

  async #remove(name: string, paths: string[]): Promise<void> {
    const remove = async (files: string[]) => {
      const result = await run(['setfattr', '-h', '-x', name, '--', ...files], { cwd: this.#tree.directory });
      if (result.status !== 0) throw notSet(commandFailed(result));
    };
    const texts = paths.filter(isText);
    for (let at = 0; at < texts.length; at += 200) {
      await remove(texts.slice(at, at + 200).map((path) => `./${asArgument(path)}`));
    }
    for (const path of paths.filter((path) => !isText(path))) {
      await withArgument(this.#tree, path, (argument) => remove([argument]));
    }
  }
}

/** Gives paths of a directory these attributes, beside those that they have. */
export async function setXattrs(
  directory: string,
  xattrs: ReadonlyMap<TreePath, ReadonlyMap<string, Buffer>>,
): Promise<void> {
  if (xattrs.size === 0) return;
  requireTools(['setfattr']);
  const lines: string[] = [];
  for (const [path, values] of xattrs) {
    lines.push(`# file: ./${quote(path)}`);
    for (const [name, value] of values) lines.push(`${quote(name)}=0x${value.toString('hex')}`);
    lines.push('');
  }
  const result = await run(['setfattr', '-h', '--restore=-'], {
    cwd: directory,
    input: Buffer.from(`${lines.join('\n')}\n`, 'latin1'),
  });
  if (result.status !== 0) throw notSet(commandFailed(result));
}

/**
 * Gives directories the extended attributes of others, beside those that they have.
 * @param directories paths in `from`, and the path in `to` that each stands for.
 */
export async function copyXattrs(
  from: string,
  to: string,
  directories: ReadonlyMap<TreePath, TreePath>,
): Promise<void> {
  const found = new Map<TreePath, Map<string, Buffer>>();
  const paths = [...directories.keys()];
  for (let at = 0; at < paths.length; at += 200) {
    const files = paths.slice(at, at + 200).map((path) => `./${asArgument(path)}`);
    const dump = await runChecked(['getfattr', '-P', '-h', '-d', '-m', '-', '-e', 'hex', '--', ...files], {
      cwd: from,
    });
    let values: Map<string, Buffer> | undefined;
    for (const line of dump.split('\n')) {
      if (line.startsWith('# file: ')) {
        const text = unquote(line.slice('# file: '.length)).replace(/^\.(\/|$)/, '');
        const target = directories.get(Buffer.from(text, 'utf8').toString('latin1'));
        values = target === undefined ? undefined : new Map();
        if (target !== undefined && values !== undefined) found.set(target, values);
        continue;
      }
      const equals = line.indexOf('=0x');
      const name = unquote(line.slice(0, Math.max(0, equals)));
      // The host's security module labels files as they are made.
      if (equals < 0 || !isSettable(name) || name === 'security.selinux') continue;
      values?.set(name, Buffer.from(line.slice(equals + 3), 'hex'));
    }
  }
  await setXattrs(to, new Map([...found].filter(([, values]) => values.size > 0)));
}

/** Names a directory of the tree to a program, whatever bytes its name has. */
async function withArgument(tree: TargetTree, directory: TreePath, use: (argument: string) => Promise<void>) {
  if (isText(directory)) return use(`./${asArgument(directory)}`);
  const fd = openSync(tree.at(directory), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    await use(`/proc/${process.pid}/fd/${fd}/.`);
  } finally {
    closeSync(fd);
  }
}

function isText(path: string): boolean {
  const bytes = Buffer.from(path, 'latin1');
  return Buffer.from(bytes.toString('utf8'), 'utf8').equals(bytes);
}

/** Bytes as latin1 → an argument of a program, which can only be valid UTF-8. */
export function asArgument(path: string): string {
  const bytes = Buffer.from(path, 'latin1');
  const text = bytes.toString('utf8');
  if (Buffer.from(text, 'utf8').equals(bytes)) return text;
  throw new HoldfastError('HF-UNSUPPORTED', `${showName(path)} needs a program's help, but its name is not UTF-8`, {
    hint: 'give devices, and directories with extended attributes, names in UTF-8',
  });
}

/** As getfattr(1) writes names: a backslash and three octal digits for what would break a line. */
function quote(text: string): string {
  return text.replace(/[\\\n\r]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

function unquote(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** Whether a program that worked in the target failed because that is full (strerror of ENOSPC and EDQUOT). */
export function saysNoSpace(error: unknown): boolean {
  const said = error instanceof HoldfastError ? `${error.message}\n${error.outputTail ?? ''}` : '';
  return /No space left on device|Disk quota exceeded/.test(said);
}

function notSet(cause: HoldfastError): HoldfastError {
  if (saysNoSpace(cause)) {
    return new HoldfastError('HF-NO-SPACE', 'no space is left in the target for extended attributes', { cause });
  }
  return new HoldfastError('HF-IO', 'extended attributes could not be set', {
    cause,
    ...(cause.outputTail !== undefined && { outputTail: cause.outputTail }),
    hint: 'the target must be on a file system with extended attributes, such as ext4 or xfs; this needs root',
  });
}

async function* nothing(): AsyncGenerator<Buffer> {}
