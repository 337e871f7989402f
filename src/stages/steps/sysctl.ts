// `sysctl`: kernel settings through the root's /proc/sys. Dots of a key separate its parts; where a part has dots of its
// own, as interface names do, the key is written with slashes.

import { writeFileSync } from 'node:fs';
import { HoldfastError } from '../../system/errors.ts';
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
        writeFileSync(root.resolve(path), setting);
        changed(path);
      } catch (error) {
        fail(error);
      }
    }
  },
};

/** The file of a setting; undefined for a key that would lead out of /proc/sys. */
export function sysctlPath(key: string): string | undefined {
  // sysctl(8): the first separator decides; after a slash, dots belong to the names.
  const bySlash = /^[^.]*\//.test(key);
  const parts = (bySlash ? key : key.replaceAll('.', '/')).split('/').filter((part) => part !== '');
  if (parts.length === 0 || parts.includes('..') || parts.includes('.')) return undefined;
  return `/proc/sys/${parts.join('/')}`;
}
