// Moves an unpacked tree over another one: files replace what is there, directories are joined. Nothing is copied where
// a rename does it, and nothing but the target changes, whatever links it holds.

import { chmodSync, lchownSync, readdirSync, renameSync, rmdirSync, type Stats } from 'node:fs';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import { listMounts } from '../system/mounts.ts';
import { runChecked } from '../system/process.ts';
import { Root } from '../system/root.ts';
import { findProgram, requireTools } from '../system/tools.ts';
import { type FileTime, readTime, setTime } from './exact-time.ts';
import { TargetTree, type TreePath } from './targettree.ts';
import type { UnpackedImage } from './unpack-image.ts';
import { asArgument, copyXattrs } from './xattrs.ts';

const nobody = { beforeChange: () => {}, implied: () => {}, removed: () => {} };

/**
 * Moves everything in `source` into `target`, both on one file system; `source` is gone then. A directory that is in both
 * gets the attributes of the source's, unless that was only implied; the two directories themselves keep theirs. Where
 * the source has a directory and the target a link to a directory inside the target, the link is followed; any other
 * link in the way is replaced.
 * @throws HoldfastError HF-MOUNT for something mounted in the place of a file, HF-COMMAND and HF-IO; the target then
 *   holds a part of the source.
 */
export async function mergeTree(
  source: string,
  target: string,
  { implied, hasXattrs }: Pick<UnpackedImage, 'implied' | 'hasXattrs'>,
): Promise<void> {
  const merge = new Merge(source, target, implied);
  await merge.directory('', '');
  // Of a tree nobody knows; without the tool they can't be asked for.
  const copyAttributes = hasXattrs ?? findProgram('getfattr') !== undefined;
  if (copyAttributes && merge.joined.size > 0) {
    requireTools(['getfattr', 'setfattr']);
    await copyXattrs(source, target, merge.joined);
  }
  merge.finish();
}

class Merge {
  readonly #source: TargetTree;
  readonly #target: TargetTree;
  readonly #implied: ReadonlySet<TreePath>;
  readonly #inTarget: Root;
  readonly #mountPoints = listMounts().map(({ mountPoint }) => mountPoint);
  /** Directories of the source that were joined with one of the target, and that one. */
  readonly joined = new Map<TreePath, TreePath>();
  readonly #times: { path: TreePath; time: FileTime | undefined }[] = [];
  readonly #emptied: TreePath[] = [];

  constructor(source: string, target: string, implied: ReadonlySet<TreePath>) {
    this.#source = new TargetTree(source, nobody);
    this.#target = new TargetTree(target, nobody);
    this.#inTarget = new Root(target);
    this.#implied = implied;
  }

  /** Moves what is in one directory of the source into one of the target. */
  async directory(from: TreePath, to: TreePath): Promise<void> {
    for (const name of readdirSync(this.#source.at(from), { encoding: 'latin1' })) {
      await this.#move(below(from, name), below(to, name));
    }
    if (from !== '') this.#emptied.push(from);
  }

  /** Gives joined directories their times, now that nothing changes in them any more, and removes the empty source. */
  finish(): void {
    for (const { path, time } of this.#times) if (time !== undefined) setTime(this.#target.at(path), time);
    for (const path of this.#emptied) rmdirSync(this.#source.at(path));
    rmdirSync(this.#source.directory);
  }

  async #move(from: TreePath, to: TreePath): Promise<void> {
    const mine = this.#source.lstat(from);
    const old = this.#target.lstat(to);
    if (mine === undefined) return;
    if (mine.isDirectory() && old !== undefined) {
      if (old.isDirectory()) return this.#join(from, to, mine);
      const followed = old.isSymbolicLink() ? this.#followed(to) : undefined;
      // The link's directory has attributes of its own.
      if (followed !== undefined) return this.directory(from, followed);
    }
    if (old !== undefined && (old.isDirectory() || mine.isDirectory())) this.#remove(to);
    await this.#rename(from, to);
  }

  async #join(from: TreePath, to: TreePath, mine: Stats): Promise<void> {
    const times = { mine: readTime(this.#source.at(from)), old: readTime(this.#target.at(to)) };
    await this.directory(from, to);
    if (this.#implied.has(from)) {
      this.#times.push({ path: to, time: times.old });
      return;
    }
    this.joined.set(from, to);
    const at = this.#target.at(to);
    lchownSync(at, mine.uid, mine.gid);
    // After chown, which clears the set-id bits.
    chmodSync(at, mine.mode & 0o7777);
    this.#times.push({ path: to, time: times.mine });
  }

  /** The directory inside the target that a link there leads to, if it does. */
  #followed(link: TreePath): TreePath | undefined {
    const name = Buffer.from(link, 'latin1').toString('utf8');
    // A name that is no UTF-8 can't be followed by what resolves names.
    if (Buffer.from(name, 'utf8').toString('latin1') !== link) return undefined;
    const { directory } = this.#inTarget;
    const resolved = this.#inTarget.resolve(name);
    const path = resolved === directory ? '' : resolved.slice(directory === '/' ? 1 : directory.length + 1);
    const found = Buffer.from(path, 'utf8').toString('latin1');
    return this.#target.lstat(found)?.isDirectory() ? found : undefined;
  }

  #remove(path: TreePath): void {
    const name = Buffer.from(path, 'latin1').toString('utf8');
    const at = this.#target.directory === '/' ? `/${name}` : `${this.#target.directory}/${name}`;
    const inside = this.#mountPoints.find((mountPoint) => mountPoint === at || mountPoint.startsWith(`${at}/`));
    if (inside !== undefined) {
      throw new HoldfastError('HF-MOUNT', `${at} can't be replaced: ${inside} is mounted there`, {
        hint: 'unmount it, or change the image',
      });
    }
    this.#target.remove(path);
  }

  async #rename(from: TreePath, to: TreePath): Promise<void> {
    try {
      renameSync(this.#source.at(from), this.#target.at(to));
    } catch (error) {
      if (errnoOf(error) !== 'EXDEV') throw error;
      // Another file system is mounted inside the target.
      const [source, target] = [asArgument(from), asArgument(to)];
      await runChecked([
        ...(['cp', '--archive', '--remove-destination', '--no-target-directory', '--'] as const),
        `${this.#source.directory}/${source}`,
        `${this.#target.directory}/${target}`,
      ]);
      this.#source.remove(from);
    }
  }
}

function below(directory: TreePath, name: string): TreePath {
  return directory === '' ? name : `${directory}/${name}`;
}
