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
  /** In place of `argv`: scripts that run one after the other, each as after a boot. `{v2}` as above. */
  scripts?: readonly Script[];
  /** What the root overlay of this machine has to hold, by path. */
  overlay?: {
    /** Written before the command. */
    kept: Readonly<Record<string, string>>;
    /** Written while it is at work: it may be missing from the new system as long as that is noted. */
    late?: Readonly<Record<string, string>>;
  };
  /** Only where others start from. */
  isGround?: boolean;
}

export interface Script {
  /** `$holdfast` is the program. */
  text: string;
  /** Booted with the root overlay. */
  withOverlay?: boolean;
}

/** On COS_PERSISTENT. */
export const OVERLAY_FILE = '/overlay.img';

const KEPT = { '/etc/kept': 'kept\n', '/etc/owner': 'mine\n', '/srv/data/list': 'one\ntwo\n' };
const LATE = { '/etc/late': 'late\n' };
const write = (files: Readonly<Record<string, string>>) =>
  Object.entries(files)
    .map(([path, text]) => `mkdir -p $(dirname ${path}) && printf '${text.replaceAll('\n', '\\n')}' > ${path}`)
    .join(' && ');

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
  {
    name: 'overlay-begin',
    title: 'writes to / through an overlay',
    startsFrom: 'install',
    bootedFrom: 'active',
    argv: [],
    scripts: [
      { text: `fallocate -l 200M /usr/local${OVERLAY_FILE} && chmod 600 /usr/local${OVERLAY_FILE}` },
      { text: `${write(KEPT)} && sync`, withOverlay: true },
    ],
    overlay: { kept: KEPT },
    isGround: true,
  },
  {
    name: 'overlay-upgrade',
    title: 'upgrade, with an overlay',
    startsFrom: 'overlay-begin',
    bootedFrom: 'active',
    argv: [],
    scripts: [{ text: '$holdfast upgrade --system {v3}', withOverlay: true }],
    overlay: { kept: KEPT },
  },
  {
    name: 'overlay-finalise',
    title: 'upgrade, with an overlay that changes until the shutdown',
    startsFrom: 'overlay-begin',
    bootedFrom: 'active',
    argv: [],
    scripts: [
      {
        text: `$holdfast upgrade --system {v2} && ${write(LATE)} && sync && $holdfast overlay finalise`,
        withOverlay: true,
      },
    ],
    overlay: { kept: KEPT, late: LATE },
  },
];

/** The commands whose power cuts are tried. */
export const TESTED: readonly Scenario[] = SCENARIOS.filter(({ isGround }) => isGround !== true);

/** The arguments with disk and images filled in. */
export function argumentsOf({ argv }: Scenario, disk: string): string[] {
  return argv.map((word) => withImages(word.replace('{disk}', disk)));
}

/** A word or a script with images filled in. */
export function withImages(text: string): string {
  const image = (name: SystemName) => `oci-layout:${IMAGES}:${name}`;
  return text.replace(/\{(v[123])\}/g, (_, name) => image(name));
}

/** A scenario by name with those that it starts from, the first one first. */
export function withAncestors(name: string): Scenario[] {
  const scenario = SCENARIOS.find((each) => each.name === name);
  if (scenario === undefined) return [];
  return [...(scenario.startsFrom === undefined ? [] : withAncestors(scenario.startsFrom)), scenario];
}
