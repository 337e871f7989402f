// The completion script for zsh: a function for each command, which hands its options and arguments to _arguments.

import { allNodes, type CompletionNode, type CompletionOption } from './tree.ts';
import { IMAGE_PREFIXES, type Value } from './values.ts';

/** @param tree of the whole program. */
export function zshScript(tree: CompletionNode): string {
  return `#compdef holdfast
# zsh completion for holdfast

_holdfast_images() {
  if compset -P '*:'; then
    [[ $IPREFIX == docker: ]] || _files
  else
    _alternative 'kinds:kind of image:compadd -S "" -- ${IMAGE_PREFIXES.join(' ')}' 'files:file:_files'
  fi
}

_holdfast_machine() {
  local -a words=("\${(@f)$($service complete $1 2> /dev/null)}")
  compadd -a words
}

# Commands, as arguments of help and man: the words so far say below which.
_holdfast_commands() {
  local -A children=(
${allNodes(tree)
  .filter(({ children }) => children.length > 0)
  .map(
    ({ path, children }) =>
      `    ${quote(path === '' ? '-' : path)} ${quote(children.map(({ name }) => name).join(' '))}`,
  )
  .join('\n')}
  )
  local -a before=("\${(@)words[2,CURRENT-1]}")
  compadd -- \${=children[\${\${(j: :)before}:--}]}
}

${allNodes(tree).map(functionOf).join('\n')}
if [ "$funcstack[1]" = _holdfast ]; then _holdfast "$@"; else compdef _holdfast holdfast; fi
`;
}

function functionOf(node: CompletionNode): string {
  const specs = node.options.map(optionSpec);
  if (node.children.length === 0) {
    const positional = node.arguments.map((value, index) => quote(`${index + 1}:${label(value)}:${action(value)}`));
    const rest = node.rest === undefined ? [] : [quote(`*:${label(node.rest)}:${action(node.rest)}`)];
    return `${nameOf(node)}() {
  _arguments -s ${[...specs, ...positional, ...rest].join(' \\\n    ')}
}
`;
  }
  const commands = node.children.map(({ name, description }) => `    ${quote(`${name}:${plain(description)}`)}`);
  const branches = node.children.map((child) => `        ${child.name}) ${nameOf(child)} ;;`);
  return `${nameOf(node)}() {
  local context state state_descr line
  typeset -A opt_args
  local -a commands=(
${commands.join('\n')}
  )
  _arguments -C ${[...specs, "'1: :->command'", "'*:: :->arguments'"].join(' \\\n    ')}
  case $state in
    command) _describe command commands ;;
    arguments)
      case $line[1] in
${branches.join('\n')}
      esac
      ;;
  esac
}
`;
}

function nameOf({ path }: CompletionNode): string {
  return ['_holdfast', ...path.split(' ').filter((part) => part !== '')].join('_').replaceAll('-', '_');
}

function optionSpec({ long, short, description, value, optional }: CompletionOption): string {
  const repeats = description.includes('may be repeated') ? '*' : '';
  const excluded = repeats !== '' || short === undefined ? '' : `(${short} ${long})`;
  const text = `[${plain(description)}]${value === undefined ? '' : `${optional ? '::' : ':'}${label(value)}:${action(value)}`}`;
  const names = [
    ...(short === undefined ? [] : [`${short}${value === undefined ? '' : '+'}`]),
    `${long}${value === undefined ? '' : '='}`,
  ];
  return names.map((name) => quote(`${repeats}${excluded}${name}${text}`)).join(' ');
}

function label(value: Value): string {
  return {
    words: 'word',
    files: 'file',
    directories: 'directory',
    images: 'image',
    machine: 'name',
    commands: 'command',
    nothing: 'value',
  }[value.from];
}

function action(value: Value): string {
  switch (value.from) {
    case 'words':
      return `(${value.words.map((word) => word.replaceAll(':', '\\:')).join(' ')})`;
    case 'files':
      return '_files';
    case 'directories':
      return '_files -/';
    case 'images':
      return '_holdfast_images';
    case 'machine':
      return `{_holdfast_machine ${value.topic}}`;
    case 'commands':
      return '_holdfast_commands';
    case 'nothing':
      return ' ';
  }
}

/** Without what has a meaning in a specification. */
function plain(text: string): string {
  return text.replaceAll(/[\\[\]:]/g, '\\$&');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
