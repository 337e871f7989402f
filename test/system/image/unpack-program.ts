// A program for the other runtime: unpacks an image, the last layer in a second call, and prints its peak memory.
// Usage: unpack-program.ts LAYOUT TAG DIRECTORY

import { openLayout } from '../../../src/image/layout.ts';
import { unpackLayers } from '../../../src/image/unpack.ts';

const [layout = '', tag = '', directory = ''] = process.argv.slice(2);
const image = await openLayout(layout, { tag });
await unpackLayers(image, image.layers.slice(0, -1), directory);
await unpackLayers(image, image.layers.slice(-1), directory);
console.log(process.resourceUsage().maxRSS * 1024);
