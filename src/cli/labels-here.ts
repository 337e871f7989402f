// The labels of this machine for commands that must go on where its settings can't be read, or are odd.

import { DEFAULT_LABELS, type Labels } from '../slots/names.ts';
import { HoldfastError } from '../system/errors.ts';
import { silent } from '../system/events.ts';
import { labelsOf } from './lifecycle-options.ts';
import { machineSettings } from './settings-option.ts';

/** Those of the settings, else the usual ones. */
export async function labelsHere(): Promise<Labels> {
  try {
    return labelsOf(await machineSettings({ reporter: { events: silent } }, {}));
  } catch (error) {
    if (error instanceof HoldfastError) return DEFAULT_LABELS;
    throw error;
  }
}
