// The part that install and upgrade share: an image becomes a finished slot file. Each action leaves the transition
// unmounted, so that between any two of them the file can be checked, cloned or thrown away.

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Image } from '../image/image.ts';
import { describeProvenance } from '../image/provenance.ts';
import type { Tally } from '../image/tally.ts';
import { unpackImage } from '../image/unpack-image.ts';
import { pristineFile, TRANSITION_FILE } from '../slots/names.ts';
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
import { HoldfastError } from '../system/errors.ts';
import { probeFilesystem, syncFilesystem } from '../system/filesystems.ts';
import type { Action, ApplyContext, Performers } from '../system/plan.ts';
import { Root } from '../system/root.ts';
import { BOOTARGS, findsRootByImageLabel, readOsRelease, requireBootable } from './bootable.ts';
import type { ExtraSources } from './extra-sources.ts';
import { runHook, type Strictness } from './hooks.ts';
import { enlargeFullSlot, giveHeadroom } from './slot-room.ts';
import { furnishTarget, makeSkeleton, type OwnerMounts, openSlotFile } from './target.ts';
import { judgeVersion, type SystemVersion, systemVersion, VERSION_LABEL } from './version-rule.ts';

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

export type BuildSlotAction = CreateTransition | CloneTransition | Unpack | KeepPristine | RunHook | FinishTransition;

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
export interface BuildSlotState {
  /** Absent when no image is unpacked. */
  image?: Image | undefined;
  /** Where COS_STATE is mounted. */
  stateDirectory: string;
  /** Where the partition is mounted on which the slot is built; default: COS_STATE. */
  buildDirectory?: string;
  /** An own directory below /run for mount points. */
  workDirectory: string;
  owner: OwnerMounts;
  /** Stage files for hooks beyond the default places; default: what this machine's settings and environment name. */
  hookSources?: ExtraSources | undefined;
  /** Looks at the tree as it came out of the image; throws when it isn't fit for what it is for. */
  inspectUnpacked?: ((root: Root) => void) | undefined;
  /** Set by `unpack`, where the source doesn't know it before. */
  unpacked?: Tally | undefined;
  /** What the new system must not be older than; absent where it replaces nothing. */
  newerThan?: { installed: SystemVersion | undefined; allowDowngrade: boolean } | undefined;
  /** Set by `finish-transition`. */
  built?: BuiltSystem;
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
  },

  unpack: async ({ skipLayers }, context, state) => {
    const { image } = state;
    if (image === undefined) throw new HoldfastError('HF-NO-SOURCE', 'there is no image to unpack');
    let slot = await openTransition(context, state);
    const { warnings, counted } = await unpackImage(image, slot.root.directory, {
      skipLayers,
      signal: context.signal,
      onProgress: context.progress,
      makeRoom: async () => {
        await slot.close();
        await enlargeFullSlot(context, transitionOf(state));
        slot = await openTransition(context, state);
      },
    });
    for (const warning of warnings) context.warn(warning);
    state.unpacked = counted;
    const { root, close } = slot;
    state.inspectUnpacked?.(root);
    makeSkeleton(root);
    requireBootable(root);
    await syncFilesystem(root.directory);
    await close();
    await giveHeadroom(context, transitionOf(state));
  },

  'keep-pristine': async ({ digest }, context, state) => {
    const pristine = join(state.stateDirectory, pristineFile(digest));
    removeOnFailure(context, `${pristine}.new`);
    // The pristine of an installed image may be there already, when that image is built anew.
    if (!hasPristine(state.stateDirectory, digest)) removeOnFailure(context, pristine);
    if (!(await keepPristine(state.stateDirectory, digest))) {
      const text = 'no unchanged copy of the image is kept: this file system can’t share blocks between files';
      context.events({ type: 'notice', level: 'info', text });
    }
  },

  'run-hook': async ({ hook, where, strictness }, context, state) => {
    if (where === 'host') {
      await runHook(context, hook, new Root('/'), { strictness, extra: state.hookSources });
      return;
    }
    const { root, close } = await openTransition(context, state);
    const unfurnish = await furnishTarget(context, root, state.owner);
    await runHook(context, hook, root, { strictness, extra: state.hookSources });
    await unfurnish();
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
    const { installed, allowDowngrade = false } = state.newerThan ?? {};
    const { version: candidate } = described;
    const question = { candidate, installed, allowDowngrade, provenance: state.image?.provenance };
    for (const text of judgeVersion(question)) context.events({ type: 'notice', level: 'warning', text });
    await labelSlotFile(file, label);
    const { uuid } = await probeFilesystem(file);
    state.built = { uuid: uuid ?? '', ...described };
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
  { image, built }: { image: Image; built?: BuiltSystem | undefined },
  options: { now: string; fromAction: FromAction },
): Deployment {
  if (built === undefined) throw new HoldfastError('HF-DEPLOY', 'the new system was not finished');
  const { id: os, version } = built.version;
  const imageVersion = image.kind === 'oci' ? image.config.labels[VERSION_LABEL] : undefined;
  return {
    source: image.source,
    ...(image.kind === 'oci' ? { digest: image.digest } : {}),
    layers: image.kind === 'oci' ? image.layers.map(({ diffId }) => diffId) : [],
    uuid: built.uuid,
    date: options.now,
    fromAction: options.fromAction,
    verified: describeVerification(image),
    ...(os === undefined ? {} : { os }),
    ...(version === undefined ? {} : { version }),
    ...(imageVersion === undefined ? {} : { imageVersion }),
  };
}

/** How an image was verified, in words for state.yaml. */
export function describeVerification(image: Image): string {
  if (image.kind !== 'oci') return 'not verified (local tree)';
  const { provenance, origin } = image;
  const who =
    provenance === undefined
      ? `no signature (${origin === 'registry' ? 'registry' : 'local source'})`
      : describeProvenance(provenance);
  return `digests of all layers; ${who}`;
}

function transitionOf(state: BuildSlotState): string {
  return join(state.buildDirectory ?? state.stateDirectory, TRANSITION_FILE);
}

function mountPointOf(state: BuildSlotState): string {
  return join(state.workDirectory, 'target');
}

function openTransition(context: ApplyContext, state: BuildSlotState): ReturnType<typeof openSlotFile> {
  const mountPoint = mountPointOf(state);
  mkdirSync(mountPoint, { recursive: true });
  return openSlotFile(context.undo, transitionOf(state), mountPoint);
}

function removeOnFailure(context: ApplyContext, file: string): void {
  context.undo.onFailure(`remove ${file}`, () => rmSync(file, { force: true }));
}
