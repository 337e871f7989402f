// A stage that runs on the machine that it belongs to goes into the record: in /run at first, where it costs a boot next to
// nothing; one that failed is written to the disk at once, since what it failed to do may be what keeps the machine up.

import { existsSync } from 'node:fs';
import { newEntryId, type RecordEntry } from '../record/entry.ts';
import { requesterOf, thisMoment } from '../record/requester.ts';
import { spoolEntry } from '../record/spool.ts';
import type { StageResult } from '../stages/result.ts';
import { recordedSteps } from '../stages/stageparts.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import type { EventSink } from '../system/events.ts';
import type { Root } from '../system/root.ts';

/** Where somebody boots: sd_booted(3), and the same of OpenRC. Not while an image is built in a container. */
const SIGNS_OF_A_BOOT = ['/run/systemd/system', '/run/openrc'];

/** Whether what runs on this root happens to this machine, and may be kept. */
export function isThisMachine(root: Root): boolean {
  return root.isHost && process.getuid?.() === 0 && SIGNS_OF_A_BOOT.some(existsSync);
}

export interface KeepStageOptions {
  events: EventSink;
  command: string;
  /** A unit of the boot runs it. */
  boot: boolean;
}

/**
 * Runs a stage of this machine and keeps what came of it. What can't be kept is a warning.
 * @throws whatever `run` throws, which is kept as well.
 */
export async function keepStage(
  stage: string,
  run: () => Promise<StageResult>,
  options: KeepStageOptions,
): Promise<StageResult> {
  const by = requesterOf(options.command, options.boot ? 'boot' : undefined);
  const begun = { id: newEntryId(), kind: 'stage', name: stage, ...thisMoment(), by } as const;
  let result: StageResult;
  try {
    result = await run();
  } catch (error) {
    const isInterrupted = error instanceof HoldfastError && error.code === 'HF-INTERRUPTED';
    const outcome = isInterrupted ? 'interrupted' : 'failed';
    await keep({ ...begun, endedAt: now(), outcome, error: { message: messageOf(error) } }, options);
    throw error;
  }
  const parts = recordedSteps(result);
  const { outcome, durationMs } = result;
  const hasWarnings = outcome === 'ok' && parts.warnings !== undefined;
  await keep(
    {
      ...begun,
      endedAt: now(),
      durationMs: Math.round(durationMs),
      outcome: hasWarnings ? 'ok-with-warnings' : outcome,
      ...parts,
    },
    options,
  );
  return result;
}

const now = () => new Date().toISOString();

async function keep(entry: RecordEntry, { events, command }: KeepStageOptions): Promise<void> {
  try {
    const { isNew } = spoolEntry(entry, { counted: true });
    // The initramfs has its state partition for other things, and the next unit is minutes away at most.
    if (!isNew || entry.outcome !== 'failed' || existsSync('/etc/initrd-release')) return;
    const { flushRecord } = await import('../lifecycle/flush-record.ts');
    const { labelsHere } = await import('./labels-here.ts');
    await flushRecord({ command, now: now(), labels: await labelsHere() });
  } catch (error) {
    const text = `what this stage came to can’t be recorded: ${messageOf(error)}`;
    events({ type: 'notice', level: 'warning', text });
  }
}
