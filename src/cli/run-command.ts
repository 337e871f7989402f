// `holdfast run`: shell lines that are run in every system to come.

import { quote } from '../overlay/capture/shell-words.ts';
import { ownerChange } from '../owner/change.ts';
import { addRequest, listRequests, removeRequest } from '../owner/owner-file.ts';
import { readOwnerFile } from '../owner/owner-place.ts';
import { type CommandRequest, requestId } from '../owner/request.ts';
import { HoldfastError } from '../system/errors.ts';
import { Root } from '../system/root.ts';
import { changeOwnerFile, finishChange, type NowFlags, type OwnerFlags, ownerPlaces } from './owner-change.ts';
import type { CommandContext } from './program.ts';

type RunFlags = OwnerFlags & NowFlags & { list?: boolean; remove?: string };

export async function runCommand(context: CommandContext, words: string[], flags: RunFlags): Promise<number> {
  const asked = [words.length > 0, flags.list, flags.remove !== undefined].filter(Boolean).length;
  if (asked !== 1) {
    throw new HoldfastError(
      'HF-USAGE',
      asked === 0 ? 'no command is named' : 'a command, --list and --remove exclude each other',
      {
        hint: 'holdfast run -- COMMAND…; holdfast run --list; holdfast run --remove ID',
      },
    );
  }
  const [verb = ''] = words;
  if (['list', 'remove', 'add'].includes(verb) && !/\s--\s/.test(context.commandLine)) {
    throw new HoldfastError('HF-USAGE', `"${verb}" would be kept as a command`, {
      hint: `to list and to remove: holdfast run --list, holdfast run --remove ID; a program of that name: holdfast run -- ${verb}`,
    });
  }
  if (flags.list) return listCommands(context, flags);
  if (flags.remove !== undefined) return removeCommand(context, flags.remove, flags);
  const request: CommandRequest = { kind: 'command', text: shellLine(words) };
  const plan = await changeOwnerFile(context, flags, (file) => {
    const after = addRequest(file, request);
    return { file: after, changes: [ownerChange(after === file ? 'kept-already' : 'added', request)] };
  });
  return finishChange(context, plan, flags);
}

/**
 * One word is a line of the shell as it stands; several are a program and its arguments.
 * @throws HoldfastError HF-USAGE for an empty one.
 */
export function shellLine(words: readonly string[]): string {
  const [only = '', ...more] = words;
  const text = more.length === 0 ? only.trim() : words.map(quote).join(' ');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: YAML has no form for them
  if (text === '' || /[\x00-\x08\x0b-\x1f\x7f]/.test(text)) {
    throw new HoldfastError('HF-USAGE', 'this is no command', {
      hint: "for example: holdfast run -- 'echo hello > /etc/greeting'",
    });
  }
  return text;
}

function commandsOf(root: Root): CommandRequest[] {
  return listRequests(readOwnerFile(ownerPlaces(root).oemDirectory)).filter((one) => one.kind === 'command');
}

function listCommands({ reporter }: CommandContext, flags: RunFlags): number {
  const commands = commandsOf(new Root(flags.root));
  const value = commands.map((request) => ({ id: requestId(request), text: request.text }));
  reporter.result(
    { commands: value },
    commands.length === 0
      ? ['No command is kept.', '  holdfast run -- COMMAND…']
      : value.map(({ id, text }) => `${id}  ${text.replaceAll('\n', '\n          ')}`),
  );
  return 0;
}

async function removeCommand(context: CommandContext, id: string, flags: RunFlags): Promise<number> {
  const plan = await changeOwnerFile(context, flags, (file) => {
    const request = listRequests(file).find(
      (one) => one.kind === 'command' && (requestId(one) === id || one.text === id),
    );
    if (request === undefined) {
      throw new HoldfastError('HF-USAGE', `no command ${JSON.stringify(id)} is kept`, {
        hint: 'see holdfast run --list',
      });
    }
    return { file: removeRequest(file, request), changes: [ownerChange('removed', request)] };
  });
  return finishChange(context, plan, flags);
}
