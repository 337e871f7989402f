// How many booted machines tests run at once, and with how many processors each. Under software emulation two guests of one
// processor get more done than one of two: a boot is mostly one thing after the other, and processors of a guest that
// the host doesn't run at the same moment wait for each other (measured: a quarter more work for the same boot).

import { availableParallelism, totalmem } from 'node:os';

/** A guest with 1 GiB, its files in the host's memory, and what the host does for it. */
const BYTES_FOR_GUEST = 3 * 2 ** 30;
/** More were never tried. */
const MOST = 2;

/** How many: `HOLDFAST_GUESTS`, else two where the host has the processors and the memory. */
export function guestsAtOnce(
  environment: NodeJS.ProcessEnv = process.env,
  host = { processors: availableParallelism(), memoryBytes: totalmem() },
): number {
  const requested = Number(environment['HOLDFAST_GUESTS']);
  if (Number.isInteger(requested) && requested > 0) return requested;
  return Math.max(1, Math.min(MOST, host.processors, Math.floor(host.memoryBytes / BYTES_FOR_GUEST)));
}

/** Processors of a guest that doesn't ask for a number: `HOLDFAST_GUEST_CPUS`, else two. */
export function guestProcessors(environment: NodeJS.ProcessEnv = process.env): number {
  const requested = Number(environment['HOLDFAST_GUEST_CPUS']);
  return Number.isInteger(requested) && requested > 0 ? requested : 2;
}
