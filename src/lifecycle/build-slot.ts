// The part that install and upgrade share: an image becomes a finished slot file. Each action leaves the transition
// unmounted, so that between any two of them the file can be checked, cloned or thrown away.

import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Image } from '../image/image.ts';
import { writeIndexFile } from '../image/index-file.ts';
import { describeProvenance } from '../image/provenance.ts';
import type { OpenStore } from '../owner/package-store.ts';
import type { PackageChoice } from '../owner/policy.ts';
import { pristineFile, pristineIndexFile } from '../slots/names.ts';
import {
  allocateSlotFile,
  checkSlotFile,
  cloneSlotFile,
  createSlotFile,
  growSlotFile,
  labelSlotFile,
  renewSlotId,
} from '../slots/slot-file.ts';
import type { Deployment, FromAction } from '../slots/state-file.ts';
import { hasPristine, keepPristine } from '../slots/swap.ts';
import type { StageResult } from '../stages/result.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { probeFilesystem, syncFilesystem } from '../system/filesystems.ts';
import type { Action, ApplyContext, Performers } from '../system/plan.ts';
import { Root } from '../system/root.ts';
import { BOOTARGS, findsRootByImageLabel, readOsRelease, requireBootable } from './bootable.ts';
import type { ExtraSources } from './extra-sources.ts';
import { applyDeltaToSlot, mountPointOf, openTransition, transitionOf, unpackIntoSlot } from './fill-slot.ts';
import { runHook, type Strictness } from './hooks.ts';
import { storeFor } from './keep-packages.ts';
import { markChanges } from './owner-changes.ts';
import { type LedgerState, watchHook, writeSlotLedger } from './slot-ledger.ts';
import { furnishTarget, type OwnerMounts, openSlotFile } from './target.ts';
import {
  judgeVersion,
  type Replaced,
  type SystemVersion,
  systemVersion,
  VERSION_LABEL,
  versionRecord,
} from './version-rule.ts';

export interface CreateTransition extends Action<'create-transition'> {
  sizeBytes: number;
}
export interface CloneTransition extends Action<'clone-transition'> {
  /** Digest of the image whose pristine is the starting point. */
  digest: string;
  sizeBytes: number;
}
export interface Unpack extends Action<'unpack'> {
  /** How many of the image's layers the transition already holds. */
  skipLayers: number;
}
export interface ApplyDelta extends Action<'apply-delta'> {
  /** How many of the image's layers the transition holds then. */
  layers: number;
}
export interface KeepPristine extends Action<'keep-pristine'> {
  digest: string;
}
export interface RunHook extends Action<'run-hook'> {
  hook: string;
  where: 'host' | 'target';
  strictness: Strictness;
}
export interface FinishTransition extends Action<'finish-transition'> {
  label: string;
}

export type BuildSlotAction =
  | CreateTransition
  | CloneTransition
  | ApplyDelta
  | Unpack
  | KeepPristine
  | RunHook
  | FinishTransition;

/** What a finished slot says of itself. */
export interface BuiltSystem {
  uuid: string;
  /** The title of its menu entry: what it asks for, else its name. */
  menuEntry: string;
  /** The title that it asks for (GRUB_ENTRY_NAME). */
  wantedMenuEntry: string | undefined;
  prettyName: string;
  /** It finds its root by the label of its image file (cOS up to 0.9). */
  rootByImageLabel: boolean;
  version: SystemVersion;
}

/** What the actions find and leave for each other. */
export interface BuildSlotState extends LedgerState {
  owner: OwnerMounts;
  /** Stage files for hooks beyond the default places; default: what this machine's settings and environment name. */
  hookSources?: ExtraSources | undefined;
  /** What the new system must not be older than; absent where it replaces nothing. */
  newerThan?: Replaced | undefined;
  /** Gets what came of hooks in the new system, for those who want to tell it. */
  hookResults?: StageResult[] | undefined;
  /** What is done about packages that don't fit, by their names; set by `check-packages`. */
  packageChoices?: ReadonlyMap<string, PackageChoice> | undefined;
  /** Keeps package files while hooks run in the new system. */
  packageStore?: OpenStore | undefined;
  /** Set by `finish-transition`. */
  built?: BuiltSystem;
  /** Set by the hook in the new system, unless it failed: what the owner's stage files wanted of it. */
  changes?: string | undefined;
}

