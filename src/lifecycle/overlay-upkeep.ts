// What an upgrade does around carrying an overlay: a blank one where nothing is carried, the note for the shutdown, and
// the removal of what belongs to systems that are long gone, of which each file gets a line.

import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeBinding } from '../overlay/binding.ts';
import { createBlankCow } from '../overlay/cow-create.ts';
import { readFingerprint, sizeOfBase } from '../overlay/fingerprint.ts';
import { cowFile, sidecarFile } from '../overlay/names.ts';
import { freeBytes, probeFilesystem } from '../system/filesystems.ts';
import type { ApplyContext, Performers } from '../system/plan.ts';
import { run } from '../system/process.ts';
import { packagesKey, writeSeen } from './carry-engine.ts';
import type { CarryState } from './carry-overlay.ts';
import { asBytes } from './carry-trees.ts';
import { basesInSlots, collectSet } from './collect-set.ts';
import { transitionOf } from './fill-slot.ts';
import type { FoundOverlay } from './find-overlay.ts';
import type { OverlayUpkeep } from './overlay-actions.ts';
import { bootId, writePendingCarry } from './pending-carry.ts';
import { cowSize } from './seal-view.ts';
import { asWarning } from './session.ts';
import { formatBytes } from './sizes.ts';

/** What the shutdown needs of an upgrade; gone with the boot, as it shall be. */
export const CARRY_DIRECTORY = '/run/holdfast/carry';
export const SEEN_FILE = join(CARRY_DIRECTORY, 'seen');
export const PACKAGES_FILE = join(CARRY_DIRECTORY, 'packages.json');
export const TAKES_FILE = join(CARRY_DIRECTORY, 'takes.json');
/** Its stop carries the rest (os/usr/lib/systemd/system). */
const FINALISER = 'holdfast-overlay-finalise';

export interface UpkeepState extends CarryState {
  /** The overlay of this machine, whether or not its changes are carried. */
  foundOverlay?: FoundOverlay | undefined;
}

export const upkeepPerformers: Performers<OverlayUpkeep, UpkeepState> = {
  'blank-overlay': (_, context, state) =>
    // The machine boots without it as well; its owner finds the line.
    asWarning(context, async () => {
      const set = state.foundOverlay?.set;
      if (set === undefined) return;
      const base = transitionOf(state);
      const fingerprint = readFingerprint(base);
      const size = cowSize(sizeOfBase(base), 0, freeBytes(dirname(set)));
      if (size === undefined) {
        context.warn(`there is no room for a blank overlay beside ${set}: the new system boots without one`);
        return;
      }
      const file = cowFile(set, fingerprint);
      state.keepOverlay = context.undo.onFailure(`remove ${file}`, () => {
        for (const each of [file, sidecarFile(file)]) rmSync(each, { force: true });
      });
      await createBlankCow(file, size, { signal: context.signal, progress: asBytes(context) });
      writeBinding(sidecarFile(file), {
        fingerprint,
        baseSizeBytes: sizeOfBase(base),
        created: state.session.now,
        state: 'ready',
        filesystem: (await probeFilesystem(base)).type ?? 'ext4',
      });
      const text = `the new system begins with a blank overlay of ${formatBytes(size)}: ${file}`;
      context.events({ type: 'notice', level: 'info', text });
    }),

  'note-overlay': async (_, context, state) => {
    const { carry, overlay, session, stateDirectory } = state;
    if (carry?.sealed === undefined || carry.done === undefined || overlay === undefined) return;
    mkdirSync(CARRY_DIRECTORY, { recursive: true, mode: 0o700 });
    writeSeen(carry.changes, SEEN_FILE);
    writeFileSync(PACKAGES_FILE, packagesKey(carry.plan), { mode: 0o600 });
    writeFileSync(TAKES_FILE, JSON.stringify(carry.plan.takes), { mode: 0o600 });
    const { device, path, from } = overlay;
    writePendingCarry(stateDirectory, {
      device,
      path,
      from,
      to: readFingerprint(transitionOf(state)),
      bootId: bootId(),
      date: session.now,
      conflicts: carry.conflicts,
      state: 'open',
    });
    await startFinaliser(context);
  },

  'collect-overlays': (_, context, state) =>
    asWarning(context, () => {
      const { foundOverlay, stateDirectory, installation } = state;
      // After the switch nothing takes the new overlay away any more.
      if (foundOverlay?.set === undefined) return;
      const bases = basesInSlots(stateDirectory, installation.recoveryDirectory);
      for (const text of collectSet(foundOverlay.set, bases, Date.now())) {
        context.events({ type: 'notice', level: 'info', text });
      }
    }),
};

/** Systemd stops units in the order of their dependencies, so one that is started now is stopped where it belongs. */
async function startFinaliser({ events }: ApplyContext): Promise<void> {
  const later = 'after the reboot, holdfast overlay rebase carries it';
  const manager = MANAGERS.find(({ sign }) => existsSync(sign));
  if (manager === undefined) {
    const text = `nothing on this machine carries what changes in the overlay until the reboot; ${later}`;
    events({ type: 'notice', level: 'warning', text });
    return;
  }
  const started = await run(manager.start);
  if (started.status === 0) return;
  const text = `what changes in the overlay until the reboot is not carried, since ${FINALISER} did not start (${started.stderr.trim()}); ${later}`;
  events({ type: 'notice', level: 'warning', text });
}

const MANAGERS: readonly { sign: string; start: readonly [string, ...string[]] }[] = [
  { sign: '/run/systemd/system', start: ['systemctl', 'start', `${FINALISER}.service`] },
  { sign: '/run/openrc/softlevel', start: ['rc-service', FINALISER, 'start'] },
];
