// What an upgrade finds: the installed systems, the image, and whether there is room for it. Nothing is changed here.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { estimateImage } from '../image/estimate.ts';
import type { Image } from '../image/image.ts';
import { commonPrefix } from '../image/layers.ts';
import { type Measure, measureImage } from '../image/measure.ts';
import { pristineFile, SLOT_FILES } from '../slots/names.ts';
import { filledBytes, requireSpace } from '../slots/slot-file.ts';
import type { InstallationState } from '../slots/state-file.ts';
import { hasPristine } from '../slots/swap.ts';
import { canShareBlocks } from '../system/mounts.ts';
import { Root } from '../system/root.ts';
import { inspectAssessment, refuseFailedImage } from './assessment.ts';
import { type Override, overridesOf, readBootVariables, slotOfEntry } from './boot-choice.ts';
import { BOOTARGS, findsRootByImageLabel } from './bootable.ts';
import { askedPackages } from './check-packages.ts';
import { type OverlayFacts, overlaySteps } from './overlay-actions.ts';
import { readPendingCarry } from './pending-carry.ts';
import { deltaFactsOf, type PreparedDelta, prepareDelta } from './prepare-delta.ts';
import type { Installation } from './records.ts';
import type { Session } from './session.ts';
import { isUpToDate, keepsRunning, transitionSize, type UpgradeFacts, type UpgradeRequest } from './upgrade.ts';
import { askForRoom, isNoSpace, sayWhatGoes, withRoomFor } from './upgrade-room.ts';

/** What was found, and what was worked out on the way. */
export interface UpgradeInspection {
  facts: UpgradeFacts;
  prepared: PreparedDelta | undefined;
}

/** Where an upgrade looks. */
export interface UpgradedMachine {
  session: Session;
  stateDevice: string;
  installation: Installation;
  overlay?: OverlayFacts | undefined;
  oemDirectory?: string | undefined;
}

/** What is known without looking at the image's content. */
export type MachineFacts = Omit<UpgradeFacts, 'base' | 'delta' | 'measured' | 'keepFetched'>;

/** Looks at the machine alone; changes nothing. */
export function findMachine(
  image: UpgradeFacts['image'],
  { session, stateDevice, installation, overlay, oemDirectory }: UpgradedMachine,
  stateDirectory: string,
): MachineFacts {
  const { booted } = session;
  const { state: installed, ids } = installation;
  const assessment = inspectAssessment(stateDirectory);
  const warnings = [...installation.problems, ...assessment.problems];
  return {
    booted,
    stateDevice,
    installed,
    activeUuid: ids.active,
    hasPassive: ids.passive !== undefined,
    runsByImageLabel: booted.slot === 'active' && runsByImageLabel(),
    image,
    assessment,
    overlay,
    putBack: putBackOf(stateDirectory, oemDirectory),
    packages: askedPackages(oemDirectory, (text) => warnings.push(text)),
    warnings,
  };
}

/**
 * Looks at the machine and at the image; changes nothing. No layer is read: what the image needs is worked out from what
 * is known of it, and estimated otherwise.
 * @param stateDirectory where COS_STATE can be read.
 */
export async function inspectUpgrade(
  request: UpgradeRequest,
  machine: UpgradedMachine,
  stateDirectory: string,
): Promise<UpgradeInspection> {
  const { image } = request;
  const { session, installation, overlay } = machine;
  const { state: installed } = installation;
  const found = findMachine(
    {
      digest: image.kind === 'oci' ? image.digest : undefined,
      source: image.source,
      layers: image.kind === 'oci' ? image.layers.length : 0,
    },
    machine,
    stateDirectory,
  );
  refuseFailedImage(found.assessment, found.image, request);
  if (isUpToDate(found) && !request.force) {
    const measured = { contentBytes: 0, entries: 0, compressedBytes: 0 };
    return { facts: { ...found, base: undefined, measured }, prepared: undefined };
  }
  let keepFetched: readonly string[] = [];
  const { prepared, ...start } = await findMeasuredStart(session, installed, image, stateDirectory, (measuredStart) => {
    const facts = { ...found, ...measuredStart };
    // A clone shares its blocks, but every one of them may have to be written anew: the room for all is asked for.
    const bytes =
      transitionSize(facts, request) +
      passiveBytes(facts, stateDirectory) +
      (overlaySteps(overlay, request).beforeFinish.length === 0 ? 0 : carryBytes(facts, request, stateDirectory));
    keepFetched = askForRoom(stateDirectory, image, (reclaimableBytes) =>
      requireSpace(stateDirectory, bytes, 'the new system', { reclaimableBytes }),
    );
  });
  sayWhatGoes(session, { stateDirectory, image, kept: keepFetched });
  return { facts: { ...found, ...start, keepFetched }, prepared };
}

type Start = Pick<UpgradeFacts, 'base' | 'delta'> & { prepared: PreparedDelta | undefined };
type MeasuredStart = Pick<UpgradeFacts, 'base' | 'delta' | 'measured'>;

/**
 * Finds what the new slot can start from, with room for the rest.
 * @param needsRoom throws HF-NO-SPACE when there is no room.
 */
