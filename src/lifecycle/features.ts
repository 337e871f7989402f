// Features: optional stage files that an image brings. The catalogue belongs to the image; a link below /oem switches
// one on, so the choice is the machine's and outlives every upgrade, even to an image that has the feature no more.
// Directories and their variables are those of cOS-toolkit's cos-feature.

import { lstatSync, mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseEnvironmentFile } from '../boot/environment-file.ts';
import { parseCloudConfig } from '../cloudconfig/document.ts';
import { nearestWord } from '../cloudconfig/suggestion.ts';
import { fsyncPath } from '../system/durable.ts';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import type { Action, Performers, Plan } from '../system/plan.ts';
import type { Root } from '../system/root.ts';

/** Directories inside the root. */
export interface FeaturePlaces {
  catalogue: string;
  enabled: string;
}

export interface Feature {
  name: string;
  /** Runs with the stages, from the next boot on. */
  enabled: boolean;
  /** The image has it. */
  inImage: boolean;
  /** What stands in the directory of the enabled ones; `file` is the owner's own and never touched. */
  link: 'none' | 'link' | 'file';
  /** Where the link leads. */
  target?: string;
  /** The stage file's own name for itself. */
  description?: string;
}

export type FeatureAction =
  | (Action<'enable-feature'> & { name: string; path: string; target: string })
  | (Action<'disable-feature'> & { name: string; path: string });

/** What comes of one name, in the words of cos-feature. */
export interface FeatureChange {
  name: string;
  change: 'enabled' | 'enabled-already' | 'disabled' | 'not-enabled';
}

export interface FeaturePlan extends Plan<FeatureAction> {
  changes: readonly FeatureChange[];
}

export type FeatureVerb = 'enable' | 'disable';

/**
 * Where features are: the environment's word, else that of the root's /etc/cos/config, else cOS's directories.
 * @throws HoldfastError HF-CONFIG for a directory that is no absolute path.
 */
export function featurePlaces(root: Root, environment: NodeJS.ProcessEnv): FeaturePlaces {
  const config = parseEnvironmentFile(root.readTextIfThere('/etc/cos/config') ?? '');
  const place = (variable: string, normal: string) => {
    const directory = [environment[variable], config.get(variable)].find((text) => text !== undefined && text !== '');
    if (directory === undefined) return normal;
    if (directory.startsWith('/')) return directory.replace(/(?<=.)\/+$/, '');
    throw new HoldfastError('HF-CONFIG', `${variable} must be an absolute path, not ${JSON.stringify(directory)}`);
  };
  // cos-feature 0.8.10: the second one is the partition's directory, and lost its name (COS_OEMDIR) to a renaming.
  const oem = place('OEM_LABELDIR', place('COS_OEMDIR', '/oem'));
  return { catalogue: place('COS_FEATURESDIR', '/system/features'), enabled: `${oem}/features` };
}

/** A name is one part of a path; anything else could lead out of the two directories. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.@+-]*$/;
const EXTENSION = '.yaml';

/** All features of the image, and those that were enabled and left it, by name. */
export function listFeatures(root: Root, places: FeaturePlaces): Feature[] {
  const namesIn = (directory: string) =>
    root
      .list(directory)
      .filter((file) => file.endsWith(EXTENSION))
      .map((file) => file.slice(0, -EXTENSION.length))
      .filter((name) => NAME.test(name));
  const names = new Set([...namesIn(places.catalogue), ...namesIn(places.enabled)]);
  return [...names].sort().flatMap((name) => {
    const feature = lookAt(root, places, name);
    return feature.inImage || feature.link !== 'none' ? [feature] : [];
  });
}

function lookAt(root: Root, places: FeaturePlaces, name: string): Feature {
  const inCatalogue = `${places.catalogue}/${name}${EXTENSION}`;
  const inImage = root.stat(inCatalogue)?.isFile() ?? false;
  const at = linkPath(places, name);
  const entry = root.lstat(at);
  const link = entry?.isSymbolicLink() ? 'link' : entry?.isFile() ? 'file' : 'none';
  const content = link === 'none' ? inCatalogue : at;
  const runs = root.stat(content)?.isFile() ?? false;
  const description = runs ? parseCloudConfig(root.readText(content), content).document?.name : undefined;
  return {
    name,
    enabled: link !== 'none',
    inImage,
    link,
    ...(link === 'link' && { target: readlinkSync(root.resolve(at, { followLast: false })) }),
    ...(description !== undefined && { description }),
  };
}

