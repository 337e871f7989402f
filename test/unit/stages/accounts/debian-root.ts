// A root with the account files of Debian 12, and what the tests of steps look at in them.

import { readFileSync } from 'node:fs';
import type { StageResult } from '../../../../src/stages/run.ts';
import type { Root } from '../../../../src/system/root.ts';
import { temporaryRoot } from '../temporary-root.ts';

export const ACCOUNT_FILES = ['passwd', 'shadow', 'group', 'gshadow'] as const;

const FIXTURES = new URL('../../../fixtures/accounts/debian-12/', import.meta.url);

/** The files as Debian has them. */
export function debianFiles(): Record<string, string> {
  return Object.fromEntries(
    ACCOUNT_FILES.map((name) => [`etc/${name}`, readFileSync(new URL(name, FIXTURES), 'utf8')]),
  );
}

/** A root with these files, and others in place of or beside them; an empty text leaves a file out. */
export function debianRoot(files: Readonly<Record<string, string | undefined>> = {}): Root {
  const all = Object.entries({ ...debianFiles(), ...files });
  return temporaryRoot(Object.fromEntries(all.flatMap(([path, text]) => (text === undefined ? [] : [[path, text]]))));
}

/** The lines that a root's account files have and Debian's haven't, each with its file. */
export function newLines(root: Root): string[] {
  const old = debianFiles();
  return ACCOUNT_FILES.flatMap((name) => {
    const known = new Set(old[`etc/${name}`]?.split('\n'));
    const lines = root.readTextIfThere(`/etc/${name}`)?.split('\n') ?? [];
    return lines.filter((line) => !known.has(line)).map((line) => `${name} ${line}`);
  });
}

/** The line of a name in one of the files. */
export function lineOf(root: Root, file: (typeof ACCOUNT_FILES)[number], name: string): string | undefined {
  return root
    .readText(`/etc/${file}`)
    .split('\n')
    .find((line) => line.startsWith(`${name}:`));
}

export function warningsOf(result: StageResult): string[] {
  return result.problems.filter(({ severity }) => severity === 'warning').map(({ message }) => message);
}

/** Days since 1970, as shadow has them. */
export const today = () => String(Math.floor(Date.now() / 86_400_000));
