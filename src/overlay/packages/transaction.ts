// What all package managers share while they work: where the files are, who listens, and what came of it.

import { HoldfastError } from '../../system/errors.ts';
import type { PackageStep } from './model.ts';
import type { Staging } from './staging.ts';

export interface Transaction {
  staging: Staging;
  signal: AbortSignal | undefined;
  /** A line that the manager printed. */
  onOutput: (line: string) => void;
  /** A removal that isn't carried out, since these need the package. */
  keep: (step: PackageStep, neededBy: readonly string[]) => void;
  /** Another package that is changed along the way. */
  alongside: (text: string) => void;
}

/** Packages that are neither at hand nor to be had: the new system isn't switched to. */
export function packagesNotFound(names: readonly string[], outputTail: string): HoldfastError {
  return new HoldfastError('HF-COMMAND', `not to be had for the new system: ${names.join(', ')}`, {
    exitStatus: 4,
    ...(outputTail !== '' && { outputTail }),
    hint: 'their files were not kept and no repository has them: connect the network, or upgrade with --no-overlay',
  });
}
