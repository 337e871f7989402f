// One layout from start to end: find the disk, look at it, decide, do. One at a time on a machine: two that plan on the
// same free space at once would overwrite each other.

import { HoldfastError } from '../../system/errors.ts';
import type { Event } from '../../system/events.ts';
import { lockUntilEnd } from '../../system/lock.ts';
import { UndoStack } from '../../system/plan.ts';
import { requireTools } from '../../system/tools.ts';
import type { StepContext, StepValue } from '../steps/handler.ts';
import { applyLayout, type LayoutOptions } from './apply.ts';
import { findDisk } from './device.ts';
import { inspectDisk } from './inspect.ts';
import { planLayout } from './plan.ts';
import { readRequest } from './request.ts';
import { runLockedChecked } from './write.ts';

const LOCK_FILE = '/run/holdfast/layout.lock';
const LOCK_TRIES = 60;
const LOCK_MS = 1000;

/** @throws HoldfastError as {@link readRequest}, {@link findDisk}, {@link inspectDisk}, {@link planLayout}, {@link applyLayout}. */
export async function runLayout(
  value: StepValue<'layout'>,
  context: StepContext,
  hooks: Pick<LayoutOptions, 'beforeAction'> = {},
): Promise<void> {
  const request = readRequest(value);
  if ('nothing' in request) return context.warn(request.nothing);
  requireTools(['blkid', 'blockdev', 'flock', 'sfdisk']);
  const undo = new UndoStack();
  try {
    await takeLock(undo, context.signal);
    const path = await findDisk(request, context);
    // What a killed run started may still be writing.
    await runLockedChecked(path, ['true'], { signal: context.signal });
    const disk = await inspectDisk(path);
    const plan = planLayout(request, disk);
    for (const warning of plan.warnings) context.warn(warning);
    if (plan.actions.length === 0) return;
    context.changed(path);
    await applyLayout(plan, disk, { events: (event) => tell(event, context), signal: context.signal, ...hooks });
  } finally {
    for (const problem of await undo.unwind(false)) context.warn(`layout: cleaning up: ${problem}`);
  }
}

function tell(event: Event, context: StepContext): void {
  if (event.type === 'action-start') context.events({ type: 'notice', level: 'info', text: event.summary });
  if (event.type === 'notice') context.warn(event.text);
}

async function takeLock(undo: UndoStack, signal: AbortSignal | undefined): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await lockUntilEnd(undo, LOCK_FILE, 'layout');
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'HF-LOCKED' || attempt === LOCK_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, LOCK_MS));
      if (signal?.aborted) throw new HoldfastError('HF-INTERRUPTED', 'interrupted while waiting for another layout');
    }
  }
}
