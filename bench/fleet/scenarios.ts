// The rollouts that docs/fleet.md tells of, each with the parameters that it stands for. Sizes are those that were measured on the
// demo system (docs/reference/image-cost.md); times, lines and chances are assumptions, and can be changed here.

import type { RolloutOptions } from './rollout-options.ts';

export const MB = 1e6;

/** docs/reference/image-cost.md: an update of one package in an image of 230 MB packed. */
export const MEASURED = { imageBytes: 229.6 * MB, indexedBytes: 2.69 * MB, chunkedBytes: 3.57 * MB } as const;

/** Kubernetes' own limit for one cluster. */
const NODES_PER_CLUSTER = 5000;

export const USUAL: RolloutOptions = {
  machines: 1000,
  clusters: 1,
  concurrency: 10,
  way: 'swap',
  image: 'good',
  waves: [1],
  soakSeconds: 3600,
  toleratedShare: 1,
  bytesPerMachine: MEASURED.imageBytes,
  registryBytesPerSecond: 125 * MB,
  machineBytesPerSecond: 12.5 * MB,
  sites: 0,
  buildSeconds: 30,
  restartSeconds: 90,
  trialSeconds: 60,
  deadlineSeconds: 900,
  retrySeconds: 900,
  powerCutChance: 0.001,
  podKilledChance: 0.01,
  hardwareChance: 0,
  operatorSeconds: 4 * 3600,
  seed: 1,
};

export const SIZES = [10, 100, 1000, 10_000, 100_000] as const;

/** As many clusters as the size needs, and a hundredth of each at a time. */
export function fleetOf(machines: number): Pick<RolloutOptions, 'machines' | 'clusters' | 'concurrency'> {
  const clusters = Math.ceil(machines / NODES_PER_CLUSTER);
  return { machines, clusters, concurrency: Math.max(1, Math.ceil(machines / clusters / 100)) };
}

/** One in a hundred first, then a tenth, then all. */
export const IN_WAVES: Pick<RolloutOptions, 'waves' | 'toleratedShare'> = {
  waves: [0.01, 0.1, 1],
  toleratedShare: 0.02,
};

export interface Scenario {
  name: string;
  options: RolloutOptions;
}

const GROWN: readonly Scenario[] = SIZES.map((machines) => ({
  name: machines.toLocaleString('en'),
  options: { ...USUAL, ...fleetOf(machines) },
}));

export const GROWTH: readonly Scenario[] = [
  ...GROWN,
  ...GROWN.slice(-1).map(({ name, options }) => ({
    name: `${name}, only what changed`,
    options: { ...options, bytesPerMachine: MEASURED.chunkedBytes },
  })),
];

const FLEET = { ...USUAL, ...fleetOf(10_000) };

export const TRANSFER: readonly Scenario[] = [
  { name: 'whole image', options: FLEET },
  { name: 'whole image, a cache in each of 200 places', options: { ...FLEET, sites: 200 } },
  { name: 'only what changed (published index)', options: { ...FLEET, bytesPerMachine: MEASURED.indexedBytes } },
  { name: 'only what changed (zstd:chunked)', options: { ...FLEET, bytesPerMachine: MEASURED.chunkedBytes } },
  {
    name: 'only what changed (zstd:chunked), a cache in each of 200 places',
    options: { ...FLEET, bytesPerMachine: MEASURED.chunkedBytes, sites: 200 },
  },
  {
    name: 'whole image, registry with a tenth of the line',
    options: { ...FLEET, registryBytesPerSecond: 12.5 * MB },
  },
  {
    name: 'only what changed (zstd:chunked), registry with a tenth of the line',
    options: { ...FLEET, registryBytesPerSecond: 12.5 * MB, bytesPerMachine: MEASURED.chunkedBytes },
  },
];

/** In a hurry: a tenth of the nodes at a time. */
const FAST = { ...FLEET, concurrency: 500 };

export const BAD_IMAGE: readonly Scenario[] = [
  { name: 'works, one Plan', options: FAST },
  { name: 'panics, one Plan', options: { ...FAST, image: 'panics' } },
  { name: 'unhealthy, one Plan', options: { ...FAST, image: 'unhealthy' } },
  { name: 'unhealthy, one Plan, a hundredth at a time', options: { ...FLEET, image: 'unhealthy' } },
  { name: 'unhealthy, in waves', options: { ...FAST, ...IN_WAVES, image: 'unhealthy' } },
  { name: 'works, in waves', options: { ...FAST, ...IN_WAVES } },
  { name: 'works, in waves, nights from 1 to 5 only', options: { ...FAST, ...IN_WAVES, window: [1, 5] } },
];

const ROUGH = { ...FLEET, powerCutChance: 0.05, podKilledChance: 0.1 };

export const BROKEN: readonly Scenario[] = [
  { name: 'swap, good image', options: ROUGH },
  { name: 'swap, image that panics', options: { ...ROUGH, image: 'panics' } },
  { name: 'swap without a trial, good image', options: { ...ROUGH, way: 'swap-without-trial' } },
  {
    name: 'swap without a trial, image that panics',
    options: { ...ROUGH, way: 'swap-without-trial', image: 'panics' },
  },
  { name: 'written over in place, good image', options: { ...ROUGH, way: 'in-place' } },
  { name: 'written over in place, image that panics', options: { ...ROUGH, way: 'in-place', image: 'panics' } },
];