function linkPath(places: FeaturePlaces, name: string): string {
  return `${places.enabled}/${name}${EXTENSION}`;
}

/**
 * Decides what a change of features does. Pure. All names are looked at before the first change.
 * @throws HoldfastError HF-USAGE for a name that is none, that nothing is known of, or whose file is the owner's own.
 */
export function planFeatures(
  verb: FeatureVerb,
  names: readonly string[],
  found: readonly Feature[],
  places: FeaturePlaces,
): FeaturePlan {
  const actions: FeatureAction[] = [];
  const changes: FeatureChange[] = [];
  for (const name of new Set(names)) {
    const feature = found.find((each) => each.name === name);
    const path = linkPath(places, name);
    if (verb === 'enable') {
      const target = `${places.catalogue}/${name}${EXTENSION}`;
      if (!feature?.inImage) throw unknownFeature(name, found, places);
      // A link that leads elsewhere was made for another catalogue.
      if (feature.enabled && (feature.link === 'file' || feature.target === target)) {
        changes.push({ name, change: 'enabled-already' });
        continue;
      }
      actions.push({
        kind: 'enable-feature',
        summary: `Enable ${name}: link ${path} to ${target}`,
        name,
        path,
        target,
      });
      changes.push({ name, change: 'enabled' });
      continue;
    }
    if (!NAME.test(name)) throw unknownFeature(name, found, places);
    if (feature?.link === 'file') {
      throw new HoldfastError('HF-USAGE', `${path} is a file of its own, not a feature of the image`, {
        hint: 'remove the file, or move it to another place, to be rid of it',
      });
    }
    if (!feature?.enabled) {
      changes.push({ name, change: 'not-enabled' });
      continue;
    }
    actions.push({ kind: 'disable-feature', summary: `Disable ${name}: remove ${path}`, name, path });
    changes.push({ name, change: 'disabled' });
  }
  return { title: verb === 'enable' ? 'Enable features' : 'Disable features', actions, changes };
}

function unknownFeature(name: string, found: readonly Feature[], places: FeaturePlaces): HoldfastError {
  const known = found.filter(({ inImage }) => inImage).map((feature) => feature.name);
  const near = nearestWord(name, known);
  const all = known.length === 0 ? `${places.catalogue} has none` : `the image has ${known.join(', ')}`;
  return new HoldfastError('HF-USAGE', `there is no feature ${JSON.stringify(name)}`, {
    hint: near === undefined ? all : `did you mean ${near}?`,
  });
}

export const featurePerformers: Performers<FeatureAction, { root: Root }> = {
  'enable-feature': ({ path, target }, _, { root }) => {
    const at = root.resolve(path, { followLast: false });
    const directory = dirname(at);
    change(path, () => {
      if (mkdirSync(directory, { recursive: true }) !== undefined) fsyncPath(dirname(directory));
      const temporary = join(directory, `.${process.pid}.tmp`);
      rmSync(temporary, { force: true });
      symlinkSync(target, temporary);
      renameSync(temporary, at);
      fsyncPath(directory);
    });
  },

  'disable-feature': ({ path }, _, { root }) => {
    const at = root.resolve(path, { followLast: false });
    change(path, () => {
      // The owner may have put a file there since it was looked at.
      if (lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink()) rmSync(at);
      fsyncPath(dirname(at));
    });
  },
};

const REASONS: ReadonlyMap<string, string> = new Map([
  ['EROFS', 'its file system is read-only'],
  ['EACCES', 'that is not allowed'],
  ['EPERM', 'that is not allowed'],
  ['ENOSPC', 'its file system is full'],
  ['ENOTDIR', 'a part of its path is no directory'],
]);

function change(path: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    const reason = REASONS.get(errnoOf(error) ?? '');
    if (reason === undefined) throw error;
    throw new HoldfastError('HF-IO', `${path} can't be changed: ${reason}`, { cause: error });
  }
}
