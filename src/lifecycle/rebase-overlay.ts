// `overlay rebase`: what was changed over one base is carried to the base that runs (or would boot), in either direction:
// from the old system after an upgrade that did not carry it, from the new one after a rollback. A view that runs is
// changed in place, any other is made anew beside it.

import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readAttachedOverlay } from '../boot/attached-overlay.ts';
import { readBinding } from '../overlay/binding.ts';
import { type Fingerprint, readFingerprint, shortFingerprint } from '../overlay/fingerprint.ts';
import { writeFlatImage } from '../overlay/flat-image.ts';
import { conflictsDirectory, cowFile, sidecarFile } from '../overlay/names.ts';
import { basesOf } from '../overlay/overlay-set.ts';
import { OVERLAY_WORK_FILES, RUNNING_FILE, SLOT_FILES } from '../slots/names.ts';
import { HoldfastError } from '../system/errors.ts';
import { freeBytes, syncFilesystem } from '../system/filesystems.ts';
import { bindMount, unmount } from '../system/mounts.ts';
import type { Action, ApplyContext, Plan } from '../system/plan.ts';
import { type CarryPlan, changesOf, installPackages, planCarry, replayCarry } from './carry-engine.ts';
import { buildView, refuseWhatCantBe } from './carry-overlay.ts';
import { asBytes, openImage, openOldTrees, repairView } from './carry-trees.ts';
import { type Carried, findOverlay, runningFile } from './find-overlay.ts';
import { readPendingCarry, removePendingCarry } from './pending-carry.ts';
import { readInstallation } from './records.ts';
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
import { UPGRADE_TOOLS } from './upgrade.ts';

export interface RebaseRequest {
  /** `DEVICE:/PATH`, or a path; default: the overlay of this machine. */
  set?: string | undefined;
  /** Digits of the fingerprint of the base whose changes are carried; default: the only one there is. */
  from?: string | undefined;
  /** Refuse where a rule would have to decide. */
  strict: boolean;
}

export interface RebaseResult {
  outcome: 'ok' | 'planned';
  from: Fingerprint;
  to: Fingerprint;
  /** The view runs and was changed in place. */
  live: boolean;
  plan: CarryPlan | undefined;
  warnings: readonly string[];
  actions: Plan;
}

/** What there is to do. */
interface Rebase {
  session: Session;
  stateDirectory: string;
  overlay: Carried;
  /** The base that the changes are carried to. */
  base: string;
  to: Fingerprint;
  live: boolean;
  strict: boolean;
  plan?: CarryPlan;
}

/**
 * Carries what was changed over another base to the one that runs.
 * @throws HoldfastError HF-USAGE when it isn't clear which, HF-STATE when its base is in no slot, and the statuses of refused
 *   carrying.
 */
export function rebaseOverlay(request: RebaseRequest, options: SessionOptions): Promise<RebaseResult> {
  return withSession('carry', { ...options, tools: UPGRADE_TOOLS }, async (session) => {
    const stateDirectory = await readPartition(session, 'state');
    const rebase = await prepare(request, session, stateDirectory);
    const { overlay, to, live } = rebase;
    const [from, target] = [shortFingerprint(overlay.from), shortFingerprint(to)];
    const action: Action<'rebase-overlay'> = {
      kind: 'rebase-overlay',
      summary: `Carry what was changed over ${from} to ${target}${live ? ', which runs, in place' : ''}`,
    };
    const actions = { title: `Rebase the overlay ${overlay.device}:${overlay.path}`, actions: [action] };
    const base = { from: overlay.from, to, live, actions };
    if (session.dryRun) return { ...base, outcome: 'planned', plan: undefined, warnings: session.warnings };
    session.record.describe({ name: 'overlay rebase' });
    await openForWriting(session.undo, stateDirectory, { endsReadOnly: true });
    await applyPlan(session, actions, { 'rebase-overlay': live ? rebaseInPlace : rebaseBeside }, rebase);
    // What an upgrade could not finish is done now.
    const pending = readPendingCarry(stateDirectory);
    const isSame = pending?.path === overlay.path && pending.from === overlay.from && pending.to === to;
    if (isSame) removePendingCarry(stateDirectory);
    return { ...base, outcome: 'ok', plan: rebase.plan, warnings: session.warnings };
  });
}