export const buildSlotPerformers: Performers<BuildSlotAction, BuildSlotState> = {
  'create-transition': async ({ sizeBytes }, context, state) => {
    const file = transitionOf(state);
    removeOnFailure(context, file);
    await createSlotFile(file, { sizeBytes, label: 'COS_TRANSITION' });
  },

  'clone-transition': async ({ digest, sizeBytes }, context, state) => {
    const file = transitionOf(state);
    removeOnFailure(context, file);
    const { cloned } = await cloneSlotFile(join(state.stateDirectory, pristineFile(digest)), file);
    // A copy has holes where the original has nothing; a full disk must show up now.
    if (!cloned) await allocateSlotFile(file);
    await growSlotFile(file, sizeBytes);
    await renewSlotId(file);
    await labelSlotFile(file, 'COS_TRANSITION');
    state.clonedFrom = digest;
  },

  'apply-delta': async (_, context, state) => {
    if (state.prepared === undefined) throw new HoldfastError('HF-DEPLOY', 'no difference was worked out');
    await applyDeltaToSlot(context, state, state.prepared);
  },

  unpack: ({ skipLayers }, context, state) => unpackIntoSlot(context, state, skipLayers),

  'keep-pristine': async ({ digest }, context, state) => {
    if (state.vouchedLayers) {
      // Whoever starts from a pristine takes it for what its layers' digests name. One that is there already is that.
      const text =
        'no unchanged copy of the image is kept: it was made from tables of contents, so its layers were not compared with their digests';
      context.events({ type: 'notice', level: 'info', text });
      return;
    }
    const pristine = join(state.stateDirectory, pristineFile(digest));
    removeOnFailure(context, `${pristine}.new`);
    // The pristine of an installed image may be there already, when that image is built anew.
    if (!hasPristine(state.stateDirectory, digest)) removeOnFailure(context, pristine);
    if (!(await keepPristine(state.stateDirectory, digest))) {
      const text = 'no unchanged copy of the image is kept: this file system can’t share blocks between files';
      context.events({ type: 'notice', level: 'info', text });
      return;
    }
    await keepIndex(context, state, digest);
  },

  'run-hook': async ({ hook, where, strictness }, context, state) => {
    if (where === 'host') {
      await runHook(context, hook, new Root('/'), { strictness, extra: state.hookSources });
      return;
    }
    const { root, close } = await openTransition(context, state);
    const watch = await watchHook(context, state, hook, root);
    const unfurnish = await furnishTarget(context, root, state.owner);
    const afterStep = watch.afterStep.bind(watch);
    const packageStore = storeFor(context, state, root);
    const options = { strictness, extra: state.hookSources, afterStep, packageStore };
    // Before the hook: what somebody writes down while it runs is not in it.
    const wished = await markChanges(root, hook);
    const result = await runHook(context, hook, root, options);
    packageStore.close();
    state.packageStore = undefined;
    state.hookResults?.push(result);
    state.changes = result.outcome === 'failed' ? undefined : wished;
    await unfurnish();
    await watch.ended();
    await syncFilesystem(root.directory);
    await close();
  },

  'finish-transition': async ({ label }, context, state) => {
    const file = transitionOf(state);
    await checkSlotFile(file);
    const { root, close } = await openSlotFile(context.undo, file, mountPointOf(state), { readOnly: true });
    requireBootable(root);
    const described = describeSystem(root);
    await close();
    const question = {
      candidate: described.version,
      replaced: state.newerThan,
      provenance: state.image?.provenance,
    };
    for (const remark of judgeVersion(question)) context.events({ type: 'notice', ...remark });
    await labelSlotFile(file, label);
    const { uuid } = await probeFilesystem(file);
    state.built = { uuid: uuid ?? '', ...described };
    await writeSlotLedger(context, state, state.built.uuid);
  },
};

