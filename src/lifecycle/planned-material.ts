// What is known when a planned system is finished: both trees mounted, what hooks did, what was moved and how long it took.
// Who describes plans gets it; this folder doesn't know what a plan says.

import type { Provenance } from '../image/provenance.ts';
import type { Deployment } from '../slots/state-file.ts';
import type { StageResult } from '../stages/result.ts';
import type { Progress } from '../system/events.ts';
import type { Root } from '../system/root.ts';
import type { CarryPlan } from './carry-engine.ts';
import type { Moved } from './fill-slot.ts';
import type { PlannedRecord } from './planned-record.ts';
import type { PlannedWrite } from './planned-writes.ts';
import type { UpgradeAction, UpgradeFacts } from './upgrade.ts';

/** A system, mounted read-only. */
export interface MountedSystem {
  root: Root;
  /** The image as it came; absent where no unchanged copy is kept. */
  pristine: Root | undefined;
  deployment: Deployment | undefined;
}

export interface PlanMaterial {
  id: string;
  created: string;
  command: string;
  /** What the new system is compared with; undefined where there is no system. */
  running: (MountedSystem & { slot: 'active' | 'passive' }) | undefined;
  next: MountedSystem & { deployment: Deployment };
  provenance: Provenance | undefined;
  facts: UpgradeFacts;
  request: PlannedRecord['request'];
  /** Hooks in the new system, in their order. */
  hooks: readonly StageResult[];
  /** Stage files of hooks beyond the default places. */
  hookSources: readonly string[];
  /** What carrying the overlay decides; undefined where nothing is carried. */
  carry: CarryPlan | undefined;
  writes: readonly PlannedWrite[];
  moved: Moved | undefined;
  /** What applying does. */
  apply: readonly UpgradeAction[];
  /** How long the actions of this plan took. */
  timings: readonly ActionTiming[];
  /** How long reading all of the built slot took, which applying does again. */
  checkMs: number;
  space: { sizeBytes: number; freeBytes: number; heldBytes: number; peakBytes: number };
  /** Where COS_STATE is mounted. */
  stateDirectory: string;
  warnings: readonly string[];
  signal: AbortSignal;
  progress: (progress: Progress) => void;
  warn: (text: string) => void;
}

export interface ActionTiming {
  kind: string;
  durationMs: number;
}
