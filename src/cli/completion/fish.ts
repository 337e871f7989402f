// The completion script for fish: one line for each command, option and argument, each with the path of commands that it
// belongs to.

import { allNodes, type CompletionNode, type CompletionOption } from './tree.ts';
import { IMAGE_PREFIXES, type Value } from './values.ts';

/** @param tree of the whole program. */
export function fishScript(tree: CompletionNode): string {
  const nodes = allNodes(tree);
  const valued = nodes.flatMap(({ options }) =>
    options.flatMap(({ long, short, value, optional }) =>
      value === undefined || optional ? [] : [long, ...(short === undefined ? [] : [short])],
    ),
  );
  return `# fish completion for holdfast

# The commands below a path of commands.
function __holdfast_children
    switch "$argv[1]"
${nodes
  .filter(({ children }) => children.length > 0)
  .map(
    ({ path, children }) =>
      `        case ${quote(path)}\n            printf '%s\\n' ${children.map(({ name }) => name).join(' ')}`,
  )
  .join('\n')}
    end
end

# Whether the line so far is a path of commands and, if it is given, that number of arguments ("+": that or more).
function __holdfast_at
    set -l path
    set -l count 0
    set -l is_value 0
    set -l words (commandline -opc)
    for word in $words[2..-1]
        if test $is_value = 1
            set is_value 0
        else if contains -- $word ${[...new Set(valued)].join(' ')}
            set is_value 1
        else if not string match -q -- '-*' $word
            if test $count = 0; and contains -- $word (__holdfast_children "$path")
                set -a path $word
            else
                set count (math $count + 1)
            end
        end
    end
    test "$path" = "$argv[1]"; or return 1
    set -q argv[2]; or return 0
    if string match -q -- '*+' $argv[2]
        test $count -ge (string replace + '' -- $argv[2])
    else
        test $count = $argv[2]
    end
end

# Commands, as arguments of help and man: the words so far say below which.
function __holdfast_commands
    set -l words (commandline -opc)
    __holdfast_children "$words[3..-1]"
end

function __holdfast_machine
    set -l program (commandline -opc)[1]
    $program complete $argv[1] 2>/dev/null
end

complete -c holdfast -f
${nodes.flatMap(linesOf).join('\n')}
`;
}

function linesOf(node: CompletionNode): string[] {
  const at = (count?: string) =>
    `-n ${quote(`__holdfast_at ${quoteInside(node.path)}${count === undefined ? '' : ` ${count}`}`)}`;
  const argument = (value: Value, count: string) => {
    const words = wordsOf(value);
    return words === undefined ? [] : [`complete -c holdfast ${at(count)} ${words}`];
  };
  return [
    ...node.children.map((child) => `complete -c holdfast ${at('0')} -a ${child.name} -d ${quote(child.description)}`),
    ...node.options.map((option) => `complete -c holdfast ${at()} ${optionWords(option)}`),
    ...node.arguments.flatMap((value, index) => argument(value, String(index))),
    ...(node.rest === undefined ? [] : argument(node.rest, `${node.arguments.length}+`)),
  ];
}

function optionWords({ long, short, description, value, optional }: CompletionOption): string {
  const letter = short === undefined ? '' : ` -s ${short.slice(1)}`;
  // -r: a value has to follow. An optional one is only known by "=".
  const takes = value === undefined || optional ? '' : ` -r ${wordsOf(value) ?? '-f'}`;
  const chosen = optional && value?.from === 'words' ? ` -f -a ${quote(value.words.join(' '))}` : '';
  return `-l ${long.slice(2)}${letter}${takes}${chosen} -d ${quote(description)}`;
}

/** What is offered; undefined where it is free text. */
function wordsOf(value: Value): string | undefined {
  switch (value.from) {
    case 'words':
      return `-f -a ${quote(value.words.join(' '))}`;
    case 'files':
      return '-F';
    case 'directories':
      return "-f -a '(__fish_complete_directories (commandline -ct))'";
    case 'images':
      return `-F -a ${quote(IMAGE_PREFIXES.join(' '))}`;
    case 'machine':
      return `-f -a ${quote(`(__holdfast_machine ${value.topic})`)}`;
    case 'commands':
      return "-f -a '(__holdfast_commands)'";
    case 'nothing':
      return undefined;
  }
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** For a word inside of a quoted command. */
function quoteInside(text: string): string {
  return `"${text}"`;
}
