// The exit statuses with which carrying an overlay to another image refuses or reports. They are small numbers of their
// own: a script tells from them whether somebody has to look before it tries again.

import { HoldfastError } from '../system/errors.ts';

export const OVERLAY_EXIT = {
  /** Conflicts were decided by rule; `overlay plan` ends so, `upgrade` only warns. */
  decided: 3,
  unresolvedPackage: 4,
  unhealthy: 5,
  noSpace: 6,
  strict: 7,
} as const;

/** In words, by status. */
export const OVERLAY_MEANING: Readonly<Record<number, string>> = {
  3: '`overlay plan`: rules decided conflicts',
  4: 'a package of the overlay can’t be had, or one that the owner keeps doesn’t fit into the new system',
  5: 'the overlay can’t be carried: it is damaged, full or away',
  6: 'no room to carry the overlay',
  7: '`--strict`, and a rule would have to decide a conflict of the overlay',
};

const CODES = {
  unresolvedPackage: 'HF-DEPLOY',
  unhealthy: 'HF-STATE',
  noSpace: 'HF-NO-SPACE',
  strict: 'HF-DEPLOY',
} as const;

/** Why an overlay is not carried: the action stops before anything is switched. */
export function refuseCarry(why: keyof typeof CODES, message: string, hint: string, cause?: unknown): HoldfastError {
  return new HoldfastError(CODES[why], message, {
    exitStatus: OVERLAY_EXIT[why],
    hint,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What a refusal says when the machine would rather be upgraded without its overlay. */
export const WITHOUT_OVERLAY =
  'or upgrade without what is in it: --no-overlay; the old overlay stays for the old system';
