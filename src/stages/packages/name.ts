// Names of packages as they may be handed to a package manager: whatever it understands (`vim`, `vim=2:9.0`, `libc6:i386`,
// a file's path), but never an option, and nothing that would break a line of a file.

import { HoldfastError } from '../../system/errors.ts';

/**
 * Checks one name, or a version that is pinned.
 * @throws HoldfastError HF-CONFIG
 */
export function checkName(text: string, what: string): void {
  if (text.startsWith('-')) {
    throw new HoldfastError('HF-CONFIG', `${JSON.stringify(text)} can't be ${what}: it would be taken for an option`, {
      hint: 'options of the package manager belong into its own configuration, or into "commands"',
    });
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (text === '' || /[\x00-\x20\x7f]/.test(text)) {
    throw new HoldfastError('HF-CONFIG', `${JSON.stringify(text)} can't be ${what}`, {
      hint: 'write one word without spaces',
    });
  }
}
