// The one error for a table of contents or an index that can't be used. It never stops an upgrade: whoever gets it says
// why and fetches all of the layer.

import { HoldfastError } from '../../system/errors.ts';

/** @param problem a clause: what is wrong. */
export function badIndex(problem: string, cause?: unknown): HoldfastError {
  return new HoldfastError('HF-IMAGE', `the index of the layer can't be used: ${problem}`, {
    cause,
    hint: 'the layer is fetched as a whole instead; make the index again with: holdfast image index IMAGE',
  });
}
