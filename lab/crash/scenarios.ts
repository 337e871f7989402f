// The commands whose power cuts are tried, each from where it really starts: a live system, or a slot of a disk that an
// earlier command of this list has left.

import type { SystemName } from './systems.ts';

export interface Scenario {
  name: string;
  /** What is said of it in the table. */
  title: string;
  /** The scenario whose finished disk it starts from; an empty disk without one. */
  startsFrom?: string;
  /** What the machine was booted from; `live` is the guest's own system. */
  bootedFrom: 'live' | 'active' | 'passive' | 'recovery';
  /** Arguments of `holdfast`; `{disk}` and `{v2}` are the disk and an image. */
  argv: readonly string[];
  /** COS_OEM is made anew. */
  remakesOem?: boolean;
}

const IMAGES = '/run/delivery/layout';

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'install',
    title: 'install',
    bootedFrom: 'live',
    argv: [...['install', '{disk}', '--system', '{v1}', '--cloud-init', '/run/delivery/owner.yaml', '--no-boot-entry']],
  },
  {
    name: 'upgrade',
    title: 'upgrade, from active',
    startsFrom: 'install',
    bootedFrom: 'active',
    argv: ['upgrade', '--system', '{v2}'],
  },
  {
    name: 'upgrade-again',
    title: 'upgrade, from active, a second time',
    startsFrom: 'upgrade',
    bootedFrom: 'active',
    argv: ['upgrade', '--system', '{v3}'],
  },
  {
    name: 'upgrade-from-passive',
    title: 'upgrade, from passive',
    startsFrom: 'upgrade',
    bootedFrom: 'passive',
    argv: ['upgrade', '--system', '{v3}'],
  },
  {
    name: 'upgrade-from-recovery',
    title: 'upgrade, from recovery',
    startsFrom: 'upgrade',
    bootedFrom: 'recovery',
    argv: ['upgrade', '--system', '{v3}'],
  },
  {
    name: 'upgrade-recovery',
    title: 'upgrade --recovery',
    startsFrom: 'upgrade',
    bootedFrom: 'active',
    argv: ['upgrade', '--recovery', '--recovery-system', '{v3}'],
  },
  {
    name: 'rollback',
    title: 'rollback',
    startsFrom: 'upgrade',
    bootedFrom: 'active',
    argv: ['rollback'],
  },
  {
    name: 'boot-default',
    title: 'boot --default passive',
    startsFrom: 'upgrade',
    bootedFrom: 'active',
    argv: ['boot', '--default', 'passive'],
  },
  {
    name: 'reset',
    title: 'reset',
    startsFrom: 'upgrade',
    bootedFrom: 'recovery',
    argv: ['reset'],
  },
  {
    name: 'reset-all',
    title: 'reset --persistent --oem',
    startsFrom: 'upgrade',
    bootedFrom: 'recovery',
    argv: ['reset', '--persistent', '--oem'],
    remakesOem: true,
  },
  {
    name: 'deploy',
    title: 'deploy --force',
    startsFrom: 'upgrade',
    bootedFrom: 'recovery',
    argv: ['deploy', '--force', '--system', '{v3}'],
  },
];

/** The arguments with disk and images filled in. */
export function argumentsOf({ argv }: Scenario, disk: string): string[] {
  const image = (name: SystemName) => `oci-layout:${IMAGES}:${name}`;
  return argv.map((word) => word.replace('{disk}', disk).replace(/^\{(v[123])\}$/, (_, name) => image(name)));
}

/** A scenario by name with those that it starts from, the first one first. */
export function withAncestors(name: string): Scenario[] {
  const scenario = SCENARIOS.find((each) => each.name === name);
  if (scenario === undefined) return [];
  return [...(scenario.startsFrom === undefined ? [] : withAncestors(scenario.startsFrom)), scenario];
}
