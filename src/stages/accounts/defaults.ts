// /etc/default/useradd: where homes are, which shell and which group a new user gets. Assignments as a shell has them.

import type { Root } from '../../system/root.ts';

export interface UserDefaults {
  /** The directory of the homes. */
  base: string;
  shell: string;
  /** Name or number of the group of users that get none of their own. */
  group: string;
}

/** yip v1.24: the built-in values also fill what the file leaves out. */
export function readDefaults(root: Root): UserDefaults {
  const values = new Map<string, string>();
  for (const line of (root.readTextIfThere('/etc/default/useradd') ?? '').split('\n')) {
    const [, name = '', value = ''] = line.match(/^\s*(?:export\s+)?([A-Z_]+)=(.*)$/) ?? [];
    if (name !== '') values.set(name, value.trim().replace(/^(["'])(.*)\1$/, '$2'));
  }
  return {
    base: (values.get('HOME') || '/home').replace(/(?<=.)\/+$/, ''),
    shell: values.get('SHELL') || '/bin/sh',
    // useradd(8): 100, which is "users" everywhere.
    group: values.get('GROUP') || '100',
  };
}
