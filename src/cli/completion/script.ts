// Shell completion for bash, zsh and fish, generated from the commands themselves.

import type { Command } from 'commander';
import { HoldfastError } from '../../system/errors.ts';
import { bashScript } from './bash.ts';
import { fishScript } from './fish.ts';
import { type CompletionNode, completionTree } from './tree.ts';
import { SHELLS } from './values.ts';
import { zshScript } from './zsh.ts';

const GENERATORS: Readonly<Record<(typeof SHELLS)[number], (tree: CompletionNode) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** Where each shell looks for what packages bring. */
const PLACES: Readonly<Record<(typeof SHELLS)[number], string>> = {
  bash: '/usr/share/bash-completion/completions/holdfast',
  zsh: '/usr/share/zsh/site-functions/_holdfast',
  fish: '/usr/share/fish/vendor_completions.d/holdfast.fish',
};

/**
 * The completion script for a shell.
 * @throws HoldfastError HF-USAGE for a shell that isn't known.
 */
export function completionScript(program: Command, shell: string): string {
  const known = SHELLS.find((each) => each === shell);
  if (known === undefined) {
    throw new HoldfastError('HF-USAGE', `there is no completion for ${shell}`, {
      hint: `use one of: ${SHELLS.join(', ')}`,
    });
  }
  return GENERATORS[known](completionTree(program));
}

/** The scripts of all shells, by the path that an image has them at. */
export function completionFiles(program: Command): Record<string, string> {
  return Object.fromEntries(SHELLS.map((shell) => [PLACES[shell], completionScript(program, shell)]));
}