export async function findMeasuredStart(
  session: Session,
  installed: InstallationState,
  image: Image,
  stateDirectory: string,
  needsRoom: (start: MeasuredStart) => void,
): Promise<MeasuredStart & Pick<Start, 'prepared'>> {
  const found = await findStart(session, installed, image, stateDirectory);
  const plain = (): Start => ({ base: findBase(installed, image, stateDirectory), prepared: undefined });
  return withRoomFor(session, found, plain, async (start) => {
    const { base, delta } = start;
    const { measured } = await measureWithRoom(image, {
      skipLayers: delta?.layers ?? base?.layers ?? 0,
      session,
      needsRoom: (figures) => needsRoom({ base, delta, measured: figures }),
    });
    return { ...start, measured };
  });
}

/**
 * Estimates what layers need and asks for the room; where that isn't there, all of them are read, since an estimate is no
 * reason to refuse.
 */
async function measureWithRoom(
  image: Image,
  options: {
    skipLayers: number;
    session: Pick<Session, 'events' | 'signal'>;
    needsRoom: (measured: Omit<Measure, 'found'>) => void;
  },
): Promise<{ measured: Omit<Measure, 'found'> }> {
  const { skipLayers, session, needsRoom } = options;
  const { signal } = session;
  const { exact, basis: _, ...estimated } = await estimateImage(image, { skipLayers, signal });
  try {
    needsRoom(estimated);
    return { measured: estimated };
  } catch (error) {
    if (exact || !isNoSpace(error)) throw error;
  }
  const { contentBytes, entries, compressedBytes } = await measureImage(image, {
    skipLayers,
    signal,
    onProgress: (progress) => session.events({ type: 'action-progress', index: -1, ...progress }),
  });
  const measured = { contentBytes, entries, compressedBytes };
  needsRoom(measured);
  return { measured };
}

/** What the new slot can start from. */
async function findStart(
  session: Session,
  installed: InstallationState,
  image: Image,
  stateDirectory: string,
): Promise<Start> {
  const base = findBase(installed, image, stateDirectory);
  // All of it is there: what is left to find out is nothing.
  if (image.kind === 'oci' && base?.layers === image.layers.length) return { base, prepared: undefined };
  const prepared = await prepareDelta(session, installed, image, stateDirectory);
  // Nothing differs below the layers that are new: the pristine is what it is.
  if (prepared === undefined || (base !== undefined && prepared.delta.layers === base.layers && isEmpty(prepared))) {
    return { base, prepared: undefined };
  }
  const pristine = join(stateDirectory, pristineFile(prepared.digest));
  return {
    base: {
      digest: prepared.digest,
      layers: prepared.delta.layers,
      slotBytes: statSync(pristine).size,
      filledBytes: filledBytes(pristine),
    },
    delta: deltaFactsOf(prepared),
    prepared,
  };
}

function isEmpty({ delta: { difference, requests } }: PreparedDelta): boolean {
  const { removed, directories, files } = difference;
  return removed.length + directories.length + files.length + requests.length === 0;
}

/**
 * What carrying an overlay takes on COS_STATE: the growth of the slot and the view, of which a copy costs what a slot
 * does where files can't share blocks.
 */
function carryBytes(
  facts: Pick<UpgradeFacts, 'overlay' | 'base' | 'delta' | 'measured'>,
  request: UpgradeRequest,
  directory: string,
): number {
  const grown = facts.overlay?.changedBytes ?? 0;
  return 2 * grown + (canShareBlocks(directory) ? 0 : transitionSize(facts, request));
}

/** What a shutdown that could not carry an overlay's rest has changed about the boot. */
function putBackOf(stateDirectory: string, oemDirectory: string | undefined): Override[] {
  if (readPendingCarry(stateDirectory)?.state !== 'failed') return [];
  return overridesOf(readBootVariables(stateDirectory, oemDirectory)).filter(
    ({ name, value }) => name === 'saved_entry' && slotOfEntry(value) === 'passive',
  );
}

function runsByImageLabel(): boolean {
  return findsRootByImageLabel(new Root('/').readTextIfThere(BOOTARGS) ?? '');
}

/** What a passive copy with a label of its own takes. */
function passiveBytes(
  facts: Pick<UpgradeFacts, 'booted' | 'activeUuid' | 'runsByImageLabel'>,
  directory: string,
): number {
  if (!keepsRunning(facts) || !facts.runsByImageLabel || canShareBlocks(directory)) return 0;
  return statSync(join(directory, SLOT_FILES.active)).blocks * 512;
}

/** The installed image that shares the most leading layers with the new one and whose pristine is there. */
export function findBase(installed: InstallationState, image: Image, stateDirectory: string): UpgradeFacts['base'] {
  if (image.kind !== 'oci') return undefined;
  // A plan has built it before, or it is built anew.
  if (hasPristine(stateDirectory, image.digest)) return baseOf(stateDirectory, image.digest, image.layers.length);
  let best: UpgradeFacts['base'];
  for (const slot of ['active', 'passive'] as const) {
    const deployment = installed[slot];
    if (deployment?.digest === undefined || !hasPristine(stateDirectory, deployment.digest)) continue;
    const shared = commonPrefix(deployment.layers, image);
    // All layers of the base must be in the new image: what a layer put there can't be taken away again.
    if (shared === 0 || shared !== deployment.layers.length || shared <= (best?.layers ?? 0)) continue;
    best = baseOf(stateDirectory, deployment.digest, shared);
  }
  return best;
}

function baseOf(stateDirectory: string, digest: string, layers: number): UpgradeFacts['base'] {
  const pristine = join(stateDirectory, pristineFile(digest));
  return { digest, layers, slotBytes: statSync(pristine).size, filledBytes: filledBytes(pristine) };
}
