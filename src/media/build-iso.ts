// `holdfast build-iso`: looks at what there is, plans, and carries the plan out. Everything happens in a work place and in a
// temporary file beside the output; the output's name appears last.

import { cpSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { GRUB_FONT } from '../boot/grub-files.ts';
import type { RecoverySource } from '../lifecycle/install.ts';
import { requireSpace } from '../slots/slot-file.ts';
import type { EventSink } from '../system/events.ts';
import { type ApplyResult, apply, type Performers, type Plan, type UndoStack } from '../system/plan.ts';
import { Root } from '../system/root.ts';
import { requireTools } from '../system/tools.ts';
import { findBootFiles } from './boot-files.ts';
import { FAT_TOOLS, makeFatImage } from './fat-image.ts';
import { mediumUuid } from './identity.ts';
import { buildBiosFiles, ELTORITO_PATH, findBiosBoot, writeEfiFiles } from './iso-boot.ts';
import { ISO_FONT, ISO_GRUB_DIRECTORY, ISO_INITRD, ISO_KERNEL, mediumMark } from './iso-menu.ts';
import { type IsoAction, planIso } from './iso-plan.ts';
import { type IsoRequest, stageFileName } from './iso-request.ts';
import {
  compressionOf,
  describeIso,
  type IsoState,
  identifyMedium,
  identityOf,
  type MadeIso,
  mediumInfo,
  menuOf,
  STAGE_FILES,
  treeOf,
} from './iso-state.ts';
import { makeIsoVolume } from './iso-volume.ts';
import { requireReadable, usualCompression } from './kernel-features.ts';
import { layOver } from './overlay-directory.ts';
import { makeOutputDirectory, publishFile, temporaryOutput } from './publish.ts';
import { makeRootFile, RECOVERY_COMPRESSION, rootFileTool } from './root-file.ts';
import { openSystemTree, treeBytes } from './system-tree.ts';
import { walkFiles } from './walk-files.ts';
import { openWorkPlace } from './work-place.ts';

/** The FAT file system for firmware; cOS's label. */
const EFI_LABEL = 'COS_GRUB';

export interface IsoResult extends Pick<ApplyResult, 'warnings' | 'durationMs'> {
  outcome: 'planned' | 'ok';
  plan: Plan<IsoAction>;
  /** What was made; undefined when it was only planned. */
  made: MadeIso | undefined;
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
  makeOutputDirectory(undo, dirname(request.output));
  const workPlace = openWorkPlace(undo, {
    near: request.output,
    // The tree, its root file twice (in the work place and in the ISO), and the recovery system's.
    needBytes: facts.treeBytes * 2 + facts.recoveryBytes * 2,
    purpose: 'the unpacked system and the medium',
  });
  // The medium may go onto another disk than the one that it is put together on.
  requireSpace(dirname(request.output), facts.treeBytes / 2 + facts.recoveryBytes / 2, 'the ISO');
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
    identity: undefined,
    signed: false,
    published: undefined,
  };
  const { warnings, durationMs } = await apply(plan, performers, { state, events, signal });
  return { outcome: 'ok', plan, warnings, durationMs, made: describeIso(state) };
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
    state.identity = await identifyMedium(state, context.signal);
    const mark = mediumMark(state.identity.uuid);
    put(mark, '');
    put('/.disk/info', mediumInfo(state));
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

function recoveryTools(recovery: RecoverySource | undefined): string[] {
  return recovery?.kind === 'image' ? [rootFileTool('squashfs')] : [];
}

async function recoveryBytes(recovery: RecoverySource | undefined, signal: AbortSignal): Promise<number> {
  if (recovery === undefined) return 0;
  return recovery.kind === 'file' ? recovery.sizeBytes : treeBytes(recovery.image, signal);
}
