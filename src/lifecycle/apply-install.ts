// Carries out an install's plan: the disk (install-partitions.ts), the slots (build-slot.ts), the boot loader and the
// records. Firmware finds the system only when all else is on the disk; the mark of an unfinished install goes last.

import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { installBiosBoot } from '../boot/bios-boot.ts';
import { addBootEntry } from '../boot/boot-entry.ts';
import { fillEsp } from '../boot/fill-esp.ts';
import { writeGrubEnvironment } from '../boot/grub-environment.ts';
import { GRUB_BIOS_BOOT_SECTOR, GRUB_BIOS_CORE } from '../boot/grub-files.ts';
import { installGrub } from '../boot/install-grub.ts';
import { refreshEsp } from '../boot/refresh-esp.ts';
import type { Tally } from '../image/tally.ts';
import { ActionRecord } from '../record/action-record.ts';
import { announcePartitions, readPartitions } from '../slots/disk.ts';
import { clearInstallMark, hasInstallMark } from '../slots/install-mark.ts';
import { DEFAULT_LABELS, type PartitionRole, SLOT_FILES } from '../slots/names.ts';
import { BIOS_PARTITION } from '../slots/partitions.ts';
import { labelSlotFile } from '../slots/slot-file.ts';
import { activateTransition, copyActiveToPassive } from '../slots/swap.ts';
import { freezeAndThaw, fsyncPath, writeFileDurably } from '../system/durable.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { type EventSink, silent } from '../system/events.ts';
import { lockUntilEnd } from '../system/lock.ts';
import { apply, type Performers, type Plan, UndoStack } from '../system/plan.ts';
import { removeWorkDirectory } from '../system/work-directory.ts';
import { prepareAssessment } from './assessment.ts';
import { buildSlotPerformers } from './build-slot.ts';
import { grubLabels } from './grub-labels.ts';
import { inspectInstall, inspectUnpacked } from './inspect-install.ts';
import { type InstallAction, type InstallFacts, type InstallRequest, planInstall, UNATTENDED_MARK } from './install.ts';
import { diskPerformers, showPartitions } from './install-partitions.ts';
import { recoveryPerformers, writeInstallRecords } from './install-recovery.ts';
import { makeWorkDirectory, removeInstallRemains } from './install-remains.ts';
import type { InstallState } from './install-state.ts';
import { keepPackageLock } from './keep-packages.ts';
import { asWarning } from './session.ts';
import { recordInstall } from './session-record.ts';
import { takeTrustAlong } from './take-trust-along.ts';
import { openSlotFile } from './target.ts';

export interface InstallOptions {
  events?: EventSink;
  signal?: AbortSignal;
  dryRun?: boolean;
  command: string;
  /** RFC 3339 time for the records. */
  now: string;
  /** Called before each action; crash tests throw from here. */
  beforeAction?: (index: number) => Promise<void> | void;
}

export interface InstallResult {
  outcome: 'ok' | 'ok-with-warnings' | 'planned';
  plan: Plan<InstallAction>;
  facts: InstallFacts;
  /** How the disk boots, beside UEFI, and what was put into the slot; undefined when nothing was done. */
  made: { boots: InstallFacts['boots']; content: Tally } | undefined;
  warnings: readonly string[];
  durationMs: number;
  prettyName: string | undefined;
}

/**
 * Installs an image on a disk. When it returns everything is on the disk and unmounted.
 * @throws HoldfastError; when it comes from the inspection or the plan, the disk was not touched.
 */
