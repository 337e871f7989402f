// Where package files are kept from one system to the next. A stage asks it in the place of the package manager when it
// makes a new system: with a repository the newest comes in and is kept, without one what was kept is installed again.

import type { StepContext } from '../steps/handler.ts';
import type { PackageManager } from './manager.ts';

export interface PackageStore {
  /** Fetches the lists of packages; that they can't be had is no failure where package files are kept. */
  refresh: (manager: PackageManager, context: StepContext) => Promise<void>;
  /**
   * Installs packages, all or none.
   * @throws HoldfastError when one can't be had or doesn't fit, with what it needs and what there is.
   */
  install: (names: readonly string[], manager: PackageManager, context: StepContext) => Promise<void>;
}