async function prepare(request: RebaseRequest, session: Session, stateDirectory: string): Promise<Rebase> {
  const found = await findOverlay(session, {
    stateDirectory,
    oemDirectory: await readPartitionIfThere(session, 'oem'),
    write: !session.dryRun,
    named: request.set,
  });
  if (found?.set === undefined) {
    throw new HoldfastError('HF-STATE', found?.problem ?? 'this machine has no overlay', {
      hint: found?.hint ?? 'name it: holdfast overlay rebase DEVICE:/PATH',
    });
  }
  const { set } = found;
  const base = runningFile(stateDirectory, session.booted);
  const to = readFingerprint(base);
  const { recoveryDirectory } = await readInstallation(session, stateDirectory);
  const { from, baseFile } = chooseSource({
    set,
    to,
    wanted: request.from,
    bases: basesHere(stateDirectory, recoveryDirectory),
  });
  const attached = readAttachedOverlay();
  const live = attached?.used === true && !attached.readonly && attached.fp === to && attached.file === cowOf(set, to);
  return {
    session,
    stateDirectory,
    overlay: { ...found, set, from, cow: cowOf(set, from), view: { kind: 'stored', baseFile, cow: cowOf(set, from) } },
    base,
    to,
    live,
    strict: request.strict,
  };
}

/** The set's file for a base: its own, or the seed that is bound to it. */
function cowOf(set: string, fingerprint: Fingerprint): string {
  const own = cowFile(set, fingerprint);
  return !existsSync(own) && seedBase(set).includes(shortFingerprint(fingerprint)) ? set : own;
}

/** The digits that the set's own file is bound to. */
function seedBase(set: string): string[] {
  const binding = existsSync(set) ? readBinding(sidecarFile(set)) : undefined;
  return binding === undefined || 'problem' in binding ? [] : [shortFingerprint(binding.fingerprint)];
}

/** Every base that this machine still has. */
function basesHere(stateDirectory: string, recoveryDirectory: string | undefined): Map<Fingerprint, string> {
  const files = [SLOT_FILES.active, SLOT_FILES.passive, RUNNING_FILE].map((name) => join(stateDirectory, name));
  if (recoveryDirectory !== undefined) files.push(join(recoveryDirectory, SLOT_FILES.recovery));
  const bases = new Map<Fingerprint, string>();
  for (const file of files) {
    if (existsSync(file)) bases.set(readFingerprint(file), file);
  }
  return bases;
}

/**
 * Which base's changes are meant. Pure but for the names in the set's directory.
 * @throws HoldfastError HF-USAGE, HF-STATE.
 */
function chooseSource(options: {
  set: string;
  to: Fingerprint;
  wanted: string | undefined;
  bases: ReadonlyMap<Fingerprint, string>;
}): { from: Fingerprint; baseFile: string } {
  const { set, to, wanted, bases } = options;
  const own = shortFingerprint(to);
  const stored = [...basesOf(set), ...seedBase(set)].filter((digits) => digits !== own);
  const named = stored.filter((digits) => wanted === undefined || digits.startsWith(wanted.slice(0, 16)));
  if (wanted !== undefined && wanted.length >= 4 && own.startsWith(wanted.slice(0, 16))) {
    throw new HoldfastError('HF-USAGE', `${own} is the base that runs: there is nothing to carry`, {
      hint: stored.length === 0 ? 'the set has no other' : `the set has ${stored.join(', ')}`,
    });
  }
  const there = named.flatMap((digits) => {
    const match = [...bases].find(([fingerprint]) => shortFingerprint(fingerprint) === digits);
    return match === undefined ? [] : [{ from: match[0], baseFile: match[1] }];
  });
  const [only, ...others] = there;
  if (only !== undefined && others.length === 0) return only;
  if (only !== undefined) {
    const digits = there.map(({ from }) => shortFingerprint(from)).join(', ');
    throw new HoldfastError('HF-USAGE', `the set has changes over several systems: ${digits}`, {
      hint: 'choose one: --from DIGITS',
    });
  }
  if (named.length > 0) {
    throw new HoldfastError('HF-STATE', `no slot holds the system that ${named.join(', ')} belongs to`, {
      hint: 'changes can only be read together with the slot file that they were made over; bring that back from a backup',
    });
  }
  const what = wanted === undefined ? `over any other system than ${own}` : `over ${wanted}`;
  throw new HoldfastError('HF-USAGE', `the set ${set} has no changes ${what}`, { hint: 'see holdfast overlay list' });
}

