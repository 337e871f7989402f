// `holdfast grubenv`: variables of a GRUB environment block, written the way GRUB can follow.

import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import {
  changeVariables,
  readGrubEnvironment,
  serialiseGrubEnvironment,
  writeGrubEnvironment,
} from '../boot/grub-environment.ts';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import { lockDirectoryUntilEnd } from '../system/lock.ts';
import { UndoStack } from '../system/plan.ts';
import type { CommandContext } from './program.ts';

export async function grubenvCommand(
  { reporter }: CommandContext,
  [verb, ...names]: string[],
  { file, dryRun = false }: { file: string; dryRun?: boolean },
): Promise<number> {
  if (verb === 'get') {
    const all = readGrubEnvironment(file);
    const unknown = names.filter((name) => !all.has(name));
    const shown = [...all].filter(([name]) => names.length === 0 || names.includes(name));
    reporter.result(
      { file, variables: Object.fromEntries(shown) },
      shown.map(([name, value]) => (names.length === 1 ? value : `${name}=${value}`)),
    );
    return unknown.length === 0 ? 0 : 1;
  }
  if (verb !== 'set' && verb !== 'unset') {
    throw new HoldfastError('HF-USAGE', `grubenv can't ${verb}`, { hint: 'use get, set or unset' });
  }
  if (names.length === 0) throw new HoldfastError('HF-USAGE', `grubenv ${verb}: no variable is named`);
  const changes = verb === 'set' ? assignments(names) : Object.fromEntries(names.map((name) => [name, undefined]));
  if (dryRun) {
    const variables = changeVariables(readGrubEnvironment(file), changes);
    serialiseGrubEnvironment(variables);
    const lines = [...variables].map(([name, value]) => `  ${name}=${value}`);
    reporter.result({ file, outcome: 'planned', variables: Object.fromEntries(variables) }, [
      `${file} would say (nothing was changed):`,
      ...lines,
    ]);
    return 0;
  }
  const undo = new UndoStack();
  try {
    // Two at once would each write what they have read, and one change would be lost.
    await lockDirectoryUntilEnd(undo, requireDirectory(file), LOCK_SECONDS);
    writeGrubEnvironment(file, changes);
  } catch (error) {
    const reason = REASONS.get(errnoOf(error) ?? '');
    if (reason === undefined) throw error;
    throw new HoldfastError('HF-IO', `${file} can't be written: ${reason}`, { cause: error });
  } finally {
    await undo.unwind(true);
  }
  reporter.result({ file, outcome: 'ok' }, []);
  return 0;
}

const REASONS: ReadonlyMap<string, string> = new Map([
  ['EROFS', 'its file system is read-only'],
  ['EACCES', 'that is not allowed'],
  ['EPERM', 'that is not allowed'],
  ['ENOSPC', 'its file system is full'],
]);

/** How long to wait for another change of a file in the same directory; one takes milliseconds. */
const LOCK_SECONDS = 10;

function requireDirectory(file: string): string {
  const directory = dirname(resolve(file));
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return directory;
  throw new HoldfastError('HF-IO', `there is no directory ${directory}`, {
    hint: 'name the environment block with --file; the one for an owner is grubenv on the partition COS_OEM',
  });
}

function assignments(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf('=');
      if (at < 1) {
        throw new HoldfastError('HF-USAGE', `${word} is no assignment`, { hint: 'write NAME=VALUE' });
      }
      const value = word.slice(at + 1);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
      if (/[\x00-\x1f\x7f]/.test(value)) {
        throw new HoldfastError('HF-USAGE', `the value of ${word.slice(0, at)} has a control character`, {
          hint: 'a value is one line of text: GRUB shows it, or the kernel gets it as arguments',
        });
      }
      return [word.slice(0, at), value];
    }),
  );
}
