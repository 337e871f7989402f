// Local changes without a new image: the installed image is built anew with what the owner's stage files say now, and becomes
// the active slot as an upgrade's would, trial and all; the running system stays as passive. No network is needed for the
// image where its pristine was kept.

import type { RegistryOptions } from '../image/registry/session.ts';
import { Root } from '../system/root.ts';
import { rebuildInstalled, type UpgradeResult } from './apply-upgrade.ts';
import { inspectAssessment } from './assessment.ts';
import { changedDeployment, openInstalledImage } from './installed-image.ts';
import { isMarkOf } from './owner-changes.ts';
import type { SessionOptions } from './session.ts';
import type { LocalChange, UpgradeRequest } from './upgrade.ts';

/** As an upgrade's, but for the image, which is the installed one. */
export interface LocalChangesRequest
  extends Omit<UpgradeRequest, 'image' | 'force' | 'local' | 'labels' | 'allowDowngrade'> {
  /** Build even when the active slot was built with the same wishes. */
  force?: boolean;
  /** Bring them to the running system as well, where that is safe. */
  live?: boolean;
  /** How registries are reached where the image has to be fetched. */
  registry?: RegistryOptions | undefined;
}

export type LocalChangesResult = UpgradeResult;

/**
 * Applies what the owner's stage files say to the installed image.
 * @throws HoldfastError before anything was switched: HF-STATE and HF-NO-SOURCE where nobody knows or has the installed image,
 *   HF-HOOK with status 39 for a step that fails; what `upgrade` throws.
 */
export function applyLocalChanges(request: LocalChangesRequest, options: SessionOptions): Promise<LocalChangesResult> {
  const { force = false, live = false, registry, ...rest } = request;
  return rebuildInstalled(async (session, installation, stateDirectory) => {
    const failures = inspectAssessment(stateDirectory);
    const deployment = changedDeployment(installation.state, session.booted, failures);
    const { undo, signal } = session;
    const notice = (text: string) => session.events({ type: 'notice', level: 'info', text });
    const image = await openInstalledImage(deployment, stateDirectory, { registry, undo, signal, notice });
    const local: LocalChange = { deployment, live };
    // Anywhere else the stage files aren't where they are looked for, or the active system has not proved itself.
    const canTell = session.booted.slot === 'active' && !force && !live;
    const isWanted = !canTell || !(await isApplied(installation.state.active?.changes));
    return { ...rest, image, local, force: isWanted };
  }, options);
}

/** Whether the active slot was built with what the owner wants now. */
async function isApplied(changes: string | undefined): Promise<boolean> {
  return changes !== undefined && (await isMarkOf(changes, new Root('/')));
}
