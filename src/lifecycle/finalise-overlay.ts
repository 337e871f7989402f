// The end of an upgrade with an overlay, at shutdown: the running view went on changing after it was carried. What has
// changed since is seen by inode numbers and times, not by a clock; then all of it is carried again, into a file of its own
// that takes the place of the first one by a rename. If that can't be done, the old pair stays what boots.

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type AttachedOverlay, readAttachedOverlay } from '../boot/attached-overlay.ts';
import { writeGrubEnvironment } from '../boot/grub-environment.ts';
import { parseFingerprint, readFingerprint } from '../overlay/fingerprint.ts';
import { conflictsDirectory, cowFile } from '../overlay/names.ts';
import { MENU_ENTRIES, OVERLAY_WORK_FILES, SLOT_FILES } from '../slots/names.ts';
import { freezeAndThaw } from '../system/durable.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { mountAt, mountUntilEnd } from '../system/mounts.ts';
import { type Action, type ApplyContext, UndoStack } from '../system/plan.ts';
import { run } from '../system/process.ts';
import { type CarryPlan, changedSince, changesOf, type PathTake, packagesKey, planCarry } from './carry-engine.ts';
import { buildView } from './carry-overlay.ts';
import { openImage, openOldTrees } from './carry-trees.ts';
import type { Carried } from './find-overlay.ts';
import { PACKAGES_FILE, SEEN_FILE, TAKES_FILE } from './overlay-upkeep.ts';
import {
  bootId,
  judgePending,
  type PendingCarry,
  readPendingCarry,
  removePendingCarry,
  writePendingCarry,
} from './pending-carry.ts';
import { sealView } from './seal-view.ts';
import {
  applyPlan,
  mountOwner,
  openForWriting,
  readPartition,
  readPartitionIfThere,
  type Session,
  type SessionOptions,
  withSession,
} from './session.ts';

const FINALISE_TOOLS = ['blkid', 'dumpe2fs', 'e2fsck', 'fallocate', 'flock', 'losetup', 'mount', 'tune2fs', 'umount'];

/** How long an action that is ending is waited for. */
const LOCK_WAIT_MS = 120_000;

export interface FinaliseResult {
  /**
   * `nothing`: no upgrade waits for this shutdown, or this is none. `unchanged`: all of it was carried by the upgrade. `carried`: the rest is
   * too, now. `put-back`: it could not be, and the old system boots with its overlay. `left`: neither, and the new system
   * boots without the rest.
   */
  outcome: 'nothing' | 'unchanged' | 'carried' | 'put-back' | 'left';
  /** How many paths had changed. */
  changed: number;
  problem?: string;
}

interface FinaliseState {
  session: Session;
  stateDirectory: string;
  pending: PendingCarry;
  changed: readonly string[];
}

