// manifest.json of an archive that `docker save` made (moby, image tarball format 1.2): which file is the configuration of
// an image, and which are its layers. Pure.

import { z } from 'zod';
import { HoldfastError } from '../system/errors.ts';
import { MAX_LAYERS } from './manifest.ts';

export interface SavedImage {
  /** Names of files in the archive. */
  config: string;
  /** Lowest first. */
  layers: readonly string[];
  /** `os/base:v1` */
  names: readonly string[];
}

const schema = z
  .array(
    z.object({
      Config: z.string().min(1),
      RepoTags: z.array(z.string()).nullish(),
      Layers: z.array(z.string()).min(1).max(MAX_LAYERS),
    }),
  )
  .max(1000);

/** @throws HoldfastError HF-IMAGE when the text is no such list. */
export function parseSavedImages(text: string, where: string): SavedImage[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new HoldfastError('HF-IMAGE', `${where} is not JSON`, { cause });
  }
  const result = schema.safeParse(value);
  if (!result.success) {
    const at = result.error.issues[0]?.path.join('.');
    throw new HoldfastError('HF-IMAGE', `${where} is not what docker save writes${at ? `, at ${at}` : ''}`);
  }
  return result.data.map(({ Config, RepoTags, Layers }) => ({ config: Config, layers: Layers, names: RepoTags ?? [] }));
}
