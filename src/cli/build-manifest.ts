// Where elemental's build commands find their manifest.yaml: in the directory that --config-dir names, else here. Flags count
// more than what it says.

import { join } from 'node:path';
import { type BuildManifest, parseBuildManifest } from '../media/build-manifest.ts';
import { readTextWithin } from '../system/boundedtext.ts';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import type { CommandContext } from './program.ts';

const LARGEST_BYTES = 1 << 20;

export interface ManifestFlags {
  /** A file; `true` is elemental's places, where there need not be one. */
  manifest?: string | true;
  configDir?: string;
}

/**
 * @throws HoldfastError HF-CONFIG when it can't be read or used; HF-NO-SOURCE when the one that is named isn't there.
 */
export function readBuildManifest(
  { reporter }: Pick<CommandContext, 'reporter'>,
  { manifest, configDir }: ManifestFlags,
): BuildManifest | undefined {
  if (manifest === undefined) return undefined;
  const places = manifest === true ? [join(configDir ?? '.', 'manifest.yaml')] : [manifest];
  for (const place of places) {
    const text = readIfThere(place);
    if (text === undefined) continue;
    const found = parseBuildManifest(text, place);
    for (const each of found.ignored) reporter.events({ type: 'notice', level: 'warning', text: `${place}: ${each}` });
    return found;
  }
  if (manifest === true) return undefined;
  throw new HoldfastError('HF-NO-SOURCE', `the manifest ${manifest} does not exist`, {
    hint: 'an image comes before it: holdfast build-iso IMAGE --manifest',
  });
}

function readIfThere(path: string): string | undefined {
  try {
    return readTextWithin(path, LARGEST_BYTES);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
