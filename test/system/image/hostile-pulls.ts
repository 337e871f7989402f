// Pulls images from registries that may do anything, some at a time, and says what came of each; the program for the
// other runtime too. Usage: hostile-pulls.ts JSON

import { pathToFileURL } from 'node:url';
import { openRegistryImage } from '../../../src/image/registry/image.ts';
import { NO_REGISTRIES } from '../../../src/image/registry/mirrors.ts';
import { machinePlatform } from '../../../src/image/selection.ts';
import { unpackLayers } from '../../../src/image/unpack.ts';
import { HoldfastError } from '../../../src/system/errors.ts';

export interface HostilePull {
  name: string;
  /** `127.0.0.1:PORT/os@sha256:…` */
  image: string;
  /** An empty directory. */
  target: string;
}

const AT_ONCE = 6;

/** `ok`, or the code of the error, by name. What is no HoldfastError is thrown. */
export async function pullAll(pulls: readonly HostilePull[]): Promise<Record<string, string>> {
  const results: Record<string, string> = {};
  const waiting = [...pulls];
  const work = async () => {
    for (let pull = waiting.shift(); pull !== undefined; pull = waiting.shift())
      results[pull.name] = await outcome(pull);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return results;
}

async function outcome({ image: name, target }: HostilePull): Promise<string> {
  try {
    const image = await openRegistryImage(name, machinePlatform(), {
      registries: NO_REGISTRIES,
      credentials: async () => undefined,
      attempts: 3,
      delayMs: 1,
      stallMs: 1000,
    });
    await unpackLayers(image, image.layers, target);
    return 'ok';
  } catch (error) {
    if (error instanceof HoldfastError) return error.code;
    throw error;
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const pulls: HostilePull[] = JSON.parse(process.argv[2] ?? '[]');
  const results = await pullAll(pulls);
  console.log(JSON.stringify({ results, peakBytes: process.resourceUsage().maxRSS * 1024 }));
  process.exit(0);
}
