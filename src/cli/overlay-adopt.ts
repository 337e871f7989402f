// `holdfast overlay adopt`: the owner says which system a file of unknown origin belongs to.

import { existsSync } from 'node:fs';
import { type AdoptRequest, adoptCow, requireAdoptable } from '../overlay/adopt.ts';
import { openBase } from '../overlay/base-place.ts';
import { type BindingState, readBinding } from '../overlay/binding.ts';
import { setOrDefault } from '../overlay/default-set.ts';
import { shortFingerprint } from '../overlay/fingerprint.ts';
import { cowFile, sidecarFile } from '../overlay/names.ts';
import { lockSet } from '../overlay/set-lock.ts';
import { openSet } from '../overlay/set-place.ts';
import { HoldfastError } from '../system/errors.ts';
import type { UndoStack } from '../system/plan.ts';
import { labelsOf } from './lifecycle-options.ts';
import { asOnlyAction, type CowFlags, progressOf, scratchFile } from './overlay-target.ts';
import type { CommandContext } from './program.ts';
import { machineSettings } from './settings-option.ts';

interface AdoptFlags extends CowFlags {
  force?: boolean;
  work?: string;
}

export async function overlayAdoptCommand(
  context: CommandContext,
  [text]: string[],
  flags: AdoptFlags,
): Promise<number> {
  const { reporter, undo, signal } = context;
  const labels = labelsOf(await machineSettings(context, {}));
  const place = await openSet(undo, setOrDefault(text), { write: true });
  const base = await openBase(undo, flags.base ?? 'active', { labels });
  const file = [cowFile(place.set, base.fingerprint), place.set].find((each) => existsSync(each));
  if (file === undefined) {
    throw new HoldfastError('HF-STATE', `${place.shown} does not exist`, {
      hint: `make it: holdfast overlay create ${place.shown}`,
    });
  }
  const before = readBinding(sidecarFile(file));
  const request: AdoptRequest = {
    file,
    base,
    binding: before === undefined || 'problem' in before ? undefined : before,
    force: flags.force ?? false,
    scratch: scratchFile(file, flags.work),
    now: new Date(),
    signal,
    progress: progressOf(context),
  };
  const state = await (flags.dryRun ? requireAdoptable(request) : asOnlyAction(context, () => adopt(undo, request)));
  const where = `${base.name} (${shortFingerprint(base.fingerprint)})`;
  if (flags.dryRun) {
    reporter.result({ outcome: 'planned', file, base: base.name }, [
      `${file} fits ${where} and would be bound to it (nothing was changed)`,
    ]);
    return 0;
  }
  reporter.result({ outcome: 'ok', file, base: base.name, state }, [
    `${file} belongs to ${where} now.`,
    ...(state === 'ready' ? [] : [`It is held back until holdfast overlay repair ${place.shown} has looked at it.`]),
  ]);
  return 0;
}

async function adopt(undo: UndoStack, request: AdoptRequest): Promise<BindingState> {
  await lockSet(undo, request.file);
  const state = await requireAdoptable(request);
  await adoptCow(request, state);
  return state;
}
