// `sysctl`: kernel settings through the root's /proc/sys. Dots of a key separate its parts; where a part has dots of its
// own, as interface names do, the key is written with slashes.

import { readFileSync, writeFileSync } from 'node:fs';
import { errnoOf, HoldfastError } from '../../system/errors.ts';
import type { StepHandler } from './handler.ts';

export const sysctl: StepHandler<'sysctl'> = {
  key: 'sysctl',
  describe: (value) => [...value].map(([key, setting]) => `set the kernel's ${key} to ${setting}`),
  apply(value, { root, changed, fail }) {
    for (const [key, setting] of value) {
      try {
        const path = sysctlPath(key);
        if (path === undefined || !root.exists(path)) {
          throw new HoldfastError('HF-CONFIG', `the kernel has no setting ${key}`);
        }
        const file = root.resolve(path);
        const before = readSetting(file);
        write(file, setting, key);
        // Written in any case: some settings are switches, which act each time.
        if (before !== normalize(setting)) changed(path);
      } catch (error) {
        fail(error);
      }
    }
  },
};

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

/** The file of a setting; undefined for a key that would lead out of /proc/sys. */
export function sysctlPath(key: string): string | undefined {
  // sysctl(8): the first separator decides; after a slash, dots belong to the names.
  const bySlash = /^[^.]*\//.test(key);
  const parts = (bySlash ? key : key.replaceAll('.', '/')).split('/').filter((part) => part !== '');
  if (parts.length === 0 || parts.includes('..') || parts.includes('.')) return undefined;
  return `/proc/sys/${parts.join('/')}`;
}
