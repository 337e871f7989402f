// What building an ISO will do, in order. Pure: what was found is handed in.

import type { RecoverySource } from '../lifecycle/install.ts';
import type { Action, Plan } from '../system/plan.ts';
import { type IsoRequest, stageFileName } from './iso-request.ts';
import { checksumFile } from './publish.ts';
import type { Compression, RootFormat } from './root-file.ts';

export type IsoAction =
  | (Action<'unpack'> & { overlays: readonly string[] })
  | (Action<'make-root'> & { format: RootFormat; compression: Compression | undefined; name: string })
  | (Action<'add-recovery'> & { source: string })
  | (Action<'add-boot-loader'> & { efiOnly: boolean; overlays: readonly string[] })
  | (Action<'add-files'> & { stageFiles: readonly string[]; overlays: readonly string[] })
  | (Action<'write-iso'> & { label: string })
  | (Action<'publish'> & { output: string; checksum: string });

export interface IsoFacts {
  /** What the image takes when it is unpacked, as far as that is known. */
  treeBytes: number;
  recoveryBytes: number;
}

/** How the root is called on the medium: dracut's dmsquash-live mounts a file of the first name as squashfs only. */
export function rootFileName(format: RootFormat): string {
  return format === 'squashfs' ? 'rootfs.squashfs' : 'rootfs.img';
}

export function planIso(request: IsoRequest, facts: IsoFacts): Plan<IsoAction> {
  const { image, recovery, label, output, overlays, stageFiles, format, compression, efiOnly } = request;
  const actions: IsoAction[] = [
    {
      kind: 'unpack',
      summary: `Unpack ${image.source}${over(overlays.rootfs)} and see that it can boot`,
      overlays: overlays.rootfs,
      cost: { bytes: facts.treeBytes },
    },
    {
      kind: 'make-root',
      summary: `Make ${rootFileName(format)}, a ${format}${compression === undefined ? '' : ` (${compression})`} of it`,
      format,
      compression,
      name: rootFileName(format),
      cost: { bytes: facts.treeBytes },
    },
  ];
  if (recovery !== undefined) {
    actions.push({
      kind: 'add-recovery',
      summary: recoverySummary(recovery),
      source: recovery.kind === 'image' ? recovery.image.source : recovery.source,
      cost: { bytes: facts.recoveryBytes },
    });
  }
  actions.push({
    kind: 'add-boot-loader',
    summary: `Add kernel, initramfs and boot loader for ${efiOnly ? 'UEFI' : 'UEFI, and BIOS where the image can'}${over(overlays.uefi)}`,
    efiOnly,
    overlays: overlays.uefi,
  });
  const names = stageFiles.map((file, index) => `iso-config/${stageFileName(file, index)}`);
  if (names.length + overlays.iso.length > 0) {
    actions.push({
      kind: 'add-files',
      summary: `Add ${[...names, ...overlays.iso.map((directory) => `what is in ${directory}`)].join(', ')}`,
      stageFiles: names,
      overlays: overlays.iso,
    });
  }
  actions.push(
    { kind: 'write-iso', summary: `Write the ISO, labelled ${label}`, label },
    {
      kind: 'publish',
      summary: `Put it at ${output}, with its checksum beside it`,
      output,
      checksum: checksumFile(output),
    },
  );
  return { title: `Build the ISO ${output}`, actions };
}

function recoverySummary(recovery: RecoverySource): string {
  return recovery.kind === 'file'
    ? `Copy ${recovery.source} as the recovery system`
    : `Unpack ${recovery.image.source} and make recovery.squashfs of it`;
}

function over(overlays: readonly string[]): string {
  return overlays.length === 0 ? '' : `, with ${overlays.join(' and ')} laid over it`;
}
