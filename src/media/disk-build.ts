// Builds a disk image: the system is unpacked, its slots, file systems and table are made in files, none of them mounted, and
// the result is what any other builder would get from the same image and options.

import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { installBiosBoot } from '../boot/bios-boot.ts';
import { runHook } from '../lifecycle/hooks.ts';
import { furnishTarget, makeSkeleton } from '../lifecycle/target.ts';
import { BIOS_PARTITION, sfdiskScript } from '../slots/partitions.ts';
import { RESERVE_BYTES, requireSpace } from '../slots/slot-file.ts';
import { type EventSink, silent } from '../system/events.ts';
import { apply, type Performers, type Plan, UndoStack } from '../system/plan.ts';
import { runChecked } from '../system/process.ts';
import { Root } from '../system/root.ts';
import { requireTools } from '../system/tools.ts';
import { convertDisk } from './disk-convert.ts';
import { EXT4_TOOLS, makeExt4 } from './disk-ext4.ts';
import { filesPerformers, writeStageFiles } from './disk-files.ts';
import { FORMAT_FACTS } from './disk-formats.ts';
import { type DiskLayout, describeLayout, layOutDisk, partitionOf } from './disk-layout.ts';
import { type BuildDiskAction, type BuildDiskFacts, type BuildDiskRequest, planDisk } from './disk-plan.ts';
import { fileBytes, slotPerformers, slotSizes } from './disk-slots.ts';
import { type BuildDiskState, had, makeStaging } from './disk-state.ts';
import { FAT_TOOLS, makeFatImage } from './fat-image.ts';
import { fatSerial, mediumUuid } from './identity.ts';
import { inspectOutput, type Published, publishFile, temporaryOutput } from './publish.ts';
import { clampTimes } from './source-time.ts';
import { openSystemTree, treeBytes } from './system-tree.ts';
import { openWorkPlace } from './work-place.ts';

export interface BuildDiskOptions {
  events?: EventSink;
  signal?: AbortSignal;
  dryRun?: boolean;
}

export interface BuildDiskResult {
  outcome: 'ok' | 'ok-with-warnings' | 'planned';
  plan: Plan<BuildDiskAction>;
  facts: BuildDiskFacts;
  warnings: readonly string[];
  durationMs: number;
  /** Undefined when nothing was done. */
  made: { published: Published; layout: DiskLayout; system: string; timeBasis: string; bios: boolean } | undefined;
}

/**
 * @throws HoldfastError; until the very end nothing has the output's name.
 */
export async function buildDisk(request: BuildDiskRequest, options: BuildDiskOptions = {}): Promise<BuildDiskResult> {
  const events = options.events ?? silent;
  const signal = options.signal ?? new AbortController().signal;
  const facts = await inspectDisk(request, signal);
  const plan = planDisk(request, facts);
  requireTools(['sfdisk', 'dd', 'cp', ...EXT4_TOOLS, ...FAT_TOOLS, ...FORMAT_FACTS[request.format].tools]);
  requireSpace(dirname(facts.output), facts.outputBytes, facts.output);
  if (options.dryRun) return { outcome: 'planned', plan, facts, warnings: [], durationMs: 0, made: undefined };
  const setup = new UndoStack();
  try {
    const workPlace = openWorkPlace(setup, {
      near: facts.output,
      needBytes: facts.workBytes,
      purpose: 'the unpacked system and what is made of it',
      environment: request.environment,
    });
    // A name of ours: debugfs reads more than names into some.
    const temporary = temporaryOutput(setup, join(dirname(facts.output), 'holdfast-disk'));
    const state: BuildDiskState = { request, facts, workPlace, temporary, staging: makeStaging(workPlace) };
    const { warnings, durationMs } = await apply(plan, performers, { state, events, signal });
    const layout = had(state.layout, 'layout');
    const { time } = had(state.system, 'system');
    return {
      outcome: warnings.length > 0 ? 'ok-with-warnings' : 'ok',
      plan,
      facts,
      warnings,
      durationMs,
      made: {
        published: had(state.published, 'output'),
        layout,
        system: (state.built ?? state.recoveryBuilt)?.prettyName ?? '',
        timeBasis: `${new Date(time.seconds * 1000).toISOString()} (${time.basis})`,
        bios: layout.bios,
      },
    };
  } finally {
    for (const text of await setup.unwind(false)) {
      events({ type: 'notice', level: 'warning', text: `cleaning up: ${text}` });
    }
  }
}

