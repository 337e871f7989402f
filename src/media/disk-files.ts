// What lies on the partitions of a disk image beside the systems: boot loader, records, what GRUB remembers, stage files.
// It is gathered in directories, as install writes it to partitions.

import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { placeAssessment } from '../boot/assessment-files.ts';
import { writeGrubEnvironment } from '../boot/grub-environment.ts';
import { GRUB_BIOS_BOOT_SECTOR, GRUB_BIOS_CORE, GRUB_MENU } from '../boot/grub-files.ts';
import { installGrub } from '../boot/install-grub.ts';
import { assessmentScript } from '../lifecycle/assessment.ts';
import { describeSystem, newDeployment } from '../lifecycle/build-slot.ts';
import { grubLabels } from '../lifecycle/grub-labels.ts';
import { customFileName } from '../lifecycle/refresh-boot-loader.ts';
import { type Deployment, formatState, type InstallationState } from '../slots/state-file.ts';
import type { Performers } from '../system/plan.ts';
import type { Root } from '../system/root.ts';
import {
  FIRST_BOOT_FILE,
  FIRST_BOOT_OEM_VARIABLES,
  FIRST_BOOT_VARIABLES,
  firstBootMenu,
  firstBootStageFile,
} from './disk-first-boot.ts';
import { firstBootSizes } from './disk-layout.ts';
import type { BuildDiskAction } from './disk-plan.ts';
import { type BuildDiskState, had } from './disk-state.ts';
import { walkFiles } from './walk-files.ts';

export const filesPerformers: Performers<Extract<BuildDiskAction, { kind: 'write-files' }>, BuildDiskState> = {
  'write-files': async (_, __, state) => {
    const { request, staging } = state;
    const { expandable, labels } = request;
    const { root } = had(state.system, 'system');
    const menuPlace = expandable ? staging.recovery : staging.state;
    installGrub({
      image: root,
      espDirectory: staging.esp,
      stateDirectory: menuPlace,
      oemDirectory: staging.oem,
      labels: grubLabels(labels),
      menuEntry: request.menuEntry ?? describeSystem(root).menuEntry,
    });
    state.biosBoot = readBiosBoot(root);
    if (expandable) writeFirstBoot(state);
    else placeAssessment(staging.state, await assessmentScript());
    writeRecords(state);
    settleModes(state);
  },
};

/** Puts the owner's stage files into a directory that becomes /oem. */
export function writeStageFiles({ request, staging }: Pick<BuildDiskState, 'request' | 'staging'>): void {
  const { cloudInit } = request;
  for (const [index, { text }] of cloudInit.entries()) {
    writeFileSync(join(staging.oem, customFileName(index, cloudInit.length)), text, { mode: 0o600 });
  }
}

function writeFirstBoot(state: BuildDiskState): void {
  const { request, staging } = state;
  const { labels, deployCommand, stateFilesystem = 'xfs' } = request;
  const { root } = had(state.system, 'system');
  const menu = firstBootMenu(readFileSync(root.resolve(GRUB_MENU), 'utf8'), labels);
  writeFileSync(join(staging.recovery, 'grub2/grub.cfg'), menu);
  writeGrubEnvironment(join(staging.recovery, 'grub_oem_env'), FIRST_BOOT_VARIABLES);
  writeGrubEnvironment(join(staging.oem, 'grubenv'), FIRST_BOOT_OEM_VARIABLES);
  const sizes = firstBootSizes(had(state.layout, 'layout'), had(state.layoutRequest, 'layout'));
  const text = firstBootStageFile({ labels, sizes, stateFilesystem, deployCommand });
  writeFileSync(join(staging.oem, FIRST_BOOT_FILE), text, { mode: 0o600 });
}

function readBiosBoot(root: Root): BuildDiskState['biosBoot'] {
  if (![GRUB_BIOS_CORE, GRUB_BIOS_BOOT_SECTOR].every((path) => root.stat(path)?.isFile())) return undefined;
  return {
    bootImage: readFileSync(root.resolve(GRUB_BIOS_BOOT_SECTOR)),
    coreImage: readFileSync(root.resolve(GRUB_BIOS_CORE)),
  };
}

/** state.yaml, on both partitions that carry it. */
function writeRecords(state: BuildDiskState): void {
  const { request, staging } = state;
  const { image, recovery, labels, expandable } = request;
  const now = new Date(had(state.system, 'system').timeSeconds * 1000).toISOString();
  const options = { now, fromAction: 'build-disk' as const };
  const slots: InstallationState = {};
  if (!expandable) {
    slots.active = newDeployment({ image, built: state.built }, options);
    slots.passive = slots.active;
  }
  slots.recovery =
    recovery?.kind === 'file'
      ? fileRecord(recovery, options)
      : newDeployment(
          { image: recovery?.kind === 'image' ? recovery.image : image, built: state.recoveryBuilt },
          options,
        );
  for (const deployment of Object.values(slots)) deployment.source = withoutDirectory(deployment.source);
  const text = formatState(slots, now, labels);
  for (const directory of expandable ? [staging.recovery] : [staging.recovery, staging.state]) {
    writeFileSync(join(directory, 'state.yaml'), text);
  }
}

/**
 * The name of an image without the directory that it lay in where the disk was built: that is no machine's business, and the
 * disk shall not depend on it. `oci-layout:/home/me/images:v1` is `oci-layout:v1` then.
 */
export function withoutDirectory(source: string): string {
  const [, kind = '', name = ''] =
    /^(oci-layout|oci-archive|docker-archive|dir|file):(?:.*\/)?([^/]*)$/.exec(source) ?? [];
  if (kind === '') return source;
  return kind === 'oci-layout' || kind.endsWith('-archive')
    ? `${kind}:${name.replace(/^[^:@]*:?/, '')}`
    : `${kind}:${name}`;
}

function fileRecord(
  { source, type }: { source: string; type: 'squashfs' | 'image' },
  { now, fromAction }: { now: string; fromAction: 'build-disk' },
): Deployment {
  const fs = type === 'squashfs' ? { fs: 'squashfs' } : {};
  return { source, layers: [], uuid: '', date: now, fromAction, verified: 'not verified (local file)', ...fs };
}

/** Whatever a builder's umask is. Stage files may hold secrets. */
function settleModes({ staging }: Pick<BuildDiskState, 'staging'>): void {
  for (const role of ['oem', 'recovery', 'state'] as const) {
    for (const { path, name, stats } of walkFiles(staging[role], { withTop: true })) {
      const isSecret = role === 'oem' && name.endsWith('.yaml');
      chmodSync(path, stats.isDirectory() ? 0o755 : isSecret ? 0o600 : 0o644);
    }
  }
}
