// What a check of the doctor says: one sentence about one thing, and where something is wrong why that matters and which
// command mends it. Checks return findings and never throw for what a sick machine does to them.

import type { CheckOutcome } from '../lifecycle/check-status.ts';

/** In the order of a person who looks for what is wrong: first what everything else lies on. */
export const AREAS = [
  'partitions',
  'slots',
  'boot',
  'kernel arguments',
  'tools',
  'space',
  'stage files',
  'settings',
  'units',
  'this boot',
  'overlay',
  'record',
  'clock',
] as const;
export type Area = (typeof AREAS)[number];

/** `warning`: it works, and will not for ever or not as meant. `failed`: something is broken. `skipped`: not looked at. */
export type FindingOutcome = 'ok' | 'skipped' | 'warning' | 'failed';

export interface Finding {
  area: Area;
  outcome: FindingOutcome;
  /** What was found, or why it was not looked at: half a sentence, without a full stop. */
  message: string;
  /** What comes of it; absent where all is well. */
  why?: string;
  /** A command, or what to do where none does it. */
  mend?: string;
}

/** The worst of them: what a machine's state comes to. Things that were not looked at don't count. */
export function worstOf(findings: readonly Finding[]): CheckOutcome {
  if (findings.some(({ outcome }) => outcome === 'failed')) return 'trouble';
  return findings.some(({ outcome }) => outcome === 'warning') ? 'warnings' : 'well';
}

/** Words for the findings of one area. */
export function inArea(area: Area) {
  const trouble =
    (outcome: 'warning' | 'failed') =>
    (message: string, why: string, mend: string): Finding => ({
      area,
      outcome,
      message,
      why,
      mend,
    });
  return {
    ok: (message: string): Finding => ({ area, outcome: 'ok', message }),
    skipped: (message: string): Finding => ({ area, outcome: 'skipped', message }),
    /** @param why what comes of it. @param mend a command, or what to do. */
    warning: trouble('warning'),
    failed: trouble('failed'),
  };
}