/** Looks at what a disk will be made from and where it goes; nothing of the image's content is read. */
export async function inspectDisk(request: BuildDiskRequest, signal: AbortSignal): Promise<BuildDiskFacts> {
  const { image, recovery, expandable, format, force } = request;
  const output = inspectOutput(request.output, { force });
  const system = await treeBytes(image, signal);
  const other = recovery?.kind === 'image' ? await treeBytes(recovery.image, signal) : 0;
  const recoveryBytes = recovery === undefined ? system : recovery.kind === 'file' ? recovery.sizeBytes : other;
  // A system is there as a tree, as slot files beside it, and on the disk; on a whole disk active and passive are one file.
  const slots = recoveryBytes + (expandable ? 0 : system);
  const copies = format === 'raw' ? 0 : 1;
  return {
    output,
    image: { source: image.source, digest: image.digest },
    treeBytes: system,
    recoveryTreeBytes: other,
    workBytes: system + other + slots * (1 + copies) + RESERVE_BYTES,
    outputBytes: slots + RESERVE_BYTES,
  };
}

const performers: Performers<BuildDiskAction, BuildDiskState> = {
  ...slotPerformers,
  ...filesPerformers,

  'open-system': async (_, context, state) => {
    const { request, workPlace } = state;
    const { image, overlays, environment } = request;
    const system = await openSystemTree(context, { image, overlays, workPlace, environment });
    makeSkeleton(system.root);
    clampTimes(system.directory, system.timeSeconds);
    state.system = system;
    writeStageFiles(state);
  },

  'open-recovery': async (_, context, state) => {
    const { request, workPlace } = state;
    if (request.recovery?.kind !== 'image') return;
    const { image } = request.recovery;
    const { time } = had(state.system, 'system');
    const tree = await openSystemTree(context, { image, overlays: [], workPlace, name: 'recovery-system', time });
    makeSkeleton(tree.root);
    clampTimes(tree.directory, time.seconds);
    state.recoverySystem = tree;
  },

  'run-hook': async ({ hook, where }, context, state) => {
    const { strictness, hookSources } = state.request;
    const extra = { sources: hookSources ?? [], problems: [] };
    if (where === 'host') {
      await runHook(context, hook, new Root('/'), { strictness, extra });
      return;
    }
    const { root, directory, timeSeconds } = had(state.system, 'system');
    if (!mentions(hook, root, state)) return;
    const unfurnish = await furnishTarget(context, root, { oem: state.staging.oem });
    await runHook(context, hook, root, { strictness, extra });
    await unfurnish();
    clampTimes(directory, timeSeconds);
  },

  'lay-out': async (_, { signal, events }, state) => {
    const { request } = state;
    const { expandable, labels, sizesMib, format, recovery, stateFilesystem } = request;
    const system = had(state.system, 'system');
    const { roomyBytes, tightBytes } = await slotSizes(system, signal);
    const other = state.recoverySystem && (await slotSizes(state.recoverySystem, signal));
    const recoveryBytes =
      recovery?.kind === 'file'
        ? fileBytes(recovery.file)
        : (other?.tightBytes ?? (expandable ? tightBytes : roomyBytes));
    const bios = request.firmware !== 'efi' && hasBios(system.root);
    state.layoutRequest = {
      expandable,
      slotBytes: roomyBytes,
      recoveryBytes,
      bios,
      wishes: { labels: labels.partitions, sizesMib, filesystems: { state: stateFilesystem ?? 'ext4' } },
      sizeBytes: request.sizeBytes,
      stepBytes: FORMAT_FACTS[format].stepBytes,
      identity: { seed: [system.seed, state.recoverySystem?.seed ?? ''].join(' '), options: identityOptions(request) },
    };
    state.layout = layOutDisk(state.layoutRequest);
    events({ type: 'notice', level: 'info', text: describeLayout(state.layout) });
  },

  'make-disk': async (_, context, state) => {
    const { request, workPlace, temporary, staging } = state;
    const layout = had(state.layout, 'layout');
    const { timeSeconds, directory } = had(state.system, 'system');
    const { identity } = had(state.layoutRequest, 'layout');
    // Its slots are made; what they need on the disk is as much again.
    for (const tree of [directory, state.recoverySystem?.directory]) {
      if (tree !== undefined) rmSync(tree, { recursive: true, force: true });
    }
    const disk = request.format === 'raw' ? temporary : join(workPlace, 'disk.raw');
    writeFileSync(disk, '', { flag: 'wx' });
    truncateSync(disk, layout.sizeBytes);
    state.disk = disk;
    const { partitions, bios, ids } = layout;
    await runChecked(['sfdisk', '--no-reread', '--no-tell-kernel', disk], {
      input: sfdiskScript(partitions, { bios, ids }),
      signal: context.signal,
    });
    const efi = partitionOf(layout, 'efi');
    const espFile = join(workPlace, 'esp.fat');
    await makeFatImage(context, {
      directory: staging.esp,
      file: espFile,
      label: efi.label,
      serial: fatSerial({ ...identity, purpose: 'esp' }),
      timeSeconds,
      sizeBytes: efi.sizeBytes,
    });
    const seek = `seek=${efi.startBytes / (1 << 20)}`;
    await runChecked(['dd', `if=${espFile}`, `of=${disk}`, 'bs=1M', seek, 'conv=notrunc,sparse', 'status=none']);
    for (const { role, label, uuid, startBytes, sizeBytes } of partitions) {
      if (role === 'efi') continue;
      const content = role === 'persistent' ? {} : { directory: staging[role] };
      const place = { file: disk, offsetBytes: startBytes, sizeBytes };
      await makeExt4(context, {
        ...place,
        ...content,
        label,
        uuid,
        timeSeconds,
        kind: 'partition',
        fileTimes: 'medium',
      });
    }
    if (bios && state.biosBoot !== undefined) installBiosBoot({ disk, ...state.biosBoot, partition: BIOS_PARTITION });
    flush(disk);
  },

  convert: async (_, context, state) => {
    const { request, workPlace, temporary, facts } = state;
    if (request.format === 'raw') return;
    const { identity } = had(state.layoutRequest, 'layout');
    const { timeSeconds } = had(state.system, 'system');
    const conversion = join(workPlace, 'conversion');
    mkdirSync(conversion);
    await convertDisk(context, {
      raw: had(state.disk, 'disk'),
      format: request.format,
      to: temporary,
      finalName: facts.output,
      workPlace: conversion,
      timeSeconds,
      uuid: mediumUuid({ ...identity, purpose: request.format }),
    });
  },

  publish: async (_, context, state) => {
    state.published = await publishFile(context, state.temporary, state.facts.output);
  },
};

