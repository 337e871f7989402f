// The recovery system as the command line names it: an image, or a file that is copied as it is.

import { statSync } from 'node:fs';
import type { Provenance } from '../image/provenance.ts';
import { parseImageSource } from '../image/reference.ts';
import type { RecoverySource } from '../lifecycle/install.ts';
import { openRecoveryFile } from '../lifecycle/recovery-file.ts';
import type { Settings } from '../lifecycle/settings.ts';
import { HoldfastError } from '../system/errors.ts';
import { type ImageFlags, judgeMediumFile, openImageText } from './image-option.ts';
import type { CommandContext } from './program.ts';

export interface RecoveryFlags {
  recoverySystem?: string;
  'recoverySystem.uri'?: string;
}

/** What the flags name. */
export function namedRecovery(flags: RecoveryFlags): string | undefined {
  return flags.recoverySystem ?? flags['recoverySystem.uri'];
}

/**
 * Verifies and opens it.
 * @throws as {@link openImageText} and openRecoveryFile; HF-TRUST for a file where the policy wants a version.
 */
export async function openRecoveryText(
  text: string,
  flags: ImageFlags,
  context: CommandContext,
  settings: Settings,
): Promise<RecoverySource> {
  const source = parseImageSource(text);
  const isFile = source.kind === 'path' && statSync(source.path, { throwIfNoEntry: false })?.isFile();
  if (source.kind === 'file' || (source.kind === 'path' && isFile)) {
    requireNoMinimum(text, await judgeMediumFile(text, flags, context, settings));
    return openRecoveryFile(source.path);
  }
  return { kind: 'image', image: await openImageText(text, flags, context, settings) };
}

/** A recovery system's file is copied without a look at what is in it. */
export function requireNoMinimum(name: string, { minimumVersion, policy = 'the policy' }: Provenance): void {
  if (minimumVersion === undefined) return;
  const text = `${policy} wants version ${minimumVersion} at least, and the version of the recovery system in ${name} is not read`;
  throw new HoldfastError('HF-TRUST', text, {
    hint: 'name an image for it: --recovery-system oci-layout:DIRECTORY:TAG',
  });
}
