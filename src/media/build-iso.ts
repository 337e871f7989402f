// `holdfast build-iso`: looks at what there is, plans, and carries the plan out. Everything happens in a work place and in a
// temporary file beside the output; the output's name appears last.

import { cpSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { GRUB_FONT } from '../boot/grub-files.ts';
import type { RecoverySource } from '../lifecycle/install.ts';
import type { EventSink } from '../system/events.ts';
import { type ApplyResult, apply, type Performers, type Plan, type UndoStack } from '../system/plan.ts';
import { Root } from '../system/root.ts';
import { requireTools } from '../system/tools.ts';
import { findBootFiles } from './boot-files.ts';
import { FAT_TOOLS, makeFatImage } from './fat-image.ts';
import { fatSerial, mediumUuid } from './identity.ts';
import { type BiosBoot, buildBiosFiles, ELTORITO_PATH, findBiosBoot, writeEfiFiles } from './iso-boot.ts';
import { ISO_FONT, ISO_GRUB_DIRECTORY, ISO_INITRD, ISO_KERNEL, isoMenu, mediumMark } from './iso-menu.ts';
import { type IsoAction, planIso, rootFileName } from './iso-plan.ts';
import { type IsoRequest, stageFileName } from './iso-request.ts';
import { makeIsoVolume } from './iso-volume.ts';
import { requireReadable, usualCompression } from './kernel-features.ts';
import { liveArguments } from './live-arguments.ts';
import { layOver } from './overlay-directory.ts';
import { type Published, publishFile, temporaryOutput } from './publish.ts';
import { type Compression, makeRootFile, RECOVERY_COMPRESSION, rootFileTool } from './root-file.ts';
import { openSystemTree, type SystemTree, treeBytes } from './system-tree.ts';
import { walkFiles } from './walk-files.ts';
import { openWorkPlace } from './work-place.ts';

/** Where dracut mounts the medium, and the stage files on it as Elemental 2 has them. */
const STAGE_FILES = 'iso-config';
const LIVE_MEDIUM = '/run/initramfs/live';
/** The FAT file system for firmware; cOS's label. */
const EFI_LABEL = 'COS_GRUB';

interface IsoState {
  request: IsoRequest;
  /** What holds for all of the plan. */
  undo: UndoStack;
  workPlace: string;
  /** What will be on the medium. */
  medium: string;
  temporary: string;
  tree: SystemTree | undefined;
  compression: Compression | undefined;
  bios: BiosBoot | undefined;
  signed: boolean;
  published: Published | undefined;
}

export interface IsoResult extends Pick<ApplyResult, 'warnings' | 'durationMs'> {
  outcome: 'planned' | 'ok';
  plan: Plan<IsoAction>;
  /** What was made; undefined when it was only planned. */
  made:
    | (Published & {
        system: string;
        source: string;
        digest: string | undefined;
        bios: boolean;
        secureBoot: boolean;
        compression: string;
        time: string;
        timeBasis: string;
      })
    | undefined;
}

/**
 * Builds an ISO.
 * @param options.undo of the command: holds the work place until the end.
 * @throws HoldfastError HF-TOOL-MISSING, HF-NO-SPACE before anything is written; HF-NOT-BOOTABLE when the image lacks what
 *   a medium needs; otherwise as its parts.
 */
export async function buildIso(
  request: IsoRequest,
  options: { undo: UndoStack; events: EventSink; signal: AbortSignal; dryRun: boolean },
): Promise<IsoResult> {
  const { events, signal, undo } = options;
  requireTools(['xorriso', 'cp', rootFileTool(request.format), ...FAT_TOOLS, ...recoveryTools(request.recovery)]);
  const facts = {
    treeBytes: await treeBytes(request.image, signal),
    recoveryBytes: await recoveryBytes(request.recovery, signal),
  };
  const plan = planIso(request, facts);
  if (options.dryRun) return { outcome: 'planned', plan, warnings: [], durationMs: 0, made: undefined };
  const workPlace = openWorkPlace(undo, {
    near: request.output,
    // The tree, its root file twice (in the work place and in the ISO), and the recovery system's.
    needBytes: facts.treeBytes * 2 + facts.recoveryBytes * 2,
    purpose: 'the unpacked system and the medium',
  });
  const medium = join(workPlace, 'medium');
  mkdirSync(medium, { mode: 0o755 });
  const state: IsoState = {
    request,
    undo,
    workPlace,
    medium,
    temporary: temporaryOutput(undo, request.output),
    tree: undefined,
    compression: request.compression,
    bios: undefined,
    signed: false,
    published: undefined,
  };
  const { warnings, durationMs } = await apply(plan, performers, { state, events, signal });
  return { outcome: 'ok', plan, warnings, durationMs, made: describe(state) };
}

const performers: Performers<IsoAction, IsoState> = {
  unpack: async ({ overlays }, context, state) => {
    const { image, format } = state.request;
    const tree = await openSystemTree(context, { image, overlays, workPlace: state.workPlace });
    state.tree = tree;
    // Found out before the long part.
    findBootFiles(tree.root);
    state.compression ??= usualCompression(tree.root, format);
    requireReadable(tree.root, format, state.compression);
    const bios = findBiosBoot(tree.root);
    if (!('missing' in bios)) state.bios = state.request.efiOnly ? undefined : bios;
    else if (!state.request.efiOnly) {
      context.events({
        type: 'notice',
        level: 'info',
        text: `the ISO will boot by UEFI only: the image lacks ${bios.missing}`,
      });
    }
  },

  'make-root': async ({ format, name }, context, state) => {
    const { directory, timeSeconds, seed } = treeOf(state);
    await makeRootFile(context, directory, join(state.medium, name), {
      format,
      compression: compressionOf(state),
      timeSeconds,
      uuid: mediumUuid({ seed, purpose: 'iso root' }),
    });
  },

  'add-recovery': async (_, context, state) => {
    const { recovery } = state.request;
    if (recovery?.kind === 'file') {
      cpSync(recovery.file, join(state.medium, recovery.type === 'squashfs' ? 'recovery.squashfs' : 'recovery.img'));
    } else if (recovery !== undefined) {
      const { time } = treeOf(state);
      const options = { image: recovery.image, overlays: [], workPlace: state.workPlace, name: 'recovery', time };
      const tree = await openSystemTree(context, options);
      await makeRootFile(context, tree.directory, join(state.medium, 'recovery.squashfs'), {
        format: 'squashfs',
        compression: RECOVERY_COMPRESSION,
        timeSeconds: time.seconds,
        uuid: '',
      });
      rmSync(tree.directory, { recursive: true });
    }
  },

  'add-boot-loader': async ({ overlays }, context, state) => {
    const { medium, workPlace } = state;
    const tree = treeOf(state);
    const onMedium = (path: string) => join(medium, path);
    const put = (path: string, content: string | Uint8Array) => {
      mkdirSync(join(onMedium(path), '..'), { recursive: true });
      writeFileSync(onMedium(path), content);
    };
    const mark = mediumMark(identityOf(state).uuid);
    put(mark, '');
    put('/.disk/info', `${tree.osRelease.prettyName ?? tree.osRelease.name ?? 'Live system'} (${tree.source})\n`);
    const { kernel, initrd } = findBootFiles(tree.root);
    mkdirSync(onMedium('/boot'), { recursive: true });
    cpSync(tree.root.resolve(kernel), onMedium(ISO_KERNEL));
    cpSync(tree.root.resolve(initrd), onMedium(ISO_INITRD));
    put(`${ISO_GRUB_DIRECTORY}/grub.cfg`, menuOf(state));
    if (tree.root.stat(GRUB_FONT)?.isFile()) {
      mkdirSync(join(onMedium(ISO_FONT), '..'), { recursive: true });
      cpSync(tree.root.resolve(GRUB_FONT), onMedium(ISO_FONT));
    }
    const efi = join(workPlace, 'efi');
    mkdirSync(efi);
    state.signed = writeEfiFiles(tree.root, efi, mark).signed;
    for (const overlay of overlays) await layOver(overlay, new Root(efi), { signal: context.signal });
    // On the medium itself too: firmware may show GRUB the whole CD, and some people copy the files to a stick.
    cpSync(efi, medium, { recursive: true });
    await makeFatImage(context, {
      directory: efi,
      file: join(workPlace, 'efi.img'),
      label: EFI_LABEL,
      serial: identityOf(state).fatSerial,
      timeSeconds: tree.timeSeconds,
    });
    if (state.bios !== undefined) {
      const into = { eltorito: onMedium(ELTORITO_PATH), bootSector: join(workPlace, 'stick.img') };
      await buildBiosFiles(tree.root, state.bios, mark, into, context.signal);
    }
  },

  'add-files': async ({ overlays }, { signal }, { request, medium }) => {
    if (request.stageFiles.length > 0) mkdirSync(join(medium, STAGE_FILES));
    for (const [index, file] of request.stageFiles.entries()) {
      writeFileSync(join(medium, STAGE_FILES, stageFileName(file, index)), file.text);
    }
    for (const overlay of overlays) await layOver(overlay, new Root(medium), { signal });
  },

  'write-iso': async ({ label }, context, state) => {
    const { medium, workPlace, temporary, bios } = state;
    const tree = treeOf(state);
    // Its content is in the root file; the ISO needs the room.
    rmSync(tree.directory, { recursive: true });
    const bytes = [...walkFiles(medium)].reduce((sum, { stats }) => sum + stats.size, 0);
    await makeIsoVolume(
      context,
      {
        directory: medium,
        file: temporary,
        label,
        uuid: identityOf(state).uuid,
        timeSeconds: tree.timeSeconds,
        efiImage: join(workPlace, 'efi.img'),
        biosBootSector: bios === undefined ? undefined : join(workPlace, 'stick.img'),
      },
      bytes + statSync(join(workPlace, 'efi.img')).size,
    );
  },

  publish: async ({ output }, context, state) => {
    state.published = await publishFile(context, state.temporary, output);
  },
};

function menuOf(state: IsoState): string {
  const { label, format, extraArguments } = state.request;
  const { osRelease } = treeOf(state);
  return isoMenu({
    title: osRelease.menuEntry ?? osRelease.prettyName ?? osRelease.name ?? 'cOS',
    liveArguments: liveArguments({
      medium: `CDLABEL=${label}`,
      directory: '/',
      ...(format === 'squashfs' && { file: rootFileName(format) }),
      setup: `${LIVE_MEDIUM}/${STAGE_FILES}`,
      // What dracut doesn't take for a squashfs it lays an overlay over only when it is told to.
      extra: [...(format === 'squashfs' ? [] : ['rd.live.overlay.overlayfs=1']), ...extraArguments],
    }),
  });
}

/** What GRUB knows the medium by is another one for each content, and the same for the same. */
function identityOf(state: IsoState): { uuid: string; fatSerial: string } {
  const { label, overlays, stageFiles, format, extraArguments, recovery } = state.request;
  const { seed, timeSeconds } = treeOf(state);
  const options = {
    label,
    format,
    compression: state.compression,
    extraArguments,
    stageFiles,
    timeSeconds,
    overlays: [overlays.uefi, overlays.iso],
    recovery: recovery?.kind === 'image' ? (recovery.image.digest ?? recovery.image.source) : recovery?.source,
  };
  return {
    uuid: mediumUuid({ seed, purpose: 'iso', options }),
    fatSerial: fatSerial({ seed, purpose: 'iso efi', options }),
  };
}

function treeOf({ tree }: IsoState): SystemTree {
  if (tree === undefined) throw new Error('the image was not unpacked');
  return tree;
}

function compressionOf({ compression }: IsoState): Compression {
  if (compression === undefined) throw new Error('the image was not unpacked');
  return compression;
}

function describe(state: IsoState): IsoResult['made'] {
  const { published } = state;
  if (published === undefined) return undefined;
  const { osRelease, source, digest, time } = treeOf(state);
  return {
    ...published,
    system: osRelease.prettyName ?? osRelease.name ?? basename(source),
    source,
    digest,
    bios: state.bios !== undefined,
    secureBoot: state.signed,
    compression: `${state.request.format} (${compressionOf(state)})`,
    time: new Date(time.seconds * 1000).toISOString(),
    timeBasis: time.basis,
  };
}

function recoveryTools(recovery: RecoverySource | undefined): string[] {
  return recovery?.kind === 'image' ? [rootFileTool('squashfs')] : [];
}

async function recoveryBytes(recovery: RecoverySource | undefined, signal: AbortSignal): Promise<number> {
  if (recovery === undefined) return 0;
  return recovery.kind === 'file' ? recovery.sizeBytes : treeBytes(recovery.image, signal);
}
