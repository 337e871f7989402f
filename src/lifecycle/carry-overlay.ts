// Carries an overlay to the system that is being built: what was changed in the old view is found, decided about, and
// replayed into a view of the new base, which becomes a COW of its own. Neither the running view nor its COW is written.

import { existsSync, mkdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readFingerprint } from '../overlay/fingerprint.ts';
import { conflictsDirectory, cowFile } from '../overlay/names.ts';
import { forgetConflicts } from '../overlay/rebase/losers.ts';
import { OVERLAY_WORK_FILES } from '../slots/names.ts';
import { growSlotFile, RESERVE_BYTES } from '../slots/slot-file.ts';
import { freeBytes, syncFilesystem } from '../system/filesystems.ts';
import { canShareBlocks, mount, unmount } from '../system/mounts.ts';
import type { Action, ApplyContext, Performers } from '../system/plan.ts';
import type { Root } from '../system/root.ts';
import type { BuildSlotState } from './build-slot.ts';
import {
  type CarryPlan,
  changesOf,
  type FoundChanges,
  installPackages,
  type PathTake,
  planCarry,
  replayCarry,
  type Take,
} from './carry-engine.ts';
import { makeView, openImage, openOldTrees } from './carry-trees.ts';
import { basesInSlots, makeRoomInSet } from './collect-set.ts';
import { transitionOf } from './fill-slot.ts';
import type { Carried } from './find-overlay.ts';
import { OVERLAY_EXIT, refuseCarry } from './overlay-exit.ts';
import type { Installation } from './records.ts';
import { type SealedView, sealView } from './seal-view.ts';
import type { Session } from './session.ts';
import { formatBytes } from './sizes.ts';
import { furnishTarget, openSlotFile } from './target.ts';

const MIB = 1 << 20;
/** A shutdown that takes longer is told of. */
const LONG_MINUTES = 3;
/** What the owner may still write after everything is carried. */
const ROOM_BYTES = 64 * MIB;

export interface PlanOverlay extends Action<'plan-overlay'> {
  /** Refuse when a rule has to decide. */
  strict: boolean;
  /** Conflicts that somebody has decided. */
  takes: readonly (Take | PathTake)[];
}
export type CarryOverlay = Action<'carry-overlay'>;
export type CarryAction = PlanOverlay | CarryOverlay;

/** What the actions leave for each other. */
export interface CarryState extends BuildSlotState {
  session: Session;
  installation: Installation;
  overlay?: Carried | undefined;
  carry?: CarryWork;
  /** What was made for the new base stays, whatever fails from here on: it is what boots. */
  keepOverlay?: () => void;
}

interface CarryWork {
  trees: Awaited<ReturnType<typeof openOldTrees>>;
  changes: FoundChanges;
  plan: CarryPlan;
  /** What was really decided, with the packages there. */
  done?: CarryPlan;
  sealed?: SealedView;
  /** Below the set's conflicts. */
  conflicts: string;
}

export const carryPerformers: Performers<CarryAction, CarryState> = {
  'plan-overlay': async ({ strict, takes }, context, state) => {
    const overlay = requireOverlay(state);
    const trees = await openOldTrees(context, overlay.view, state);
    const changes = await changesOf(trees, context);
    const transition = transitionOf(state);
    const look = await openSlotFile(context.undo, transition, join(state.workDirectory, 'new-base'), {
      readOnly: true,
    });
    const newBase = look.root.directory;
    const plan = await planCarry({ ...trees, newBase }, changes, { overlay, takes }, context);
    const { bavail, bsize } = statfsSync(newBase);
    await look.close();
    state.carry = { trees, changes, plan, conflicts: state.session.now.replace(/[-:]|\.\d+/g, '') };
    for (const text of plan.report) context.events({ type: 'notice', level: 'info', text });
    refuseWhatCantBe(plan, { strict });
    await makeRoom(context, transition, plan.neededBytes + ROOM_BYTES - bavail * bsize);
  },

  'carry-overlay': async (_, context, state) => {
    const overlay = requireOverlay(state);
    const { carry, stateDirectory, session } = state;
    const started = performance.now();
    if (carry === undefined) throw new Error('the overlay was not planned');
    const base = transitionOf(state);
    const view = join(stateDirectory, OVERLAY_WORK_FILES.newView);
    const target = { base, view };
    const conflicts = conflictsDirectory(overlay.set, carry.conflicts);
    carry.done = await buildView(context, { ...state, carry, overlay, target, conflicts });
    await carry.trees.close();
    const bases = basesInSlots(stateDirectory, state.installation.recoveryDirectory);
    carry.sealed = await sealView(context, {
      base,
      view,
      set: overlay.set,
      parent: overlay.from,
      now: session.now,
      copies: overlay.view.kind === 'running' ? 2 : 1,
      makeRoom: (wantedBytes) => {
        for (const text of makeRoomInSet(overlay.set, bases, wantedBytes)) {
          context.events({ type: 'notice', level: 'info', text });
        }
      },
    });
    state.keepOverlay = carry.sealed.keep;
    rmSync(view, { force: true });
    const minutes = (performance.now() - started) / 60_000;
    if (overlay.view.kind === 'running' && minutes > LONG_MINUTES) {
      context.warn(`the shutdown will carry the rest for about ${Math.ceil(minutes)} minutes; let it end`);
    }
    const { cow, sizeBytes, changedBytes } = carry.sealed;
    const text = `the overlay of the new system is ${cow}: ${formatBytes(sizeBytes)}, of which ${formatBytes(changedBytes)} are used`;
    context.events({ type: 'notice', level: 'info', text });
    const { decided, rebase } = carry.done;
    const what = `${rebase.decisions.length} changes carried into ${cow}, rules decided ${decided} conflicts`;
    const durationMs = performance.now() - started;
    context.events({ type: 'part-end', kind: 'overlay', name: 'carry', outcome: 'ok', durationMs, message: what });
  },
};

