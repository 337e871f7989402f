// What the actions of a disk's building find and leave for each other.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BuiltSystem } from '../lifecycle/build-slot.ts';
import { HoldfastError } from '../system/errors.ts';
import type { DiskLayout, DiskLayoutRequest } from './disk-layout.ts';
import type { BuildDiskFacts, BuildDiskRequest } from './disk-plan.ts';
import type { Published } from './publish.ts';
import type { SystemTree } from './system-tree.ts';

/** Partitions whose content is gathered in a directory first. */
export type StagedRole = 'esp' | 'oem' | 'recovery' | 'state';

export interface BuildDiskState {
  request: BuildDiskRequest;
  facts: BuildDiskFacts;
  workPlace: string;
  /** The output's temporary name. */
  temporary: string;
  staging: Readonly<Record<StagedRole, string>>;
  system?: SystemTree;
  recoverySystem?: SystemTree;
  layout?: DiskLayout;
  layoutRequest?: DiskLayoutRequest;
  /** What the slots say of themselves. */
  built?: BuiltSystem;
  recoveryBuilt?: BuiltSystem | undefined;
  biosBoot?: undefined | { bootImage: Uint8Array; coreImage: Uint8Array };
  /** The raw disk. */
  disk?: string;
  published?: Published;
}

export function makeStaging(workPlace: string): BuildDiskState['staging'] {
  const at = (role: StagedRole) => join(workPlace, role);
  const staging = { esp: at('esp'), oem: at('oem'), recovery: at('recovery'), state: at('state') };
  for (const directory of Object.values(staging)) mkdirSync(directory, { mode: 0o755 });
  return staging;
}

/** What an earlier action has left. */
export function had<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new HoldfastError('HF-DEPLOY', `there is no ${what} yet`);
  return value;
}
