// `sysctl`: kernel settings through the root's /proc/sys. Dots of a key separate its parts; where a part has dots of its
// own, as interface names do, the key is written with slashes.

import { readFileSync, writeFileSync } from 'node:fs';
import { errnoOf, HoldfastError } from '../../system/errors.ts';
import { attempt, type StepContext, type StepHandler } from './handler.ts';

export const sysctl: StepHandler<'sysctl'> = {
  key: 'sysctl',
  describe: (value) => [...value].map(([key, setting]) => `set the kernel's ${key} to ${setting}`),
  async apply(value, context) {
    for (const [key, setting] of value) await attempt(context, () => applySetting(key, setting, context));
  },
};

function applySetting(key: string, setting: string, { root, changed }: StepContext): void {
  const path = sysctlPaths(key).find((candidate) => root.exists(candidate));
  if (path === undefined) {
    throw new HoldfastError('HF-CONFIG', `the kernel has no setting ${key}`, {
      ...(!root.exists('/proc/sys') && { hint: 'no /proc is mounted in this root' }),
    });
  }
  const file = root.resolve(path);
  const before = readSetting(file);
  write(file, setting, key);
  // Written in any case: some settings are switches, which act each time.
  if (before !== normalize(setting)) changed(path);
}

function write(file: string, setting: string, key: string): void {
  try {
    writeFileSync(file, setting);
  } catch (cause) {
    const message = `the kernel doesn't take ${JSON.stringify(setting)} for ${key} (${errnoOf(cause) ?? 'error'})`;
    throw new HoldfastError('HF-IO', message, { cause });
  }
}

/** Undefined for a switch that can only be written. */
function readSetting(file: string): string | undefined {
  try {
    return normalize(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** The kernel separates the numbers of a list by tabs. */
function normalize(setting: string): string {
  return setting.trim().replace(/\s+/g, ' ');
}

/** The files that a key may mean, the likeliest first; none for a key that would lead out of /proc/sys. */
export function sysctlPaths(key: string): string[] {
  // sysctl(8): the first separator decides; after a slash, dots belong to the names.
  if (/^[^.]*\//.test(key)) return insideSys(key);
  // After a dot, a slash stands for the dot of a name; with yip it separates as a dot does.
  const swapped = key.replace(/[./]/g, (separator) => (separator === '.' ? '/' : '.'));
  return [...new Set([...insideSys(swapped), ...insideSys(key.replaceAll('.', '/'))])];
}

function insideSys(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '');
  if (parts.length === 0 || parts.includes('..') || parts.includes('.')) return [];
  return [`/proc/sys/${parts.join('/')}`];
}
