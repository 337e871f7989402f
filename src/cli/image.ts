// `holdfast image VERB …`: looks at images, and publishes what makes them cheap to fetch. Each verb is a file of its own.

import { HoldfastError } from '../system/errors.ts';
import type { ImageIndexFlags } from './image-index.ts';
import type { ImageLookFlags } from './image-inspect.ts';
import type { CommandContext } from './program.ts';

export type ImageVerbFlags = ImageIndexFlags & ImageLookFlags;

type Verb = (context: CommandContext, images: string[], flags: ImageVerbFlags) => Promise<number>;

const VERBS: Readonly<Record<string, () => Promise<Verb>>> = {
  inspect: async () => (await import('./image-inspect.ts')).imageInspectCommand,
  diff: async () => (await import('./image-diff.ts')).imageDiffCommand,
  index: async () => (await import('./image-index.ts')).imageIndexCommand,
};

/** @throws HoldfastError HF-USAGE for an unknown verb. */
export async function imageCommand(
  context: CommandContext,
  [verb = '', ...images]: string[],
  flags: ImageVerbFlags,
): Promise<number> {
  const load = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined;
  if (load === undefined) {
    throw new HoldfastError('HF-USAGE', `there is no "image ${verb}"`, {
      hint: `use one of: ${Object.keys(VERBS).join(', ')}`,
    });
  }
  return (await load())(context, images, flags);
}
