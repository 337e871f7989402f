// What holds for a rebase of any trees: no change of the user's and none of the new image's is lost without being kept aside, the
// plan says what happens, and the same trees give the same result, however often. The view is a real descendant of its base,
// on a file system of its own. Needs root and loop devices.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { conflictsOf, listConflicts } from '../../../src/overlay/rebase/losers.ts';
import type { Decision, RebasePlan } from '../../../src/overlay/rebase/model.ts';
import { planRebase } from '../../../src/overlay/rebase/plan-rebase.ts';
import { replay } from '../../../src/overlay/rebase/replay.ts';
import { reportJson } from '../../../src/overlay/rebase/report.ts';
import { snapshot } from '../../unit/image/snapshot.ts';
import { applyEdit, type Edit, edits, faceOf, listTree, plantTree } from './tree-edits.ts';

const TOPS = ['etc', 'usr', 'srv'];
const RUNS = 25;
const work = mkdtempSync(join(tmpdir(), 'holdfast-properties-'));
const at = (name: string) => join(work, name);
const sh = (program: string, ...args: string[]) => execFileSync(program, args, { stdio: 'pipe' });

beforeAll(() => {
  for (const name of ['base', 'view']) mkdirSync(at(name));
  sh('truncate', '-s', '4M', at('base.img'));
  sh('mkfs.ext4', '-q', '-O', '^has_journal', '-I', '256', at('base.img'));
  sh('mount', '-o', 'loop', at('base.img'), at('base'));
  plantTree(at('base'), TOPS);
  sh('mount', '-o', 'remount,ro', at('base'));
});

afterAll(() => {
  sh('umount', at('base'));
  rmSync(work, { recursive: true, force: true });
});

interface Trees {
  oldBase: string;
  oldView: string;
  newBase: string;
  target: string;
}

/** Edits a view and a new base, and hands them out. */
async function withTrees(ofUser: readonly Edit[], ofImage: readonly Edit[], use: (trees: Trees) => Promise<void>) {
  // A new file each time: somebody else's mount namespace may hold on to the old one.
  sh('cp', '--remove-destination', at('base.img'), at('view.img'));
  sh('mount', '-o', 'loop', at('view.img'), at('view'));
  try {
    for (const name of ['next', 'target', 'again', 'losers']) rmSync(at(name), { recursive: true, force: true });
    for (const edit of ofUser) applyEdit(at('view'), edit);
    sh('cp', '-a', at('base'), at('next'));
    for (const edit of ofImage) applyEdit(at('next'), edit);
    sh('cp', '-a', at('next'), at('target'));
    await use({ oldBase: at('base'), oldView: at('view'), newBase: at('next'), target: at('target') });
  } finally {
    sh('umount', at('view'));
  }
}

const warn = (text: string) => expect.unreachable(text);

describe('a rebase of any trees', () => {
  it('loses nothing, does what the plan says, and does it again in the same way', async () => {
    await fc.assert(
      fc.asyncProperty(edits(12), edits(10), async (ofUser, ofImage) => {
        await withTrees(ofUser, ofImage, async ({ target, ...trees }) => {
          const plan = await planRebase(trees);
          await replay(plan, { target, losers: at('losers'), warn });
          checkNothingLost({ target, ...trees }, plan);
          checkPlanIsResult({ target, ...trees }, plan);

          const result = snapshot(target);
          expect(reportJson(await planRebase(trees))).toEqual(reportJson(plan));
          sh('cp', '-a', trees.newBase, at('again'));
          await replay(plan, { target: at('again'), warn });
          expect(snapshot(at('again'))).toEqual(result);
          await replay(plan, { target, warn });
          expect(snapshot(target)).toEqual(result);
        });
      }),
      { numRuns: RUNS },
    );
  });
});

/** Each side of each path is in the result, or kept, or nobody changed it. */
function checkNothingLost({ oldBase, oldView, newBase, target }: Trees, plan: RebasePlan): void {
  const kept = new Map(listConflicts(at('losers')).map((loser) => [loser.path, loser]));
  const byPath = new Map(plan.decisions.map((decision) => [decision.path, decision]));
  const keptFace = (path: string) => {
    const { object, content } = kept.get(path) ?? {};
    if (object === undefined) return undefined;
    const { type, mode, uid, gid } = object;
    const face = `${type === 'symlink' ? 'l' : type[0]} ${type === 'symlink' ? '' : mode.toString(8)} ${uid}:${gid}`;
    return content === undefined ? face : `${face} ${readFileSync(join(at('losers'), content), 'latin1')}`;
  };
  for (const path of new Set([oldBase, oldView, newBase, target].flatMap(listTree))) {
    const [before, view, next, result] = [oldBase, oldView, newBase, target].map((tree) => faceOf(tree, path));
    const decision = byPath.get(path);
    const say = `${JSON.stringify(path)}: ${before} | ${view} | ${next} => ${result} (${decision?.outcome}, ${decision?.reason})`;
    if (view === next) {
      const isLinked = decision !== undefined && followsAnother(decision);
      if (!isLinked) expect(result, say).toBe(view);
    } else {
      const all = { sides: { before, view, next }, result, kept: keptFace(path), decision };
      if (view !== before) expect(isThere(view, all), `yours of ${say}`).toBe(true);
      if (next !== before) expect(isThere(next, all, { path, plan }), `new of ${say}`).toBe(true);
    }
  }
}

