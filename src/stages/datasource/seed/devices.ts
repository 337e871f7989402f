// The block devices that may carry user data, as the kernel lists them: those with the label, then CDs with any.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, messageOf } from '../../../system/errors.ts';
import type { MediaPlaces } from '../provider.ts';
import { openFat } from './fat.ts';
import { openIso9660 } from './iso9660.ts';
import { MediumError, openSource, type Volume } from './source.ts';

/** A drive without a disc, a device that has just been taken away, and one that a container may see but not open. */
const NOTHING_THERE = new Set(['ENOMEDIUM', 'ENXIO', 'ENODEV', 'ENOENT', 'EIO', 'EPERM', 'EACCES']);

/**
 * The first of these files, on the first device that has one which isn't empty.
 * @param label in lower case.
 * @param warn told of media that can't be understood.
 */
export function findSeed(
  { label, files }: { label: string; files: readonly string[] },
  places: MediaPlaces,
  warn: (problem: string) => void,
): Buffer | undefined {
  const names = listDevices(places.devices);
  const isLabelled = (volume: Volume) => volume.label.toLowerCase() === label;
  const passes = [
    { devices: names, wanted: isLabelled },
    { devices: names.filter((name) => /^sr\d/.test(name)), wanted: (volume: Volume) => !isLabelled(volume) },
  ];
  for (const { devices, wanted } of passes) {
    for (const name of devices) {
      // sysfs writes "!" for a "/" in the name.
      const node = join(places.nodes, name.replaceAll('!', '/'));
      try {
        const seed = withVolume(node, (volume) => (wanted(volume) ? firstOf(files, volume) : undefined));
        if (seed !== undefined) return seed;
      } catch (error) {
        if (NOTHING_THERE.has(errnoOf(error) ?? '')) continue;
        if (!(error instanceof MediumError) && errnoOf(error) === undefined) throw error;
        warn(`${node} can't be read: ${messageOf(error)}`);
      }
    }
  }
  return undefined;
}

function firstOf(files: readonly string[], volume: Volume): Buffer | undefined {
  for (const file of files) {
    const content = volume.read(file);
    if (content !== undefined && content.length > 0) return content;
  }
  return undefined;
}

function withVolume<T>(node: string, use: (volume: Volume) => T | undefined): T | undefined {
  const source = openSource(node);
  try {
    const volume = openIso9660(source.read) ?? openFat(source.read);
    return volume === undefined ? undefined : use(volume);
  } finally {
    source.close();
  }
}

function listDevices(directory: string): string[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
  return names.filter((name) => !/^(?:loop|ram)/.test(name) && !isEmpty(join(directory, name, 'size'))).sort();
}

function isEmpty(sizeFile: string): boolean {
  try {
    return readFileSync(sizeFile, 'utf8').trim() === '0';
  } catch {
    return false;
  }
}
