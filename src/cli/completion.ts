// Shell completion for bash, zsh and fish, generated from the commands themselves.

import type { Command, Option } from 'commander';
import { STAGES } from '../cloudconfig/knownwords.ts';
import { HoldfastError } from '../system/errors.ts';
import { shownCommands } from './command-tree.ts';

const GENERATORS: Readonly<Record<string, (program: Command) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** The shells that there is a completion for. */
export const SHELLS: readonly string[] = Object.keys(GENERATORS);

/**
 * The completion script for a shell.
 * @throws HoldfastError HF-USAGE for a shell that isn't known.
 */
export function completionScript(program: Command, shell: string): string {
  const generate = Object.hasOwn(GENERATORS, shell) ? GENERATORS[shell] : undefined;
  if (generate === undefined) {
    throw new HoldfastError('HF-USAGE', `there is no completion for ${shell}`, {
      hint: `use one of: ${SHELLS.join(', ')}`,
    });
  }
  return generate(program);
}

/** Of a group those of its commands together, each once. */
function shownOptions(command: Command): Option[] {
  const options = [command, ...shownCommands(command)].flatMap((each) => each.options);
  return options.filter(
    ({ hidden, long }, index) =>
      !hidden && long !== undefined && options.findIndex((other) => other.long === long) === index,
  );
}

/** Words that the first argument of a command is chosen from; undefined where it is a file. */
function firstArgument(command: Command): readonly string[] | undefined {
  if (command.commands.length > 0) return shownCommands(command).map((each) => each.name());
  const name = command.registeredArguments[0]?.name();
  if (name === 'stage') return Object.keys(STAGES);
  if (name === 'shell') return SHELLS;
  return name?.includes('|') ? name.split('|') : undefined;
}

function bashScript(program: Command): string {
  const cases = program.commands.map((command) => {
    const flags = shownOptions(command).map(({ long }) => long);
    return `    ${command.name()}) words='${[...flags, '--help'].join(' ')}' ;;`;
  });
  const firsts = program.commands.flatMap((command) => {
    const words = firstArgument(command);
    return words === undefined ? [] : [`      ${command.name()}) first='${words.join(' ')}' ;;`];
  });
  const names = program.commands.map((command) => command.name()).join(' ');
  return `# bash completion for holdfast
_holdfast() {
  local word=\${COMP_WORDS[COMP_CWORD]} words='${names} help --help --version' first=''
  if [ "$COMP_CWORD" -gt 1 ]; then
    case \${COMP_WORDS[1]} in
${cases.join('\n')}
    *) words='' ;;
    esac
    if [ "$COMP_CWORD" -eq 2 ]; then
      case \${COMP_WORDS[1]} in
${firsts.join('\n')}
      help) first='${names}' ;;
      esac
    fi
    if [[ $word != -* ]]; then
      if [ -n "$first" ]; then
        COMPREPLY=($(compgen -W "$first" -- "$word"))
      else
        COMPREPLY=($(compgen -f -- "$word"))
      fi
      return
    fi
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o filenames -F _holdfast holdfast
`;
}

function zshScript(program: Command): string {
  const names = program.commands.map(
    (command) => `    ${quote(`${command.name()}:${command.description().replaceAll(':', '\\:')}`)}`,
  );
  const cases = program.commands.map((command) => {
    const options = shownOptions(command).map(({ long, description, required, optional }) => {
      const text = description.replaceAll(/[[\]]/g, '\\$&');
      return quote(`${long}${required ? '=' : ''}[${text}]${required ? ':value:_files' : optional ? '::value:' : ''}`);
    });
    const words = firstArgument(command);
    const first = words === undefined ? [] : [quote(`1:word:(${words.join(' ')})`)];
    const parts = [...options, quote('--help[show help]'), ...first, quote('*:file:_files')];
    return `    ${command.name()}) _arguments ${parts.join(' ')} ;;`;
  });
  return `#compdef holdfast
# zsh completion for holdfast
_holdfast() {
  local -a commands=(
${names.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join('\n')}
  esac
}
if [ "$funcstack[1]" = _holdfast ]; then _holdfast "$@"; else compdef _holdfast holdfast; fi
`;
}

function fishScript(program: Command): string {
  const lines = program.commands.flatMap((command) => {
    const name = command.name();
    const given = `-n '__fish_seen_subcommand_from ${name}'`;
    const words = firstArgument(command);
    return [
      `complete -c holdfast -f -n __fish_use_subcommand -a ${name} -d ${quote(command.description())}`,
      ...shownOptions(command).map(
        ({ long, description, required }) =>
          `complete -c holdfast ${given} -l ${long?.slice(2)}${required ? ' -r' : ''} -d ${quote(description)}`,
      ),
      ...(words === undefined ? [] : [`complete -c holdfast ${given} -f -a ${quote(words.join(' '))}`]),
    ];
  });
  return `# fish completion for holdfast\n${lines.join('\n')}\n`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
