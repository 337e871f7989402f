// What a live system has come to trust, for the system that it installs: otherwise the first upgrade there would be a
// first contact once more, on the word of a server alone.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Provenance } from '../image/provenance.ts';
import { messageOf } from '../system/errors.ts';
import type { ApplyContext } from '../system/plan.ts';

/** Below the OEM partition, which all systems of a machine share. */
const TRUST = 'holdfast/trust';

/**
 * Copies what is remembered of Notary's repositories; what the partition has already stays.
 * @param from the live system's; undefined where nothing was asked.
 * @param oemDirectory where the new system's OEM partition is mounted.
 */
export async function takeTrustAlong(
  context: Pick<ApplyContext, 'warn' | 'events'>,
  {
    from,
    oemDirectory,
    provenance,
  }: { from: string | undefined; oemDirectory: string; provenance: Provenance | undefined },
): Promise<void> {
  const isNotary = provenance?.verifiedBy.some(({ by }) => by === 'notary') ?? false;
  if (!isNotary || from === undefined || !existsSync(from)) return;
  try {
    const { copyTrust } = await import('../trust/notary/trust-store.ts');
    const copied = copyTrust(from, join(oemDirectory, TRUST));
    if (copied.length === 0) return;
    const text = `the new system trusts what this one does: ${copied.join(', ')}`;
    context.events({ type: 'notice', level: 'info', text });
  } catch (error) {
    // The system itself is installed; it would only have to meet its publisher anew.
    context.warn(`what is trusted could not be copied to the new system: ${messageOf(error)}`);
  }
}