async function rebaseBeside(_: Action, context: ApplyContext, rebase: Rebase): Promise<void> {
  const { session, stateDirectory, overlay, base, to } = rebase;
  const places = { stateDirectory, workDirectory: session.workDirectory };
  const trees = await openOldTrees(context, overlay.view, places);
  const changes = await changesOf(trees, context);
  const existing = cowOf(overlay.set, to);
  const start = existsSync(existing) ? join(stateDirectory, OVERLAY_WORK_FILES.packages) : undefined;
  if (start !== undefined) {
    context.undo.always(`remove ${start}`, () => rmSync(start, { force: true }));
    await writeFlatImage({ base, cow: existing, to: start, signal: context.signal, progress: asBytes(context) });
    await repairView(start);
  }
  const look = await openImage(context.undo, start ?? base, join(session.workDirectory, 'new-base'), {
    readOnly: true,
  });
  const ontoView = start !== undefined;
  const plan = await planCarry({ ...trees, newBase: look.root.directory }, changes, { overlay, ontoView }, context);
  await look.close();
  tell(context, plan, rebase);
  const view = join(stateDirectory, OVERLAY_WORK_FILES.newView);
  rebase.plan = await buildView(context, {
    ...places,
    owner: await mountOwner(session),
    overlay,
    carry: { trees, changes, plan },
    target: { base, view, start },
    ontoView,
    conflicts: conflictsDirectory(overlay.set, conflictsId(session)),
  });
  await trees.close();
  const replaces = existsSync(cowFile(overlay.set, to));
  const sealed = await sealView(context, {
    base,
    view,
    set: overlay.set,
    parent: overlay.from,
    now: session.now,
    replaces,
  });
  sealed.keep();
  rmSync(view, { force: true });
}

async function rebaseInPlace(_: Action, context: ApplyContext, rebase: Rebase): Promise<void> {
  const { session, stateDirectory, overlay } = rebase;
  const { workDirectory } = session;
  const trees = await openOldTrees(context, overlay.view, { stateDirectory, workDirectory });
  const changes = await changesOf(trees, context);
  const at = join(workDirectory, 'new-view');
  await bindMount('/', at);
  const close = context.undo.always(`unmount ${at}`, () => unmount(at));
  const whole = { ...trees, newBase: at };
  const plan = await planCarry(whole, changes, { overlay, ontoView: true }, context);
  tell(context, plan, rebase);
  requireRoomIn('/', plan.neededBytes);
  if (plan.packages !== undefined)
    await installPackages(plan, { ...trees, newBase: '/' }, { newCow: cowOf(overlay.set, rebase.to) }, context);
  const done =
    plan.packages === undefined ? plan : await planCarry(whole, changes, { overlay, ontoView: true }, context);
  const conflicts = conflictsDirectory(overlay.set, conflictsId(session));
  await replayCarry(done, { directory: at, conflicts, to: rebase.to }, context);
  await syncFilesystem('/');
  await close();
  await trees.close();
  rebase.plan = done;
}

function tell(context: ApplyContext, plan: CarryPlan, { strict }: Rebase): void {
  for (const text of plan.report) context.events({ type: 'notice', level: 'info', text });
  refuseWhatCantBe(plan, { strict });
}

function requireRoomIn(directory: string, bytes: number): void {
  if (freeBytes(directory) > bytes) return;
  throw new HoldfastError('HF-NO-SPACE', `${directory} has no room for what is carried`, {
    exitStatus: 6,
    hint: 'remove what is not needed there; nothing was changed',
  });
}

function conflictsId({ now }: Session): string {
  return now.replace(/[-:]|\.\d+/g, '');
}