/** What a tree says of the system that it is. */
export function describeSystem(root: Root): Omit<BuiltSystem, 'uuid'> {
  const described = readOsRelease(root);
  const { menuEntry, name, prettyName } = described;
  return {
    menuEntry: menuEntry || name || 'cOS',
    wantedMenuEntry: menuEntry || undefined,
    prettyName: prettyName ?? name ?? '',
    rootByImageLabel: findsRootByImageLabel(root.readTextIfThere(BOOTARGS) ?? ''),
    version: systemVersion(described),
  };
}

/** The record of the slot that was built. */
export function newDeployment(
  {
    image,
    built,
    vouchedLayers = 0,
    changes,
  }: { image: Image; built?: BuiltSystem | undefined; vouchedLayers?: number; changes?: string | undefined },
  options: { now: string; fromAction: FromAction },
): Deployment {
  if (built === undefined) throw new HoldfastError('HF-DEPLOY', 'the new system was not finished');
  const imageVersion = image.kind === 'oci' ? image.config.labels[VERSION_LABEL] : undefined;
  return {
    source: image.source,
    ...(image.kind === 'oci' ? { digest: image.digest } : {}),
    // With one that nobody has compared with its digest, no other image may be thought to share them.
    layers: image.kind === 'oci' && vouchedLayers === 0 ? image.layers.map(({ diffId }) => diffId) : [],
    uuid: built.uuid,
    date: options.now,
    fromAction: options.fromAction,
    verified: describeVerification(image, vouchedLayers),
    ...versionRecord(built.version),
    ...(imageVersion === undefined ? {} : { imageVersion }),
    ...(changes === undefined ? {} : { changes }),
  };
}

/**
 * How an image was verified, in words for state.yaml.
 * @param vouchedLayers how many layers were made from tables of contents that the manifest names.
 */
export function describeVerification(image: Image, vouchedLayers = 0): string {
  if (image.kind !== 'oci') return 'not verified (local tree)';
  const { provenance, origin } = image;
  const who =
    provenance === undefined
      ? `no signature (${origin === 'registry' ? 'registry' : 'local source'})`
      : describeProvenance(provenance);
  const { length } = image.layers;
  const what =
    vouchedLayers === 0
      ? 'digests of all layers'
      : `digests of ${length - vouchedLayers} of ${length} layers, of the others those of their tables of contents`;
  return `${what}; ${who}`;
}

/** Keeps what the pristine's layers hold, if all of that is known; without it the next upgrade moves more, nothing else. */
export async function keepIndex(
  { undo, warn }: Pick<ApplyContext, 'undo' | 'warn'>,
  state: Pick<BuildSlotState, 'image' | 'layerIndexes' | 'stateDirectory'>,
  digest: string,
): Promise<void> {
  const { image, layerIndexes = [], stateDirectory } = state;
  const path = join(stateDirectory, pristineIndexFile(digest));
  const isKnown = image?.kind === 'oci' && image.layers.every(({ diffId }, at) => diffId === layerIndexes[at]?.diffId);
  if (!isKnown || image.digest !== digest) {
    rmSync(path, { force: true });
    return;
  }
  if (!existsSync(path)) undo.onFailure(`remove ${path}`, () => rmSync(path, { force: true }));
  undo.onFailure(`remove ${path}.new`, () => rmSync(`${path}.new`, { force: true }));
  try {
    await writeIndexFile(path, { image: image.digest, layers: layerIndexes.slice(0, image.layers.length) });
  } catch (error) {
    // An old one may be that of another way to the same image.
    for (const file of [`${path}.new`, path]) rmSync(file, { force: true });
    warn(`what the image holds is not noted, so the next upgrade fetches all of its image: ${messageOf(error)}`);
  }
}

function removeOnFailure(context: ApplyContext, file: string): void {
  context.undo.onFailure(`remove ${file}`, () => rmSync(file, { force: true }));
}
