// What becomes of /etc, file by file: what changes, and whose word counts: the image's, a stage file's, the owner's, the root
// overlay's. It follows from four trees, the two systems and the images that they came from, and from what hooks said they did.

import { readFileSync } from 'node:fs';
import type { TreeDifference, TreeObject, TreePath } from '../ledger/compare-trees.ts';
import { type ContentDiff, unifiedDiff, whyHidden } from '../ledger/content-diff.ts';
import type { Decision } from '../overlay/rebase/model.ts';
import { textOfPath } from '../overlay/rebase/path-text.ts';
import { addDigests, readObjects } from '../overlay/rebase/read-object.ts';
import { differences } from '../overlay/rebase/tree-object.ts';
import type { Root } from '../system/root.ts';
import { type EtcFile, LIMITS, type PlanDocument } from './document.ts';
import type { Maker } from './makers.ts';

/** What decides about one path. */
export interface EtcQuestion {
  change: EtcFile['change'];
  /** The new system has it as its image has it; undefined: no unchanged copy of the image is there. */
  isFromImage: boolean | undefined;
  /** The running system has it otherwise than its image. */
  wasLocal: boolean | undefined;
  /** The two images have it otherwise. */
  imageChanged: boolean | undefined;
  maker: Maker | undefined;
  /** What becomes of it in the root overlay. */
  overlay: Pick<Decision, 'outcome' | 'reason' | 'conflict'> | undefined;
}

type Verdict = Pick<EtcFile, 'winner' | 'because' | 'step'>;

/** The stage file that `holdfast pkg`, `run` and `file` write. */
const OWNERS_FILE = /\/90_holdfast_owner\.ya?ml$/;

/** Whose word counts, and why. Pure. */
export function decideWinner(question: EtcQuestion): Verdict {
  const { change, isFromImage, wasLocal, imageChanged, maker, overlay } = question;
  if (overlay !== undefined && overlay.outcome !== 'skipped' && overlay.outcome !== 'package') {
    if (overlay.outcome === 'merged')
      return { winner: 'merged', because: `the root overlay's and the image's changes: ${overlay.reason}` };
    if (overlay.conflict?.winner === 'new')
      return { winner: 'image', because: `the root overlay has its own, which loses: ${overlay.reason}` };
    return { winner: 'overlay', because: `the root overlay keeps its own: ${overlay.reason}` };
  }
  if (isFromImage === true) {
    if (wasLocal === true)
      return { winner: 'image', because: 'this machine had its own until now; nothing makes it so any more' };
    const because = {
      added: 'the image brings it',
      removed: 'the image no longer has it',
      changed: 'the image changed it',
    };
    return { winner: 'image', because: because[change] };
  }
  const also = imageChanged ? '; the image changed it, too, and loses' : '';
  if (maker?.by === 'step') {
    const { file, line, name, package: owner } = maker;
    const isOwners = OWNERS_FILE.test(file);
    const what = owner === undefined ? '' : `, with the package ${owner}`;
    return {
      winner: isOwners ? 'owner' : 'stage-file',
      because: `${isOwners ? 'you asked for it' : 'a stage file makes it so'}${what}${also}`,
      step: { file, line, ...(name !== undefined && { name }) },
    };
  }
  if (maker?.by === 'hook')
    return { winner: 'stage-file', because: `what the hook ${maker.stage} left running made it so${also}` };
  if (maker?.by === 'holdfast') return { winner: 'image', because: 'every system that is built here has it so' };
  if (isFromImage === undefined) {
    return { winner: 'unknown', because: 'no unchanged copy of the image is kept, so nobody can tell who made it' };
  }
  return { winner: 'unknown', because: `a hook, or a package that it installs, makes it so${also}` };
}

/** The four trees; images are there as far as copies of them are kept. */
export interface EtcTrees {
  running: Root | undefined;
  runningImage: Root | undefined;
  next: Root;
  nextImage: Root | undefined;
}

export interface EtcOptions {
  differences: readonly TreeDifference[];
  /** Who made a path what it is in the new system. */
  makerOf: (path: TreePath) => Maker | undefined;
  /** What was decided about the root overlay. */
  decisions: readonly Decision[];
  signal: AbortSignal;
}

/** Describes all of /etc that differs. */
export async function etcPart(trees: EtcTrees, options: EtcOptions): Promise<PlanDocument['etc']> {
  const { makerOf, signal } = options;
  const decisions = new Map(options.decisions.filter(({ path }) => isEtc(path)).map((one) => [one.path, one]));
  const found = new Map(options.differences.filter(concernsEtc).map((one) => [one.path, one]));
  const carried = [...decisions.values()].filter(
    ({ outcome }) => outcome !== 'skipped' && outcome !== 'package' && outcome !== 'converged',
  );
  const paths = [...new Set([...found.keys(), ...carried.map(({ path }) => path)])].sort();
  const shown = paths.slice(0, LIMITS.etc);
  const read = async (root: Root | undefined) => {
    if (root === undefined) return undefined;
    const objects = await readObjects(root.directory, shown);
    await addDigests(root.directory, objects, signal);
    return objects;
  };
  const [was, wasImage] = [await read(trees.running), await read(trees.runningImage)];
  const [is, isImage] = [await read(trees.next), await read(trees.nextImage)];
  const files = shown.map((path): EtcFile => {
    const difference = found.get(path);
    const [before, after] = [was?.get(path), is?.get(path)];
    const decision = decisions.get(path);
    const change =
      difference?.kind ??
      (decision?.outcome === 'added' ? 'added' : decision?.outcome === 'deleted' ? 'removed' : 'changed');
    const verdict = decideWinner({
      change,
      isFromImage: isImage && isSame(after, isImage.get(path)),
      wasLocal: wasImage && !isSame(before, wasImage.get(path)),
      imageChanged: wasImage && isImage && !isSame(wasImage.get(path), isImage.get(path)),
      maker: makerOf(path),
      overlay: decision,
    });
    const diff = difference === undefined ? undefined : diffOf(trees, path, before, after);
    return {
      path: textOfPath(path).path,
      change,
      what: [...(difference?.fields ?? [])],
      ...verdict,
      ...(diff !== undefined && ('lines' in diff ? { hunks: [...diff.lines] } : { hidden: diff.hidden })),
    };
  });
  return { files, omitted: paths.length - shown.length };
}

function isEtc(path: TreePath): boolean {
  return path.startsWith('etc/');
}

function concernsEtc({ path, kind, fields }: TreeDifference): boolean {
  return isEtc(path) && !(kind === 'changed' && fields.every((field) => field === 'time'));
}

function isSame(one: TreeObject | undefined, other: TreeObject | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return differences(one, other).every((field) => field === 'time');
}

function diffOf(
  trees: Pick<EtcTrees, 'running' | 'next'>,
  path: TreePath,
  before: TreeObject | undefined,
  after: TreeObject | undefined,
): ContentDiff | undefined {
  const [one, other] = [before, after].map((object) => (object?.type === 'file' ? object : undefined));
  // What is no file on either side has no text; what has the same content has no difference.
  if ((one ?? other) === undefined || one?.digest === other?.digest) return undefined;
  const hidden = whyHidden(path, [one, other]);
  if (hidden !== undefined) return { hidden };
  const bytes = (root: Root | undefined, object: TreeObject | undefined) =>
    root === undefined || object === undefined
      ? Buffer.alloc(0)
      : readFileSync(Buffer.from(`${root.directory}/${path}`, 'latin1'));
  return unifiedDiff(bytes(trees.running, one), bytes(trees.next, other), { maxLines: LIMITS.hunkLines });
}
