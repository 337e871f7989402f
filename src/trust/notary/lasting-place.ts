// Whether what is remembered would still be there after a reboot: on an installed system everything but its partitions is
// in memory, and a memory that begins anew at each boot trusts whoever speaks first, each time.

import { resolve } from 'node:path';
import { inspectBooted } from '../../slots/booted.ts';
import { mountAt } from '../../system/mounts.ts';

/** Where the OEM partition belongs. */
const OEM = '/oem';

/** What the answer depends on, so that tests can put another machine in its place. */
export interface Machine {
  isMounted: (directory: string) => boolean;
  /** It runs from a slot; live media and ordinary systems don't. */
  isInstalled: () => Promise<boolean>;
}

const THIS_MACHINE: Machine = {
  isMounted: (directory) => mountAt(directory) !== undefined,
  isInstalled: async () => (await inspectBooted()).slot !== undefined,
};

/** Why what is written to a directory would be forgotten; undefined where nothing speaks for that. */
export async function whyForgotten(directory: string, machine: Machine = THIS_MACHINE): Promise<string | undefined> {
  if (!resolve(directory).startsWith(`${OEM}/`) || machine.isMounted(OEM)) return undefined;
  if (!(await machine.isInstalled())) return undefined;
  return `no partition is mounted at ${OEM}, so it would be forgotten at the next boot`;
}
