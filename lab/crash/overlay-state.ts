// What one state of a disk holds of its root overlay: the COW that a boot would choose for each slot, put together with its
// base in user space, checked as a boot checks it, and looked into. What was written before the command may be missing
// nowhere; what was written meanwhile may be missing from the new system only as long as its owner is told.

import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readPendingCarry } from '../../src/lifecycle/pending-carry.ts';
import { chooseCow } from '../../src/overlay/choose.ts';
import { readFingerprint } from '../../src/overlay/fingerprint.ts';
import { writeFlatImage } from '../../src/overlay/flat-image.ts';
import { inspectSet } from '../../src/overlay/overlay-set.ts';
import { SLOT_FILES } from '../../src/slots/names.ts';
import { messageOf } from '../../src/system/errors.ts';
import { run, runChecked } from '../../src/system/process.ts';
import type { Finding } from './judge.ts';
import type { LinuxView } from './linux-view.ts';
import { OVERLAY_FILE, type Scenario } from './scenarios.ts';

export interface OverlayOptions {
  /** An own directory. */
  work: string;
  overlay: NonNullable<Scenario['overlay']>;
  /** The command has ended. */
  finished: boolean;
}

/** Looks at the overlay of both slots. */
export async function judgeOverlay(view: LinuxView, { work, overlay, finished }: OverlayOptions): Promise<Finding[]> {
  const directory = join(work, 'overlay');
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  try {
    const name = basename(OVERLAY_FILE);
    await view.lookLong('persistent', async (mounted) => {
      const files = readdirSync(mounted).filter((each) => each === name || each.startsWith(`${name}.`));
      for (const file of files) {
        await runChecked(['cp', '-a', '--sparse=always', join(mounted, file), directory]);
      }
    });
    const findings: Finding[] = [];
    await view.lookLong('state', async (state) => {
      const note = readPendingCarry(state);
      const active = readFingerprint(join(state, SLOT_FILES.active));
      const isTold = note?.to === active;
      for (const slot of ['active', 'passive'] as const) {
        const base = join(state, SLOT_FILES[slot]);
        const say = (detail: string) => findings.push({ kind: 'overlay', detail: `${slot}: ${detail}` });
        const found = await readView(join(directory, name), base, Object.keys({ ...overlay.kept, ...overlay.late }));
        if ('problem' in found) {
          say(found.problem);
          continue;
        }
        for (const [path, text] of Object.entries(overlay.kept)) {
          if (found.files[path] !== text) say(`${path} is ${JSON.stringify(found.files[path])}, not as it was written`);
        }
        for (const [path, text] of Object.entries(overlay.late ?? {})) {
          const content = found.files[path] ?? '';
          if (content === text) continue;
          if (content !== '') say(`${path} is there in part`);
          else if (finished) say(`${path}, which was written before the shutdown, is missing`);
          else if (slot === 'active' && isNew(found.system) && !isTold) say(`${path} is missing, and nobody is told`);
        }
      }
    });
    return findings;
  } catch (error) {
    return [{ kind: 'overlay', detail: messageOf(error) }];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function isNew(system: string): boolean {
  return !system.includes('Crash 1');
}

/** The view that a boot would mount, and some of its files; what isn't there is an empty text. */
async function readView(
  set: string,
  base: string,
  paths: readonly string[],
): Promise<{ problem: string } | { files: Record<string, string>; system: string }> {
  // The copy has holes that the original has not.
  const facts = inspectSet(set, readFingerprint(base), { shown: set, freeBytes: Number.MAX_SAFE_INTEGER });
  const choice = chooseCow(facts, { adopt: false });
  if (!choice.use) return { problem: `the boot would go without its overlay (${choice.reason}): ${choice.message}` };
  const flat = `${set}.flat`;
  await writeFlatImage({ base, cow: choice.file, to: flat });
  const checked = await run(['e2fsck', '-f', '-p', flat]);
  if (checked.status !== 0 && checked.status !== 1) {
    return { problem: `its view is damaged: ${checked.stdout.trim().split('\n').slice(-2).join(' ')}` };
  }
  const read = async (path: string) => (await run(['debugfs', '-R', `cat ${path}`, flat])).stdout;
  const files: Record<string, string> = {};
  for (const path of paths) files[path] = await read(path);
  const system = await read('/etc/os-release');
  rmSync(flat);
  return { files, system };
}
