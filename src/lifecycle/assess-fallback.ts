// The passive system after the active one has failed its trial: why that was is written down once, for status, for the login
// banner and for the upgrade that would bring the same image again.

import { existsSync, readFileSync } from 'node:fs';
import type { Deployment } from '../slots/state-file.ts';
import { withState } from './assess-session.ts';
import { markAssessed, writeAssessmentReport } from './assessment-report.ts';
import { failedUuid, findFailure, noteFailure } from './assessment-verdict.ts';
import { parseFailedSlots } from './boot-report.ts';
import { displayName } from './image-name.ts';
import type { SessionOptions } from './session.ts';

/** This system runs since the active one has failed: why, from what is written or from the initramfs' own note. */
export async function settleFallback(options: SessionOptions): Promise<{ outcome: 'fallback'; reason: string }> {
  const failure = await withState(
    options,
    (places, { record }, installation) => {
      const active = installation.ids.active;
      const reason = notedReason() ?? RESTARTED;
      const uuid = failedUuid(places, active);
      record.conclude('failed', `the active system did not start or did not prove that it works: ${reason}`);
      const system = { uuid, source: installation.state.active?.source, name: nameOf(installation.state.active) };
      return noteFailure(places, system, { reason, checks: [], now: options.now });
    },
    // Every further boot finds it written, and leaves COS_STATE alone.
    (places, installation) => findFailure(places, installation.ids.active),
  );
  const { name, source, reason, failedAt, checks } = failure;
  const reported = checks.map((check) => ({ ...check, outcome: 'failed' as const }));
  writeAssessmentReport({
    boot: 'fallback',
    outcome: 'fallback',
    at: failedAt,
    system: name ?? displayName(source),
    reason,
    checks: reported,
  });
  markAssessed();
  return { outcome: 'fallback', reason };
}

const RESTARTED = 'it was restarted before it had proved that it works: a kernel panic, a hang, a reset or a power cut';

const nameOf = (deployment: Deployment | undefined) =>
  deployment === undefined ? undefined : displayName(deployment.source);

/** What the initramfs of the active system, or GRUB, has noted about it. */
function notedReason(): string | undefined {
  const file = '/run/holdfast/boot_failure';
  if (!existsSync(file)) return undefined;
  return parseFailedSlots(readFileSync(file, 'utf8')).find(({ slot }) => slot === 'active')?.reason;
}