export async function install(request: InstallRequest, options: InstallOptions): Promise<InstallResult> {
  const events = options.events ?? silent;
  const signal = options.signal ?? new AbortController().signal;
  const setup = new UndoStack();
  const workDirectory = `/run/holdfast/install-${process.pid}`;
  setup.always(`remove ${workDirectory}`, () => removeWorkDirectory(workDirectory));
  try {
    await lockUntilEnd(setup, '/run/holdfast/install.lock', options.command);
    for (const text of await removeInstallRemains()) events({ type: 'notice', level: 'warning', text });
    makeWorkDirectory(workDirectory, request.target);
    const inspect = (exact: boolean) =>
      inspectInstall(request, {
        workDirectory,
        signal,
        onProgress: (progress) => events({ type: 'action-progress', index: -1, ...progress }),
        exact,
      });
    const decideExactly = async (): Promise<Decided> => {
      const text = 'The image may be larger than what there is room for: it is read once to know';
      events({ type: 'notice', level: 'info', text });
      const facts = await inspect(true);
      return { facts, plan: planInstall(request, facts) };
    };
    const decide = async (): Promise<Decided> => {
      const facts = await inspect(false);
      try {
        return { facts, plan: planInstall(request, facts) };
      } catch (error) {
        if (!mayBeWrongGuess(error, facts)) throw error;
        return decideExactly();
      }
    };
    let decided: Decided = await decide();
    if (options.dryRun) {
      return { ...decided, outcome: 'planned', warnings: [], durationMs: 0, prettyName: undefined, made: undefined };
    }

    const { beforeAction } = options;
    const carryOut = async ({ facts, plan }: Decided) => {
      const { command, now } = options;
      const record = new ActionRecord('install', { command });
      const state = newState(request, facts, { workDirectory, now, command, record });
      const told: EventSink = (event) => {
        record.observe(event);
        events(event);
      };
      return {
        state,
        ...(await apply(plan, performers, { state, events: told, signal, ...(beforeAction && { beforeAction }) })),
      };
    };
    const { state, ...result } = await carryOut(decided).catch(async (error: unknown) => {
      // The partitions were made for an image that turned out larger: there was nothing on the disk before.
      if (!mayBeWrongGuess(error, decided.facts)) throw error;
      decided = await decideExactly();
      return carryOut(decided);
    });
    return {
      ...decided,
      made: { boots: state.boots, content: state.unpacked ?? decided.facts.measured },
      outcome: result.warnings.length === 0 ? 'ok' : 'ok-with-warnings',
      warnings: result.warnings,
      durationMs: result.durationMs,
      prettyName: state.built?.prettyName,
    };
  } finally {
    const failed = await setup.unwind(true);
    for (const text of failed) events({ type: 'notice', level: 'warning', text: `cleaning up: ${text}` });
  }
}

interface Decided {
  facts: InstallFacts;
  plan: Plan<InstallAction>;
}

/** Whether something lacks room only because nobody knew how large the image is. */
function mayBeWrongGuess(error: unknown, { measured, recoveryMeasured }: InstallFacts): boolean {
  if (measured.exact && recoveryMeasured?.exact !== false) return false;
  return error instanceof HoldfastError && (error.code === 'HF-NO-SPACE' || error.code === 'HF-TARGET');
}

function newState(
  request: InstallRequest,
  facts: InstallFacts,
  {
    workDirectory,
    now,
    command,
    record,
  }: { workDirectory: string; now: string; command: string; record: ActionRecord },
): InstallState {
  const directory = (role: PartitionRole) => join(workDirectory, role);
  const directories = {
    efi: directory('efi'),
    oem: directory('oem'),
    recovery: directory('recovery'),
    state: directory('state'),
    persistent: directory('persistent'),
  };
  const owner = { oem: directories.oem, persistent: directories.persistent };
  const places = { stateDirectory: directories.state, workDirectory, owner, directories };
  const hookSources = request.hookSources && { sources: request.hookSources, problems: [] };
  const state: InstallState = {
    ...{ request, image: request.image, facts, now, ...places, hookSources, open: [] },
    session: { name: 'install', command, now, record },
    record,
    boots: facts.boots,
    inspectUnpacked: (root) => {
      state.boots ??= inspectUnpacked(root);
    },
  };
  return state;
}