/** What makes two disks of one image different disks. Where they are written to, and in which form, does not. */
function identityOptions(request: BuildDiskRequest): Record<string, unknown> {
  const { expandable, cloudInit, deployCommand, stateFilesystem, labels, sizesMib, sizeBytes, firmware } = request;
  return { expandable, cloudInit, deployCommand, stateFilesystem, labels, sizesMib, sizeBytes, firmware };
}

/** Whether any stage file that a hook in the system would read has it: without one nothing need be mounted for it. */
function mentions(hook: string, root: Root, { request, staging }: BuildDiskState): boolean {
  if (request.hookSources !== undefined && request.hookSources.length > 0) return true;
  const inSystem = ['/system/oem', '/oem', '/usr/local/cloud-config'].flatMap((directory) =>
    root.stat(directory)?.isDirectory() ? root.list(directory).map((name) => `${directory}/${name}`) : [],
  );
  const has = (text: string | undefined) => text?.includes(hook) === true;
  return (
    inSystem.some((path) => root.stat(path)?.isFile() === true && has(root.readTextIfThere(path))) ||
    readdirSync(staging.oem).some((name) => has(readFileSync(join(staging.oem, name), 'utf8')))
  );
}

function hasBios(root: Root): boolean {
  return root.stat('/usr/lib/holdfast/grub/i386-pc/core.img')?.isFile() === true;
}

function flush(file: string): void {
  const fd = openSync(file, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
