// `holdfast feature`: optional stage files of the image, listed, enabled and disabled.

import { resolve } from 'node:path';
import {
  type Feature,
  type FeatureChange,
  featurePerformers,
  featurePlaces,
  listFeatures,
  planFeatures,
} from '../lifecycle/features.ts';
import { HoldfastError } from '../system/errors.ts';
import { apply } from '../system/plan.ts';
import { Root } from '../system/root.ts';
import { planLines } from './plan-lines.ts';
import type { CommandContext } from './program.ts';

export async function featureCommand(
  { reporter, signal }: CommandContext,
  [verb, ...names]: string[],
  flags: { root: string; dryRun?: boolean },
): Promise<number> {
  const root = new Root(resolve(flags.root));
  const places = featurePlaces(root, root.isHost ? process.env : {});
  const found = listFeatures(root, places);
  if (verb === 'list') {
    if (names.length > 0) throw new HoldfastError('HF-USAGE', `feature list takes no names: ${names.join(' ')}`);
    const lines = found.length === 0 ? [`The image has no features (${places.catalogue}).`] : featureLines(found);
    reporter.result({ ...places, features: found }, lines);
    return 0;
  }
  if (verb !== 'enable' && verb !== 'disable') {
    throw new HoldfastError('HF-USAGE', `feature can't ${verb}`, { hint: 'use list, enable or disable' });
  }
  if (names.length === 0) throw new HoldfastError('HF-USAGE', `feature ${verb}: no feature is named`);
  const plan = planFeatures(verb, names, found, places);
  if (flags.dryRun) {
    reporter.result({ outcome: 'planned', plan }, planLines(plan));
    return 0;
  }
  // Nothing to do needs no list of what is done.
  if (plan.actions.length > 0) {
    await apply(plan, featurePerformers, { state: { root }, events: reporter.events, signal });
  }
  reporter.result({ outcome: 'ok', changes: plan.changes }, plan.changes.map(changeLine));
  return 0;
}

/** One line for each feature: its name, its state, what it says of itself. */
export function featureLines(features: readonly Feature[]): string[] {
  const width = Math.max(...features.map(({ name }) => name.length));
  return features.map((feature) => {
    const { name, description } = feature;
    return `${name.padEnd(width)}  ${stateOf(feature).padEnd('disabled'.length)}${description === undefined ? '' : `  ${description}`}`.trimEnd();
  });
}

function stateOf({ name, enabled, inImage, link }: Feature): string {
  if (!enabled) return 'disabled';
  if (link === 'file') return 'enabled   (a file of this machine’s own)';
  return inImage ? 'enabled' : `enabled, but this image has it no more: holdfast feature disable ${name}`;
}

function changeLine({ name, change }: FeatureChange): string {
  switch (change) {
    case 'enabled':
      return `${name} enabled; it runs from the next boot on`;
    case 'enabled-already':
      return `${name} is enabled already`;
    case 'disabled':
      return `${name} disabled; what it has set up stays until the next boot, or until it is taken back`;
    case 'not-enabled':
      return `${name} is not enabled`;
  }
}
