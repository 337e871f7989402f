// A program for the other runtime: pulls an image, unpacks it, and prints its peak memory; or the error.
// Usage: pull-program.ts NAME DIRECTORY

import { openRegistryImage } from '../../../src/image/registry/image.ts';
import { machinePlatform } from '../../../src/image/selection.ts';
import { unpackLayers } from '../../../src/image/unpack.ts';
import { HoldfastError } from '../../../src/system/errors.ts';

const [name = '', directory = ''] = process.argv.slice(2);
try {
  const image = await openRegistryImage(name, machinePlatform(), { delayMs: 10 });
  await unpackLayers(image, image.layers, directory);
  console.log(`ok ${process.resourceUsage().maxRSS * 1024}`);
} catch (error) {
  if (!(error instanceof HoldfastError)) throw error;
  console.log(`${error.code} ${error.message}`);
  process.exitCode = error.exitStatus;
}
