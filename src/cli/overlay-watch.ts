// `holdfast overlay watch`: run by a unit while the root is a view. It grows the COW in time, and makes the root read-only
// before an overflow would lose what is written. A COW that can't overflow needs no watch: it ends at once.

import { writeAttachedOverlay } from '../boot/attached-overlay.ts';
import { readBootReport } from '../lifecycle/boot-report.ts';
import { refreshBanner } from '../lifecycle/login-banner.ts';
import { growCow } from '../overlay/grow.ts';
import { makeRootReadOnly } from '../overlay/root-read-only.ts';
import { inspectRunning, type RunningOverlay } from '../overlay/running.ts';
import { decideWatch, type WatchStep, watchIntervalMs } from '../overlay/watch-policy.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { tellConsoles } from './console-line.ts';
import type { CommandContext } from './program.ts';

interface WatchFlags {
  once?: boolean;
  dryRun?: boolean;
}

/** Kept free on the COW's disk when it grows by itself. */
const RESERVE_BYTES = 16 << 20;

export async function overlayWatchCommand(
  { reporter, signal }: CommandContext,
  _: string[],
  flags: WatchFlags,
): Promise<number> {
  const { events } = reporter;
  /** What was free when growing failed; more may be free later. */
  let failedWith: number | undefined;
  let last = '';
  for (;;) {
    const running = await inspectRunning();
    const reason = notNeeded(running);
    if (running === undefined || reason !== undefined) {
      reporter.result({ outcome: 'ok', step: 'none', reason }, [reason ?? '']);
      return 0;
    }
    const step = decide(running, failedWith !== undefined && (running.freeBytes ?? 0) <= failedWith);
    const message = step.step === 'none' ? '' : step.message;
    // The same words every second would fill a journal.
    const isNew = message !== '' && withoutDigits(message) !== withoutDigits(last);
    last = message;
    if (flags.dryRun !== true) {
      try {
        await perform(step, running, isNew, signal);
      } catch (error) {
        if (step.step !== 'grow') throw error;
        failedWith = running.freeBytes ?? 0;
        events({ type: 'notice', level: 'warning', text: `the overlay can’t grow: ${messageOf(error)}` });
      }
    }
    // After it was done: what could not be done is an error, with words of its own.
    if (isNew) events({ type: 'notice', level: step.step === 'grow' ? 'info' : 'warning', text: message });
    if (flags.once === true || flags.dryRun === true) {
      reporter.result({ outcome: 'ok', ...step, status: running.status }, [
        message === '' ? 'There is room in the overlay.' : message,
      ]);
      return 0;
    }
    if (signal.aborted) return 0;
    await pause(watchIntervalMs(usedOf(running), failedWith !== undefined), signal);
    if (signal.aborted) return 0;
  }
}

function notNeeded(running: RunningOverlay | undefined): string | undefined {
  if (running?.attached.used !== true) return 'This system runs without an overlay.';
  if (running.attached.readonly) return 'New changes are kept in memory; the overlay is not written to.';
  if (running.cannotOverflow === true) return 'The overlay takes all of its system, so it can’t overflow.';
  return undefined;
}

function decide(
  { status, sizeBytes, baseBytes, freeBytes, rootReadOnly }: RunningOverlay,
  cannotGrow: boolean,
): WatchStep {
  if (status === undefined) throw new HoldfastError('HF-STATE', 'the kernel doesn’t say how full the overlay is');
  if (sizeBytes === undefined || baseBytes === undefined) {
    throw new HoldfastError('HF-STATE', 'the file of the overlay, or the system below it, can’t be seen');
  }
  const room = Math.max(0, (freeBytes ?? 0) - RESERVE_BYTES);
  return decideWatch({ status, sizeBytes, baseBytes, freeBytes: room, cannotGrow, readOnly: rootReadOnly });
}

async function perform(
  step: WatchStep,
  { attached }: RunningOverlay,
  isNew: boolean,
  signal: AbortSignal,
): Promise<void> {
  if (step.step === 'grow' && attached.file !== undefined) await growCow(attached.file, step.toBytes, { signal });
  if (step.step === 'stop') await makeRootReadOnly();
  if ((step.step === 'stop' || step.step === 'tell') && isNew) {
    tellConsoles(`holdfast: ${step.message}`);
    writeAttachedOverlay({ ...attached, reason: 'full', message: step.message });
    refreshBanner(readBootReport());
  }
}

function usedOf({ status }: RunningOverlay): number {
  return status?.state === 'ok' ? status.allocatedBytes / status.totalBytes : 0;
}

function withoutDigits(text: string): string {
  return text.replace(/\d+/g, '#');
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