interface Faces {
  before: string | undefined;
  view: string | undefined;
  next: string | undefined;
}

interface Found {
  sides: Faces;
  result: string | undefined;
  kept: string | undefined;
  decision: Decision | undefined;
}

function isThere(
  face: string | undefined,
  { sides, result, kept, decision }: Found,
  { path, plan }: { path?: string; plan?: RebasePlan } = {},
): boolean {
  if (face === result || (face !== undefined && face === kept)) return true;
  if (decision !== undefined && followsAnother(decision)) return true;
  // What became of it is under the name that the user gave it.
  if (plan?.decisions.some(({ origin, wish }) => origin === path && isOfBase(wish)) === true) return true;
  // Deleting leaves nothing to keep; that it did not happen is a conflict, or something of the other side needs the directory.
  if (face === undefined) {
    return decision?.conflict !== undefined || plan?.implied.some(({ target }) => target === path) === true;
  }
  // Both sides' changes of one object are in one result.
  if (decision === undefined) return false;
  const isByField = decision.outcome === 'conflict' && decision.wish.want === 'object';
  return (isByField || ['merged', 'metadata', 'changed'].includes(decision.outcome)) && isMixed(sides, result);
}

function isOfBase(wish: Decision['wish']): boolean {
  return wish.want === 'object' && wish.content.from === 'base';
}

/** A new name of an object is what the object is; a renamed object is what its old name became. */
function followsAnother({ wish, origin }: Decision): boolean {
  return origin !== undefined || (wish.want === 'object' && wish.linkTo !== undefined);
}

/** Every attribute of the result is one side's, and every line of either's own is in it. */
function isMixed({ before, view, next }: Faces, result: string | undefined): boolean {
  if (before === undefined || view === undefined || next === undefined || result === undefined) return false;
  const [was, yours, theirs, now] = [before, view, next, result].map(partsOf);
  if (was === undefined || yours === undefined || theirs === undefined || now === undefined) return false;
  const isOneOf = (field: 'type' | 'mode' | 'uid' | 'gid') => {
    const changed = [yours[field], theirs[field]].filter((value) => value !== was[field]);
    return changed.length === 0 ? now[field] === was[field] : changed.includes(now[field]);
  };
  const own = [...yours.lines, ...theirs.lines].filter((line) => !was.lines.includes(line));
  return (['type', 'mode', 'uid', 'gid'] as const).every(isOneOf) && own.every((line) => now.lines.includes(line));
}

function partsOf(face: string) {
  const [, type, mode, uid, gid, content = ''] = /^(.) (\d*) (\d+):(\d+) ?([\s\S]*)$/.exec(face) ?? [];
  return { type, mode, uid, gid, lines: content.split('\n') };
}

/** Each path is what was decided; what nobody decided about is the new image's. */
function checkPlanIsResult({ newBase, oldView, target }: Trees, plan: RebasePlan): void {
  const byTarget = new Map(plan.decisions.map((decision) => [decision.target, decision]));
  const implied = new Set(plan.implied.map((one) => one.target));
  const lost = new Set(conflictsOf(plan).flatMap(({ alsoLost = [] }) => alsoLost.map(({ path }) => path)));
  for (const path of new Set([newBase, target].flatMap(listTree))) {
    const result = faceOf(target, path);
    const decision = byTarget.get(path);
    const say = `${JSON.stringify(path)} (${decision?.outcome}, ${decision?.reason})`;
    if (implied.has(path)) expect(result, say).toBe(faceOf(oldView, path));
    else if (lost.has(path) || decision?.wish.want === 'absent') expect(result, say).toBeUndefined();
    else if (decision === undefined || decision.wish.want === 'base') expect(result, say).toBe(faceOf(newBase, path));
    else if (decision.wish.linkTo !== undefined) expect(result, say).toBe(faceOf(target, decision.wish.linkTo));
    else {
      const { object, content } = decision.wish;
      expect(result?.startsWith(object.type === 'symlink' ? 'l' : (object.type[0] ?? '')), say).toBe(true);
      if (object.type !== 'symlink')
        expect(result, say).toContain(` ${object.mode.toString(8)} ${object.uid}:${object.gid}`);
      if (object.type !== 'file') continue;
      const wanted =
        content.from === 'merge'
          ? Buffer.from(content.bytes).toString('latin1')
          : readFileSync(
              Buffer.from(`${content.from === 'view' ? oldView : newBase}/${content.path}`, 'latin1'),
              'latin1',
            );
      expect(result?.endsWith(wanted), say).toBe(true);
    }
  }
}
