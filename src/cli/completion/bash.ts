// The completion script for bash. It reads the line itself instead of bash's words, which are broken at the colons of
// image names and at "="; what it offers is cut to what bash replaces.

import { allNodes, type CompletionNode } from './tree.ts';
import { IMAGE_PREFIXES, type Value } from './values.ts';

/** @param tree of the whole program. */
export function bashScript(tree: CompletionNode): string {
  const nodes = allNodes(tree);
  const children = nodes.filter((node) => node.children.length > 0);
  return `# bash completion for holdfast

# The commands below a path of commands.
_holdfast_children() {
  case $1 in
${children.map((node) => `    ${quote(node.path)}) REPLY=${quote(node.children.map(({ name }) => name).join(' '))} ;;`).join('\n')}
    *) REPLY='' ;;
  esac
}

_holdfast_options() {
  case $1 in
${nodes.map((node) => `    ${quote(node.path)}) REPLY=${quote(wordsOfOptions(node))} ;;`).join('\n')}
    *) REPLY='' ;;
  esac
}

# What comes after an option: "PATH OPTION".
_holdfast_value() {
  case $1 in
${cases(nodes.flatMap(optionValues))}
    *) REPLY='' ;;
  esac
}

# What an argument may be: "PATH NUMBER", or "PATH +" for all that follow.
_holdfast_argument() {
  case $1 in
${cases(nodes.flatMap(argumentValues))}
    *) REPLY='' ;;
  esac
}

_holdfast_offer() {
  local kind=$1 word=$2 file scheme=''
  case $kind in
    words:*)
      COMPREPLY=($(compgen -W "\${kind#words:}" -- "$word"))
      [[ \${COMPREPLY[*]} == *: ]] && compopt -o nospace 2> /dev/null
      ;;
    machine:*) COMPREPLY=($(compgen -W "$("\${COMP_WORDS[0]}" complete "\${kind#machine:}" 2> /dev/null)" -- "$word")) ;;
    directories)
      compopt -o filenames 2> /dev/null
      mapfile -t COMPREPLY < <(compgen -d -- "$word")
      ;;
    files)
      compopt -o filenames 2> /dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      ;;
    images)
      [[ $word == *:* ]] && scheme=\${word%%:*}:
      [ "$scheme" = docker: ] && return
      [ -z "$scheme" ] && COMPREPLY=($(compgen -W ${quote(IMAGE_PREFIXES.join(' '))} -- "$word"))
      # Bash would quote the colon of a file name.
      while IFS= read -r file; do
        [ -d "$file" ] && file=$file/
        printf -v file %q "$file"
        COMPREPLY+=("$scheme$file")
      done < <(compgen -f -- "\${word#"$scheme"}")
      [[ \${COMPREPLY[*]} == *[:/] ]] && compopt -o nospace 2> /dev/null
      ;;
  esac
}

_holdfast() {
  local line=\${COMP_LINE:0:COMP_POINT} REPLY word current path='' asked='' kind='' count=0 index IFS=$' \\t\\n'
  local -a typed
  COMPREPLY=()
  read -a typed <<< "$line"
  [[ $line == *[[:space:]] ]] && typed+=('')
  current=\${typed[\${#typed[@]} - 1]}
  for ((index = 1; index < \${#typed[@]} - 1; index++)); do
    word=\${typed[index]}
    if [ -n "$kind" ] && [[ $word != -* ]]; then
      kind=''
      continue
    fi
    kind=''
    case $word in
      -*=*) ;;
      -*)
        _holdfast_value "$path $word"
        kind=$REPLY
        ;;
      *)
        _holdfast_children "$path"
        if [[ " $REPLY " == *" $word "* ]]; then
          path=\${path:+$path }$word
        else
          count=$((count + 1))
        fi
        ;;
    esac
    # The words after "help" and "man" are commands themselves.
    [ "$count" -gt 0 ] && asked=\${asked:+$asked }$word
  done
  case $current in
    --*=*)
      _holdfast_value "$path \${current%%=*}"
      _holdfast_offer "$REPLY" "\${current#*=}"
      current=\${current#*=}
      ;;
    -*)
      _holdfast_options "$path"
      _holdfast_offer "words:$REPLY" "$current"
      ;;
    *)
      if [ -z "$kind" ]; then
        _holdfast_children "$path"
        kind=\${REPLY:+words:$REPLY}
      fi
      if [ -z "$kind" ]; then
        _holdfast_argument "$path $count"
        kind=$REPLY
      fi
      if [ -z "$kind" ]; then
        _holdfast_argument "$path +"
        kind=$REPLY
      fi
      if [ "$kind" = commands ]; then
        _holdfast_children "$asked"
        kind=words:$REPLY
      fi
      _holdfast_offer "$kind" "$current"
      ;;
  esac
  # Bash replaces what comes after the last of its word breaks only.
  if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
    word=\${current%"\${current##*:}"}
    for index in "\${!COMPREPLY[@]}"; do COMPREPLY[index]=\${COMPREPLY[index]#"$word"}; done
  fi
}
complete -F _holdfast holdfast
`;
}

function wordsOfOptions({ options }: CompletionNode): string {
  return options.map(({ long }) => long).join(' ');
}

type Entry = readonly [key: string, value: Value];

function optionValues({ path, options }: CompletionNode): Entry[] {
  return options.flatMap(({ long, short, value }): Entry[] =>
    value === undefined
      ? []
      : [long, ...(short === undefined ? [] : [short])].map((name) => [`${path} ${name}`, value]),
  );
}

function argumentValues({ path, arguments: values, rest }: CompletionNode): Entry[] {
  return [
    ...values.map((value, index): Entry => [`${path} ${index}`, value]),
    ...(rest === undefined ? [] : [[`${path} +`, rest] as const]),
  ];
}

/** One branch for all that have the same value. */
function cases(entries: readonly Entry[]): string {
  const byValue = new Map<string, string[]>();
  for (const [key, value] of entries) {
    const text = encode(value);
    byValue.set(text, [...(byValue.get(text) ?? []), key]);
  }
  return [...byValue].map(([text, keys]) => `    ${keys.map(quote).join(' | ')}) REPLY=${quote(text)} ;;`).join('\n');
}

function encode(value: Value): string {
  if (value.from === 'words') return `words:${value.words.join(' ')}`;
  if (value.from === 'machine') return `machine:${value.topic}`;
  return value.from;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
