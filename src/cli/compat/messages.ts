// What the originals say at each point of an action, since scripts and test suites wait for these words: from the plan
// and the place in it to sentences. Pure. An action without words of theirs is told in ours.

import { SLOT_LABELS } from '../../slots/names.ts';
import type { ActionSummary } from '../../system/events.ts';
import type { Voice } from './translation.ts';

export interface Sayings {
  before: readonly string[];
  after: readonly string[];
}

const NOTHING: Sayings = { before: [], after: [] };

/** Before the first action. */
export function openingOf({ action, tool, source, force }: Voice, plan: readonly ActionSummary[]): string[] {
  const activates = plan.some(({ kind, label }) => kind === 'activate' || label === SLOT_LABELS.active);
  const recovers = plan.some(({ kind, label }) => kind === 'activate-recovery' || label === SLOT_LABELS.recovery);
  const shell = tool === 'shell';
  switch (action) {
    case 'install':
      return [...(shell && force ? ['Forcing overwrite'] : []), ...(shell ? ['Deploying system..'] : [])];
    case 'deploy':
      return [...(shell && force ? ['Forcing overwrite'] : []), 'Deploying system..'];
    case 'upgrade':
    case 'upgrade-recovery': {
      if (action === 'upgrade-recovery' || (recovers && !activates)) {
        return ['Upgrading recovery partition', ...(shell ? ['-> Upgrade target: recovery.img'] : [])];
      }
      return [
        'Upgrading active partition',
        ...(shell ? ['Upgrading system', '-> Upgrade target: active.img', ...sourceWords(source)] : []),
        ...(recovers ? ['Upgrading recovery partition'] : []),
      ];
    }
    case 'reset':
      return ['Resetting the system', 'Installing the active system anew'];
    case 'other':
      return [];
  }
}

function sourceWords(source: string | undefined): string[] {
  const [, kind, value] = /^(docker|oci|dir|file):(?:\/\/)?(.*)$/.exec(source ?? '') ?? [];
  if (value === undefined) return [];
  if (kind === 'dir') return [`Upgrading from local folder: ${value}`];
  return kind === 'file' ? [`Upgrading to image ${value}`] : [`Upgrading from container image: ${value}`];
}

/** Around one action of the plan. */
export function sayingsOf(voice: Voice, plan: readonly ActionSummary[], index: number): Sayings {
  const action = plan[index];
  if (action === undefined) return NOTHING;
  const shell = voice.tool === 'shell';
  const copying = (label: string, ...first: readonly (string | undefined)[]): Sayings => ({
    before: [...first.filter((text) => text !== undefined), `Copying ${label} image...`],
    after: [`Finished copying ${label}...`],
  });
  switch (action.kind) {
    case 'run-hook':
      return { before: [`Running ${action.hook ?? 'the'} hook`], after: [] };
    case 'partition':
    case 'run-layout':
      return { before: ['Partitioning device...'], after: [] };
    case 'adopt-partitions':
      return { before: [action.summary], after: ['Mounting disk partitions'] };
    case 'format':
      return {
        before: shell ? ['Formatting drives..'] : [action.summary],
        after: ['Mounting disk partitions', ...(shell ? ['Mounting critical endpoints..'] : [])],
      };
    case 'apply-delta':
      // What is unpacked on top is told with it.
      if (plan.some(({ kind }) => kind === 'unpack')) return { before: [action.summary], after: [] };
      return copying(labelBuilt(plan, index));
    case 'unpack':
      return copying(labelBuilt(plan, index));
    case 'copy-recovery-system':
      return copying(SLOT_LABELS.active);
    case 'format-state':
      return { before: shell ? ['Formatting drives..', action.summary] : [action.summary], after: [] };
    case 'make-slots':
    case 'active-to-passive':
      return copying(SLOT_LABELS.passive, shell ? 'Preparing passive boot..' : undefined);
    case 'build-recovery':
    case 'copy-recovery':
    case 'copy-to-recovery':
      return copying(
        SLOT_LABELS.recovery,
        shell ? 'Preparing recovery..' : undefined,
        shell ? 'Copying image file..' : undefined,
      );
    case 'make-squashfs':
      return copying(
        SLOT_LABELS.recovery,
        shell ? 'Preparing recovery..' : undefined,
        shell ? 'Copying squashfs..' : undefined,
      );
    case 'install-grub':
      return { before: ['Installing GRUB..'], after: [] };
    case 'copy-to-passive':
      return { before: ['Backing up current active image'], after: [] };
    case 'activate':
    case 'activate-recovery': {
      const name = action.kind === 'activate' ? 'cOS/active.img' : 'cOS/recovery.img';
      return {
        before: [`Moving cOS/transition.img to ${name}`],
        after: [`Finished moving cOS/transition.img to ${name}`, ...(shell ? ['Flush changes to disk'] : [])],
      };
    }
    case 'close-disk':
      return { before: ['Unmounting disk partitions'], after: [] };
    default:
      return { before: [action.summary], after: [] };
  }
}

/** What is being built: the action that finishes it has its label. */
function labelBuilt(plan: readonly ActionSummary[], from: number): string {
  return plan.slice(from).find(({ label }) => label !== undefined)?.label ?? SLOT_LABELS.active;
}

/**
 * After the result.
 * @param warnings how many there are; an action with some is done, and says so.
 */
export function closingOf(voice: Voice, outcome: unknown, warnings: number): string[] {
  if (outcome === 'planned' || outcome === 'up-to-date') return [];
  const { action, tool, power } = voice;
  if (action === 'other') return [];
  const done = {
    install: 'Installation completed',
    deploy: 'Deployment completed',
    upgrade: 'Upgrade completed',
    'upgrade-recovery': 'Recovery upgrade completed',
    reset: 'Reset completed',
  }[action];
  const shell = {
    install: 'Installation done',
    deploy: 'Deployment done',
    upgrade: 'Upgrade done',
    'upgrade-recovery': 'Upgrade done',
    reset: 'Reset done',
  }[action];
  return [
    warnings === 0 ? done : `${done} with warnings (${warnings})`,
    ...(tool === 'shell' && !power ? [`${shell}, now you might want to reboot`] : []),
  ];
}

/** What the originals say beside one of our notices. */
export function noticeWords({ tool }: Voice, text: string): string[] {
  const [, count] = /^Rebooting in (\d+) seconds/.exec(text) ?? [];
  return tool === 'shell' && count !== undefined ? [` * Rebooting system in ${count} seconds (CTRL+C to cancel)`] : [];
}

/** The names of cOS 0.5.8. */
const MISSING: Readonly<Record<string, string>> = { COS_STATE: 'State', COS_PERSISTENT: 'Persistent' };

/** What the originals say of the same failure, beside our own words. */
export function failureWords(voice: Voice, code: string, message: string): string[] {
  const shell = voice.tool === 'shell';
  if (code === 'HF-ALREADY-INSTALLED') {
    const words = "there is already an active deployment in the system, use '--force' flag to overwrite it";
    return [...(message.includes(words) ? [] : [words]), ...(shell ? ['There is already an active deployment'] : [])];
  }
  if (/can only be called from the recovery system/.test(message) && shell) {
    return ['cos-reset can be run only from recovery'];
  }
  const [, label] = /^no partition with the label (\S+) was found/.exec(message) ?? [];
  if (label !== undefined && shell) return [`${MISSING[label] ?? label} partition cannot be found`];
  const [, device] = /^(\/\S+) does not exist$/.exec(message) ?? [];
  if (code === 'HF-TARGET' && device !== undefined && shell) {
    return [`You should use an available device. Device ${device} does not exist.`];
  }
  return [];
}
