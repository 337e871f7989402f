// Which version of the System Upgrade Controller knows which field of a Plan. A field that the definition in a cluster doesn't
// know is dropped there without a word: a plan with a window that an old controller doesn't see upgrades at noon.

import { HoldfastError } from '../system/errors.ts';
import type { PlanDocument } from './plan-document.ts';

export type ControllerVersion = readonly [major: number, minor: number, patch: number];

interface Field {
  path: readonly string[];
  since: ControllerVersion;
}

export const DEADLINES_SINCE: ControllerVersion = [0, 14, 0];

/**
 * Fields that are younger than controller 0.9, with the version from which on they are known at the latest. From the project's
 * release notes (0.11.0 pod selector, 0.13.2 exclusive and ignoreUpdates, 0.16.3 drain timeout as text, 0.19.2 labels
 * after completion) and from its definitions, in which the others were first seen.
 */
const FIELDS: readonly Field[] = [
  { path: ['drain', 'deleteEmptydirData'], since: [0, 11, 0] },
  { path: ['drain', 'podSelector'], since: [0, 11, 0] },
  { path: ['prepare', 'volumes'], since: [0, 11, 0] },
  { path: ['upgrade', 'volumes'], since: [0, 11, 0] },
  { path: ['exclusive'], since: [0, 13, 2] },
  { path: ['secrets', 'ignoreUpdates'], since: [0, 13, 2] },
  { path: ['imagePullSecrets'], since: [0, 14, 0] },
  { path: ['jobActiveDeadlineSecs'], since: DEADLINES_SINCE },
  { path: ['prepare', 'securityContext'], since: [0, 14, 0] },
  { path: ['upgrade', 'securityContext'], since: [0, 14, 0] },
  { path: ['window'], since: [0, 15, 0] },
  { path: ['postCompleteDelay'], since: [0, 15, 0] },
  { path: ['priorityClassName'], since: [0, 17, 0] },
  { path: ['secrets', 'defaultMode'], since: [0, 19, 2] },
  { path: ['postCompleteLabels'], since: [0, 19, 2] },
];

const TIMEOUT_AS_TEXT: ControllerVersion = [0, 16, 3];

export interface NeededField {
  /** As it is written: `spec.drain.podSelector`. */
  name: string;
  /** Where it is in the document, list indexes included. */
  path: readonly (string | number)[];
  since: ControllerVersion;
}

/** The fields of a plan that not every controller knows. */
export function youngFields({ spec }: PlanDocument): NeededField[] {
  const found = FIELDS.flatMap(({ path, since }) =>
    placesOf(spec, path).map((place) => ({ name: ['spec', ...path].join('.'), path: ['spec', ...place], since })),
  );
  if (typeof spec.drain?.timeout === 'string') {
    const name = 'spec.drain.timeout as a text';
    found.push({ name, path: ['spec', 'drain', 'timeout'], since: TIMEOUT_AS_TEXT });
  }
  return found;
}

/** The oldest controller that knows all of a plan, and what decides it; undefined when every one does. */
export function neededController(plan: PlanDocument): { version: ControllerVersion; because: string[] } | undefined {
  const fields = youngFields(plan);
  const [first, ...others] = fields.map(({ since }) => since);
  if (first === undefined) return undefined;
  const version = others.reduce((newest, each) => (isOlder(newest, each) ? each : newest), first);
  const because = fields.filter(({ since }) => !isOlder(since, version)).map(({ name }) => name);
  return { version, because: [...new Set(because)] };
}

/** @throws HoldfastError HF-USAGE when `text` is no version such as 0.14, v0.16.3 or 0.20.0-rc1. */
export function parseControllerVersion(text: string): ControllerVersion {
  const [, major, minor, patch] = /^v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,6}))?(?:[-+][\w.+-]*)?$/.exec(text) ?? [];
  if (major === undefined || minor === undefined) {
    throw new HoldfastError('HF-USAGE', `${JSON.stringify(text)} is no version of the System Upgrade Controller`, {
      hint: 'kubectl -n system-upgrade get deployment system-upgrade-controller -o wide shows it: 0.14, v0.16.3',
    });
  }
  return [Number(major), Number(minor), Number(patch ?? 0)];
}

export function formatControllerVersion([major, minor, patch]: ControllerVersion): string {
  return `${major}.${minor}.${patch}`;
}

export function isOlder(a: ControllerVersion, b: ControllerVersion): boolean {
  const difference = a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
  return difference < 0;
}

/** Every place below `value` that a path of keys leads to, through lists. */
function placesOf(value: unknown, [key, ...rest]: readonly string[]): (string | number)[][] {
  if (Array.isArray(value)) {
    return value.flatMap((item, index) =>
      placesOf(item, key === undefined ? [] : [key, ...rest]).map((place) => [index, ...place]),
    );
  }
  if (key === undefined) return value === undefined ? [] : [[]];
  if (typeof value !== 'object' || value === null) return [];
  const below: unknown = Reflect.get(value, key);
  if (below === undefined) return [];
  if (rest.length === 0) return [[key]];
  return placesOf(below, rest).map((place) => [key, ...place]);
}
