// Shell completion, generated from the commands themselves.

import type { Command } from 'commander';
import { HoldfastError } from '../system/errors.ts';

/**
 * The completion script for a shell.
 * @throws HoldfastError HF-USAGE for a shell that isn't known.
 */
export function completionScript(program: Command, shell: string): string {
  if (shell !== 'bash') {
    throw new HoldfastError('HF-USAGE', `there is no completion for ${shell}`, {
      hint: 'use: holdfast completion bash',
    });
  }
  const cases = program.commands.map((command) => {
    const flags = command.options.filter(({ hidden }) => !hidden).flatMap(({ long }) => (long ? [long] : []));
    return `    ${command.name()}) words='${[...flags, '--help'].join(' ')}' ;;`;
  });
  const names = program.commands.map((command) => command.name()).join(' ');
  return `# bash completion for holdfast
_holdfast() {
  local word=\${COMP_WORDS[COMP_CWORD]} words='${names} help --help --version'
  if [ "$COMP_CWORD" -gt 1 ]; then
    case \${COMP_WORDS[1]} in
${cases.join('\n')}
    *) words='' ;;
    esac
    if [[ $word != -* ]]; then
      COMPREPLY=($(compgen -f -- "$word"))
      return
    fi
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o filenames -F _holdfast holdfast
`;
}
