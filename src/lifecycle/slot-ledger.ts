// The ledger of a slot that is being built: hooks in it are watched, and when it is finished what differs from its image is
// written down beside it. A ledger that can't be written is a warning; no system is refused for it.

import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Attribution, HookWatch } from '../ledger/attribution.ts';
import type { LedgerOrigin } from '../ledger/entry.ts';
import { readLedger, writeLedger } from '../ledger/ledger-file.ts';
import { requesterOf } from '../record/requester.ts';
import { ledgerFile } from '../slots/names.ts';
import { hasPristine } from '../slots/swap.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import type { ApplyContext } from '../system/plan.ts';
import type { Root } from '../system/root.ts';
import { maskSecrets } from '../system/secrets.ts';
import { type FillState, mountPointOf, transitionOf } from './fill-slot.ts';
import { openPristine } from './prepare-delta.ts';
import { openSlotFile } from './target.ts';

/** Who has a slot built. */
export interface Builder {
  /** The action. */
  name: string;
  /** The command line. */
  command: string;
  /** RFC 3339. */
  now: string;
  /** Its entry in the record. */
  record?: { readonly id: string } | undefined;
}

export interface LedgerState extends FillState {
  session?: Builder | undefined;
  /** Who changed what since the slot held nothing but its image; set by the first hook in it. */
  attribution?: Attribution;
}

/** Begins to watch a hook in the mounted slot; the caller tells what happens then. */
export async function watchHook(
  { warn, signal }: Pick<ApplyContext, 'warn' | 'signal'>,
  state: LedgerState,
  hook: string,
  root: Root,
): Promise<HookWatch> {
  state.attribution ??= new Attribution();
  const watch = new HookWatch(root.directory, { hook, attribution: state.attribution, warn, signal });
  await watch.start();
  return watch;
}

/**
 * Writes the ledger of the finished transition, which isn't mounted.
 * @param uuid of its file system.
 * @throws HoldfastError HF-INTERRUPTED; everything else is a warning.
 */
export async function writeSlotLedger(context: ApplyContext, state: LedgerState, uuid: string): Promise<void> {
  const { attribution, stateDirectory } = state;
  // Nothing ran in it, so it is what its image is.
  if (attribution === undefined || uuid === '') return;
  try {
    const { buildLedger } = await import('../ledger/build-ledger.ts');
    const slot = await openSlotFile(context.undo, transitionOf(state), mountPointOf(state), { readOnly: true });
    const pristine = await openOwnPristine(context, state);
    const { signal, events } = context;
    const ledger = await buildLedger({
      origin: originOf(state, uuid),
      slot: slot.root.directory,
      pristine: pristine?.root.directory,
      attribution,
      signal,
      warn: (text) => events({ type: 'notice', level: 'info', text }),
    });
    await pristine?.close();
    await slot.close();
    const file = join(stateDirectory, ledgerFile(uuid));
    removeOnFailure(context, file, transitionOf(state));
    writeLedger(stateDirectory, ledger);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'HF-INTERRUPTED') throw error;
    context.warn(`who changed what in the new system is not kept: ${messageOf(error)}`);
  }
}

/** An action that fails after the switch fails with its new system in place, and that keeps its ledger. */
function removeOnFailure({ undo }: Pick<ApplyContext, 'undo'>, ledger: string, unfinished: string): void {
  undo.onFailure(`remove ${ledger}`, () => {
    if (existsSync(unfinished)) rmSync(ledger, { force: true });
  });
}

/**
 * Gives a ledger to what the slot was packed into.
 * @param options.unfinished what has another name once it is in place.
 */
export function moveLedger(
  { undo, warn }: Pick<ApplyContext, 'undo' | 'warn'>,
  stateDirectory: string,
  { from, to, unfinished }: { from: string; to: string; unfinished: string },
): void {
  try {
    const [old, fresh] = [from, to].map((uuid) => join(stateDirectory, ledgerFile(uuid)));
    if (old === undefined || fresh === undefined) return;
    removeOnFailure({ undo }, fresh, unfinished);
    const ledger = readLedger(stateDirectory, from);
    if (ledger === undefined) return;
    writeLedger(stateDirectory, { ...ledger, origin: { ...ledger.origin, uuid: to } });
    rmSync(old, { force: true });
  } catch (error) {
    warn(`who changed what in the new system is not kept: ${messageOf(error)}`);
  }
}

/** The unchanged copy of what the slot was made from; undefined where none is kept. */
async function openOwnPristine(
  { undo }: ApplyContext,
  { image, stateDirectory, workDirectory, vouchedLayers }: LedgerState,
): Promise<Awaited<ReturnType<typeof openPristine>> | undefined> {
  // One that is there may be that of another way to the same image.
  if (image?.kind !== 'oci' || vouchedLayers || !hasPristine(stateDirectory, image.digest)) return undefined;
  return openPristine({ undo, workDirectory }, stateDirectory, image.digest);
}

function originOf({ image, session }: LedgerState, uuid: string): LedgerOrigin {
  const { name = 'unknown', command = '', now = new Date().toISOString(), record } = session ?? {};
  const { user } = requesterOf(command);
  return {
    uuid,
    ...(image?.kind === 'oci' && { digest: image.digest }),
    source: image?.source ?? 'unknown',
    action: name,
    ...(record !== undefined && { actionId: record.id }),
    command: maskSecrets(command),
    user,
    at: now,
  };
}