export interface BuildViewOptions extends Pick<BuildSlotState, 'owner' | 'stateDirectory' | 'workDirectory'> {
  overlay: Carried;
  carry: Pick<CarryWork, 'trees' | 'changes' | 'plan'>;
  target: {
    base: string;
    view: string;
    /** What the view begins as, where that isn't the base. */
    start?: string | undefined;
    /** The owner's packages are in it already. */
    hasPackages?: boolean;
  };
  /** Where what loses is kept. */
  conflicts: string;
  /** The view begins as one with a history of its own. */
  ontoView?: boolean;
}

/**
 * Makes the new view: packages first, then, against what they have left, everything else.
 * @returns what was decided with the packages in place.
 */
export async function buildView(context: ApplyContext, options: BuildViewOptions): Promise<CarryPlan> {
  const { overlay, carry, target, conflicts, owner, stateDirectory, workDirectory, ontoView = false } = options;
  const { undo } = context;
  await makeView(undo, target.start ?? target.base, target.view);
  const at = join(workDirectory, 'new-view');
  mkdirSync(at, { recursive: true });
  let opened = await openImage(undo, target.view, at, { readOnly: false });
  if (carry.plan.packages !== undefined && !target.hasPackages) {
    const unfurnish = await furnishTarget(context, opened.root, owner);
    const newCow = cowFile(overlay.set, readFingerprint(target.base));
    const show = await hideOverlays(context, at);
    await installPackages(carry.plan, { ...carry.trees, newBase: at }, { newCow }, context);
    await show();
    await unfurnish();
    await syncFilesystem(at);
    if (canKeepPackages(stateDirectory, target.view)) {
      await opened.close();
      const kept = join(stateDirectory, OVERLAY_WORK_FILES.packages);
      await makeView(undo, target.view, kept);
      opened = await openImage(undo, target.view, at, { readOnly: false });
    }
  }
  const trees = { ...carry.trees, newBase: at };
  const { packages, takes } = carry.plan;
  // Against what the packages have left: their scripts make accounts and files, too.
  const done = await planCarry(trees, carry.changes, { overlay, takes, ontoView }, context);
  // Nobody shall be told of conflicts of a system that never was.
  if (!existsSync(conflicts)) undo.onFailure('remove kept conflicts', () => forgetConflicts(conflicts));
  await replayCarry(done, { directory: at, conflicts, to: readFingerprint(target.base) }, context);
  await regenerate(context, opened.root, owner, done);
  await syncFilesystem(at);
  await opened.close();
  return { ...done, packages };
}

/** The shutdown starts from this tree again: without it packages would be fetched when the network is gone. */
function canKeepPackages(stateDirectory: string, view: string): boolean {
  return canShareBlocks(stateDirectory) || freeBytes(stateDirectory) > statSync(view).blocks * 512 + RESERVE_BYTES;
}

/** Package scripts run as root with this machine's /run: they get no sight of the file system with the overlays. */
async function hideOverlays({ undo }: ApplyContext, root: string): Promise<() => Promise<void>> {
  const at = join(root, 'run/initramfs');
  if (!existsSync(at)) return async () => {};
  await mount('tmpfs', at, { type: 'tmpfs', options: ['mode=0700', 'nosuid', 'nodev'] });
  return undo.always(`unmount ${at}`, () => unmount(at));
}

/** Makes caches again that aren't carried. */
async function regenerate(
  context: ApplyContext,
  root: Root,
  owner: BuildSlotState['owner'],
  plan: CarryPlan,
): Promise<void> {
  if (plan.rebase.regenerate.length === 0) return;
  const unfurnish = await furnishTarget(context, root, owner);
  for (const argv of plan.rebase.regenerate) {
    const result = await root.run(argv, { signal: context.signal });
    // Of a program that the new system doesn't have nobody waits for the cache.
    if (result.status !== 0 && result.status !== 127)
      context.warn(`${argv.join(' ')} failed in the new view: ${result.stderr.trim()}`);
  }
  await unfurnish();
}

function requireOverlay({ overlay }: CarryState): Carried {
  if (overlay === undefined) throw new Error('there is no overlay to carry');
  return overlay;
}

/** @throws HoldfastError with the exit status that says why. */
export function refuseWhatCantBe(plan: CarryPlan, { strict }: { strict: boolean }): void {
  if (strict && plan.decided > 0) {
    throw refuseCarry(
      'strict',
      `the overlay and the new system have changed the same in ${plan.decided} places, and --strict leaves no decision to rules`,
      `see holdfast overlay plan --to IMAGE; without --strict rules decide and what loses is kept (status ${OVERLAY_EXIT.decided} there)`,
    );
  }
}

/** The new slot grows by what the owner's changes need beyond its headroom, while it is still no base. */
async function makeRoom(context: ApplyContext, file: string, lackingBytes: number): Promise<void> {
  if (lackingBytes <= 0) return;
  const target = Math.ceil((statSync(file).size + lackingBytes * 1.05) / MIB) * MIB;
  const text = `The slot grows to ${formatBytes(target)}: the overlay's changes must fit into it`;
  context.events({ type: 'notice', level: 'info', text });
  await growSlotFile(file, target);
}