const performers: Performers<InstallAction, InstallState> = {
  ...buildSlotPerformers,
  ...diskPerformers,
  ...recoveryPerformers,

  'run-hook': async (action, context, state) => {
    const hide = action.where === 'host' && state.open.length > 0 ? await showPartitions(context, state) : undefined;
    await buildSlotPerformers['run-hook'](action, context, state);
    await hide?.();
  },

  'write-cloud-init': ({ files, unattendedMark }, _, { directories }) => {
    if (unattendedMark !== undefined) {
      writeFileDurably(join(directories.state, UNATTENDED_MARK), `${unattendedMark}\n`, { mode: 0o600 });
    }
    for (const [index, { text }] of files.entries()) {
      const name = files.length === 1 ? '99_custom.yaml' : `${90 + index}_custom.yaml`;
      // Secrets may be inside.
      writeFileDurably(join(directories.oem, name), text, { mode: 0o600 });
    }
  },

  'make-slots': async (_, __, { stateDirectory, request: { labels = DEFAULT_LABELS } }) => {
    await activateTransition(stateDirectory, { keepRunning: false });
    await copyActiveToPassive(stateDirectory);
    const passive = labels.slots.passive;
    if (passive !== DEFAULT_LABELS.slots.passive)
      await labelSlotFile(join(stateDirectory, SLOT_FILES.passive), passive);
  },

  'install-grub': async (_, { undo }, state) => {
    const { stateDirectory, directories, built, request } = state;
    const { labels = DEFAULT_LABELS, menuEntry, tty } = request;
    if (built === undefined) throw new HoldfastError('HF-GRUB', 'there is no system to boot');
    const { root, close } = await openSlotFile(
      undo,
      join(stateDirectory, SLOT_FILES.active),
      join(state.workDirectory, 'target'),
      { readOnly: true },
    );
    mkdirSync(directories.efi, { recursive: true });
    installGrub({
      image: root,
      espDirectory: directories.efi,
      stateDirectory,
      oemDirectory: directories.oem,
      labels: grubLabels(labels),
      menuEntry: menuEntry ?? built.menuEntry,
    });
    await prepareAssessment(stateDirectory);
    if (tty !== undefined) {
      // In the tool's block: the administrator's, on COS_OEM, is read after it and counts more.
      writeGrubEnvironment(join(stateDirectory, 'grub_oem_env'), { extra_cmdline: `console=${tty}` });
    }
    const bios = state.boots?.bios === true && request.firmware !== 'efi';
    if (bios) {
      const read = (path: string) => readFileSync(root.resolve(path));
      state.biosBoot = { bootImage: read(GRUB_BIOS_BOOT_SECTOR), coreImage: read(GRUB_BIOS_CORE) };
    }
    await close();
  },

  'write-records': async (_, context, state) => {
    await writeInstallRecords(state);
    await asWarning(context, () => keepPackageLock(context, state));
    const { request, directories } = state;
    await takeTrustAlong(context, {
      from: request.trustDirectory,
      oemDirectory: directories.oem,
      provenance: request.image.provenance,
    });
  },

  'close-disk': async (_, { warn }, { open, directories, facts, record }) => {
    recordInstall(record, directories.state, warn);
    await freezeAndThaw(directories.state);
    for (const { role, close } of open.toReversed()) if (role !== 'efi') await close();
    fsyncPath(facts.disk.path);
  },

  'write-esp': async (_, __, { open, espDevice, directories, request }) => {
    if (espDevice === undefined) throw new HoldfastError('HF-GRUB', 'there is no partition for firmware');
    // A partition that is kept may hold what starts this machine: there each file is replaced as a whole.
    if (request.partitioning?.kind === 'keep') await refreshEsp(directories.efi, { device: espDevice });
    else await fillEsp(directories.efi, espDevice);
    for (const { close } of open.toReversed()) await close();
  },

  'finish-disk': async (_, context, { facts: { disk } }) => {
    // Of partitions that were kept there is none.
    if (hasInstallMark(disk)) clearInstallMark(disk);
    const { warning } = await announcePartitions(disk);
    if (warning !== undefined) context.warn(warning);
  },

  'install-bios-boot': (_, __, { biosBoot, boots, facts }) => {
    if (boots?.bios === false) return;
    if (biosBoot === undefined) throw new HoldfastError('HF-GRUB', 'there is no GRUB for BIOS');
    installBiosBoot({ disk: facts.disk.path, ...biosBoot, partition: BIOS_PARTITION });
  },

  'add-boot-entry': async (_, { warn }, { facts, built, request: { labels = DEFAULT_LABELS } }) => {
    // The disk boots without it, so whatever fails is no reason to call the install a failure.
    try {
      const now = await readPartitions(facts.disk);
      const esp = now.find(({ label }) => label === labels.partitions.efi);
      if (esp === undefined) throw new HoldfastError('HF-TARGET', `${facts.disk.path} has no partition for firmware`);
      await addBootEntry({
        disk: facts.disk.path,
        partitionNumber: esp.number,
        label: built?.menuEntry ?? 'Holdfast',
        partitions: [esp, ...facts.found].flatMap(({ partitionUuid }) => partitionUuid ?? []),
      });
    } catch (error) {
      warn(`the firmware got no boot entry: ${messageOf(error)}; choose the disk in its boot menu`);
    }
  },
};
