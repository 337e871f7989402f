// The root overlay of this boot: used if it was asked for, and with room for what is still to be written.

import { inspectRunning, type RunningOverlay, troubleOf } from '../overlay/running.ts';
import { decideWatch } from '../overlay/watch-policy.ts';
import { type Finding, inArea } from './finding.ts';
import type { Patient } from './patient.ts';

const { ok, warning, failed } = inArea('overlay');

/** Pure. */
export function judgeOverlay(overlay: RunningOverlay | undefined): Finding[] {
  if (overlay === undefined) return [ok('none is asked for: changes of / are not kept')];
  const trouble = troubleOf(overlay);
  if (trouble !== undefined) {
    const why = overlay.attached.used ? 'changes of / may be lost' : 'changes of / are not kept';
    return [failed(trouble.replace(/\.$/, ''), why, 'holdfast overlay status, then: holdfast overlay check')];
  }
  const { status, sizeBytes, baseBytes, freeBytes, rootReadOnly } = overlay;
  if (status === undefined || sizeBytes === undefined || baseBytes === undefined) {
    return [ok('no overlay is used at this boot, as it was asked for')];
  }
  const step = decideWatch({
    status,
    sizeBytes,
    baseBytes,
    freeBytes: freeBytes ?? 0,
    cannotGrow: false,
    readOnly: rootReadOnly,
  });
  if (step.step === 'none') return [ok('changes of / are kept, and there is room for more')];
  return [warning(step.message, 'a full overlay keeps nothing more', 'holdfast overlay grow')];
}

export async function checkOverlay(_: Patient): Promise<Finding[]> {
  return judgeOverlay(await inspectRunning());
}