/** Carries what changed in the running view since the upgrade. Never throws for what went wrong with the overlay. */
export async function finaliseOverlay(options: SessionOptions): Promise<FinaliseResult> {
  const until = performance.now() + LOCK_WAIT_MS;
  for (;;) {
    try {
      return await finaliseWithLock(options);
    } catch (error) {
      // Another action is at its end; what it holds the machine for ends before this shutdown does.
      const isLocked = error instanceof HoldfastError && error.code === 'HF-LOCKED';
      if (!isLocked || performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

function finaliseWithLock(options: SessionOptions): Promise<FinaliseResult> {
  return withSession('carry', { ...options, tools: FINALISE_TOOLS }, async (session): Promise<FinaliseResult> => {
    const stateDirectory = await readPartition(session, 'state');
    const pending = readPendingCarry(stateDirectory);
    const active = join(stateDirectory, SLOT_FILES.active);
    const now = { active: existsSync(active) ? readFingerprint(active) : undefined, bootId: bootId() };
    const isDue = pending !== undefined && judgePending(pending, now) === 'at-shutdown';
    // Before the shutdown the view goes on changing, and nobody would carry what comes then.
    if (!isDue || !(await isShuttingDown())) return { outcome: 'nothing', changed: 0 };
    session.record.describe({ name: 'overlay finalise' });
    const state: FinaliseState = { session, stateDirectory, pending, changed: [] };
    try {
      await openForWriting(session.undo, stateDirectory, { endsReadOnly: true });
      const action: Action<'carry-rest'> = {
        kind: 'carry-rest',
        summary: 'Carry what changed in the overlay since the upgrade',
      };
      await applyPlan(
        session,
        { title: 'Finish the upgrade of the overlay', actions: [action] },
        { 'carry-rest': carryRest },
        state,
      );
    } catch (error) {
      return goBack(session, state, error);
    }
    removePendingCarry(stateDirectory);
    rmSync(join(stateDirectory, OVERLAY_WORK_FILES.packages), { force: true });
    const changed = state.changed.length;
    return { outcome: changed === 0 ? 'unchanged' : 'carried', changed };
  });
}

/** Whether everything else is being stopped. Without systemd whoever calls it knows. */
async function isShuttingDown(): Promise<boolean> {
  if (!existsSync('/run/systemd/system')) return true;
  return (await run(['systemctl', 'is-system-running'])).stdout.trim() === 'stopping';
}

async function carryRest(_: Action, context: ApplyContext, state: FinaliseState): Promise<void> {
  const { session, stateDirectory, pending } = state;
  const overlay = carriedNow(pending, readAttachedOverlay());
  const { workDirectory } = session;
  const places = { stateDirectory, workDirectory };
  const trees = await openOldTrees(context, overlay.view, places);
  state.changed = await changedSince(SEEN_FILE, trees.oldView, context);
  if (state.changed.length === 0) return;
  const base = join(stateDirectory, SLOT_FILES.active);
  const changes = await changesOf(trees, context);
  const look = await openImage(context.undo, base, join(workDirectory, 'new-base'), { readOnly: true });
  const plan = await planCarry(
    { ...trees, newBase: look.root.directory },
    changes,
    { overlay, takes: ownTakes(), newCow: cowFile(overlay.set, readFingerprint(base)) },
    context,
  );
  await look.close();
  const view = join(stateDirectory, OVERLAY_WORK_FILES.newView);
  const start = startOf(stateDirectory, plan);
  await buildView(context, {
    ...places,
    owner: await mountOwner(session),
    overlay,
    carry: { trees, changes, plan },
    target: { base, view, start, hasPackages: start !== undefined },
    conflicts: conflictsDirectory(overlay.set, pending.conflicts),
  });
  await trees.close();
  await sealView(context, { base, view, set: overlay.set, parent: overlay.from, now: session.now, replaces: true });
  rmSync(view, { force: true });
}

/** What the owner has decided at the upgrade. The directory is root's, and gone with this boot. */
function ownTakes(): PathTake[] {
  return existsSync(TAKES_FILE) ? JSON.parse(readFileSync(TAKES_FILE, 'utf8')) : [];
}

/** The tree with the packages that the upgrade has left, if the packages are still the same. */
function startOf(stateDirectory: string, plan: CarryPlan): string | undefined {
  const kept = join(stateDirectory, OVERLAY_WORK_FILES.packages);
  if (plan.packages === undefined || !existsSync(kept) || !existsSync(PACKAGES_FILE)) return undefined;
  return readFileSync(PACKAGES_FILE, 'utf8') === packagesKey(plan) ? kept : undefined;
}

/** @throws HoldfastError HF-STATE when this boot's overlay is not the one that the upgrade carried. */
function carriedNow(pending: PendingCarry, attached: AttachedOverlay | undefined): Carried {
  const from = parseFingerprint(pending.from);
  if (
    !attached?.used ||
    attached.fp !== pending.from ||
    attached.backing === undefined ||
    attached.file === undefined ||
    from === undefined
  ) {
    throw new HoldfastError('HF-STATE', 'the overlay that the upgrade carried is not in use');
  }
  const set = join(attached.backing, pending.path);
  const to = parseFingerprint(pending.to);
  if (to === undefined || !existsSync(cowFile(set, to))) {
    throw new HoldfastError('HF-STATE', `the new system's overlay is missing: ${set}.${pending.to.slice(0, 16)}`);
  }
  const { device, path } = pending;
  return { device, path, set, from, view: { kind: 'running' }, cow: attached.file, problem: undefined };
}

/**
 * Makes the system that runs now the default again: its overlay has everything. Where it has no slot to boot from, the new
 * system boots, and the note says what it lacks.
 */
async function goBack(
  session: Session,
  { stateDirectory, pending, changed }: FinaliseState,
  cause: unknown,
): Promise<FinaliseResult> {
  const problem = messageOf(cause);
  const passive = join(stateDirectory, SLOT_FILES.passive);
  const canGoBack = existsSync(passive) && readFingerprint(passive) === pending.from;
  const warn = (text: string) => session.events({ type: 'notice', level: 'warning', text });
  let isBack = false;
  try {
    if (canGoBack) {
      await bootPassive(session, stateDirectory);
      isBack = true;
    }
  } catch (error) {
    warn(`the boot menu could not be changed: ${messageOf(error)}`);
  }
  session.record.conclude('failed', `what changed in the overlay since the upgrade could not be carried: ${problem}`);
  writePendingCarry(stateDirectory, { ...pending, state: 'failed', problem: problem.slice(0, 2000) });
  warn(
    isBack
      ? `what changed in the overlay since the upgrade could not be carried (${problem}); the old system boots again, with all of it`
      : `what changed in the overlay since the upgrade could not be carried (${problem}); holdfast overlay rebase --from ${pending.from.slice(0, 16)} does it later`,
  );
  return { outcome: isBack ? 'put-back' : 'left', changed: changed.length, problem };
}

/** Where COS_OEM really is: units may be unmounting it by now, and GRUB doesn't read the directory below. */
async function mountedOem(session: Session, undo: UndoStack): Promise<string | undefined> {
  const found = await readPartitionIfThere(session, 'oem');
  const partition = session.partitions.oem;
  if (found === undefined || partition === undefined || mountAt(found) !== undefined) return found;
  const at = join(session.workDirectory, 'oem-again');
  await mountUntilEnd(undo, partition.device, at);
  return at;
}

async function bootPassive(session: Session, stateDirectory: string): Promise<void> {
  const undo = new UndoStack();
  try {
    const oem = await mountedOem(session, undo);
    if (oem !== undefined) await openForWriting(undo, oem);
    const block = oem === undefined ? join(stateDirectory, 'grub_oem_env') : join(oem, 'grubenv');
    const isNew = !existsSync(block);
    writeGrubEnvironment(block, { saved_entry: MENU_ENTRIES.passive });
    if (isNew) await freezeAndThaw(oem ?? stateDirectory);
  } finally {
    for (const text of await undo.unwind(true)) session.events({ type: 'notice', level: 'warning', text });
  }
}
