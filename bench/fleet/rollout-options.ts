// What a rollout is to be, and what became of it.

import type { Image, Way } from './machine.ts';

export interface RolloutOptions {
  machines: number;
  /** Each has a controller of its own, that takes `concurrency` nodes at a time. */
  clusters: number;
  concurrency: number;
  way: Way;
  image: Image;
  /** How large the parts of the fleet are that get their Plan one after the other; the last one is 1. */
  waves: readonly number[];
  /** After a wave, before the next. */
  soakSeconds: number;
  /** When more than this share of a wave's nodes is on the fallback, no further node begins; 1: nobody looks. */
  toleratedShare: number;
  bytesPerMachine: number;
  registryBytesPerSecond: number;
  machineBytesPerSecond: number;
  /** Places with a cache: only the first machine of each takes from the registry. 0: none has one. */
  sites: number;
  buildSeconds: number;
  restartSeconds: number;
  trialSeconds: number;
  /** Jobs may begin from the first to the second hour of each day; undefined: always. */
  window?: readonly [from: number, to: number];
  /** Each job's limit for download, writing and the look after the restart; it is begun anew after the controller's time to live. */
  deadlineSeconds: number;
  retrySeconds: number;
  /** Of the chances, one for each upgrade of a machine. */
  powerCutChance: number;
  podKilledChance: number;
  hardwareChance: number;
  /** When an operator looks at nodes that fell back although the image works elsewhere, and has them try again. */
  operatorSeconds: number;
  seed: number;
}

export interface RolloutResult {
  upgraded: number;
  /** Run the old system and say so. */
  onFallback: number;
  /** Not begun when the rollout stopped. */
  untouched: number;
  /** Somebody has to go there: nothing that the machine boots works. */
  lost: number;
  /** Broke down by themselves. */
  hardware: number;
  stopped: boolean;
  seconds: number;
  registryBytes: number;
  /** Downloads that missed their job's deadline. */
  missedDeadlines: number;
  powerCuts: number;
  /** How often a node came up on the old system, whatever became of it later. */
  fallbacks: number;
  podsKilled: number;
  /** Nodes that ended their upgrade, by second of the busiest minute. */
  peakPerSecond: number;
}
