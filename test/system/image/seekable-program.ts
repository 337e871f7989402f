// A program for both runtimes: fetches every content that can be had singly of an image, and proves the layers that can
// be proven. Prints a line of JSON for each layer; notices go to standard error. Usage: seekable-program.ts NAME

import { openRegistryImage } from '../../../src/image/registry/image.ts';
import { openSeekableLayers } from '../../../src/image/seekable/open-seekable.ts';
import { machinePlatform } from '../../../src/image/selection.ts';
import { seekAll } from './seek-all.ts';

const [name = ''] = process.argv.slice(2);
const image = await openRegistryImage(name, machinePlatform(), { delayMs: 10 });
const layers = await openSeekableLayers(image, { notice: (text) => console.error(text) });
for (const layer of layers.values()) console.log(JSON.stringify(await seekAll(layer)));
