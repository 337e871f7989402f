// Which kind of thing a path of a system is, and so who wins where both sides changed it: a table, first match wins.
// Patterns are matched against bytes as latin1; `*` stays inside a name, `**` takes any number of them.

import type { TreePath } from '../../image/targettree.ts';
import { RECORD_FILES } from '../merge/record-table.ts';
import { isPackageRecord } from '../packages/databases.ts';

export type PathClass =
  | 'identity'
  | 'record'
  | 'package-database'
  | 'kernel-bound'
  | 'boot-generated'
  | 'regenerated'
  | 'log'
  | 'configuration'
  | 'vendor';

/** What happens to a user's change of such a path. */
export interface ClassPolicy {
  /**
   * user, new: wins a conflict; the loser is kept. always-user: nothing that the new base has here counts, and nothing is
   * asked. merge: record by record. drop: never carried.
   */
  treatment: 'user' | 'new' | 'always-user' | 'merge' | 'drop';
  /** For reports: why it isn't carried, or who wins. */
  because: string;
}

export const POLICIES: Readonly<Record<PathClass, ClassPolicy>> = {
  identity: { treatment: 'always-user', because: 'it is this machine’s identity' },
  record: { treatment: 'merge', because: 'it is merged record by record' },
  'package-database': { treatment: 'drop', because: 'the package manager writes it' },
  'kernel-bound': { treatment: 'drop', because: 'it belongs to the kernel or the policy of its image' },
  'boot-generated': { treatment: 'drop', because: 'every boot writes it' },
  regenerated: { treatment: 'drop', because: 'it is made again when it is needed' },
  log: { treatment: 'always-user', because: 'it is what happened on this machine' },
  configuration: { treatment: 'user', because: 'configuration and state are yours' },
  vendor: { treatment: 'new', because: 'the system’s own files follow the new image' },
};

/** The table. */
const PATTERNS: readonly (readonly [PathClass, readonly string[]])[] = [
  [
    'identity',
    [
      'etc/machine-id',
      'var/lib/dbus/machine-id',
      'etc/hostid',
      'etc/ssh/ssh_host_*_key',
      'etc/ssh/ssh_host_*_key.pub',
      'etc/iscsi/initiatorname.iscsi',
      'etc/nvme/hostnqn',
      'etc/nvme/hostid',
      'var/lib/systemd/random-seed',
      'var/lib/systemd/credential.secret',
    ],
  ],
  ['record', RECORD_FILES.map((name) => `etc/${name}`)],
  [
    'kernel-bound',
    [
      'boot/**',
      'lib/modules/**',
      'usr/lib/modules/**',
      'lib/firmware/**',
      'usr/lib/firmware/**',
      'vmlinuz',
      'vmlinuz.old',
      'initrd.img',
      'initrd.img.old',
      'etc/selinux/*/policy/**',
      'etc/selinux/*/contexts/files/*.bin',
      'var/lib/selinux/**',
    ],
  ],
  ['boot-generated', ['etc/fstab', 'var/lib/holdfast/written-by-stages']],
  [
    'regenerated',
    [
      '.holdfast-replay/**',
      'proc/**',
      'sys/**',
      'dev/**',
      'run/**',
      'tmp/**',
      'var/tmp/**',
      'var/run/**',
      'var/lock/**',
      'lost+found/**',
      'var/cache/**',
      'var/lib/apt/lists/**',
      'var/lib/systemd/catalog/database',
      'etc/ld.so.cache',
      'etc/.updated',
      'var/.updated',
      'etc/.pwd.lock',
      'etc/passwd-',
      'etc/group-',
      'etc/shadow-',
      'etc/gshadow-',
      'etc/subuid-',
      'etc/subgid-',
      'etc/udev/hwdb.bin',
      'usr/lib/udev/hwdb.bin',
      'usr/share/mime/mime.cache',
      'usr/share/applications/mimeinfo.cache',
      'usr/share/icons/*/icon-theme.cache',
      'usr/share/glib-2.0/schemas/gschemas.compiled',
      'usr/lib/**/giomodule.cache',
      'usr/lib/**/loaders.cache',
      'usr/share/info/dir',
      '**/__pycache__/**',
    ],
  ],
  ['log', ['var/log/**']],
  ['configuration', ['etc/**', 'var/**', 'root/**', 'home/**', 'srv/**', 'opt/**', 'usr/local/**']],
  ['vendor', ['usr/**', 'bin/**', 'sbin/**', 'lib/**', 'lib32/**', 'lib64/**', 'libx32/**']],
];

/** Programs that make again what isn't carried; asked for when the view's own was changed. */
export const REGENERATORS: readonly { path: TreePath; argv: readonly [string, ...string[]] }[] = [
  { path: 'etc/ld.so.cache', argv: ['ldconfig'] },
  { path: 'etc/udev/hwdb.bin', argv: ['systemd-hwdb', 'update'] },
  { path: 'usr/lib/udev/hwdb.bin', argv: ['systemd-hwdb', '--usr', 'update'] },
  { path: 'usr/share/mime/mime.cache', argv: ['update-mime-database', '/usr/share/mime'] },
  { path: 'usr/share/applications/mimeinfo.cache', argv: ['update-desktop-database', '-q'] },
  {
    path: 'usr/share/glib-2.0/schemas/gschemas.compiled',
    argv: ['glib-compile-schemas', '/usr/share/glib-2.0/schemas'],
  },
];

/** Takes a pattern for paths, written with or without a leading slash. */
export function patternOf(pattern: string): RegExp {
  const parts = pattern.replace(/^\/+/, '').split('/');
  let source = '';
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1;
    if (part === '**') {
      // At the end it stands for the directory too: its own mode belongs to the same class.
      source = isLast ? `${source.replace(/\/$/, '')}(?:${index === 0 ? '' : '/'}[^]*)?` : `${source}(?:[^/]+/)*`;
    } else {
      source += part.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '[^/]*') + (isLast ? '' : '/');
    }
  }
  return new RegExp(`^${source}$`);
}

/** The table by the first name of a path, so that few patterns are tried; under `` what fits any. */
const TABLE = new Map<string, (readonly [PathClass, RegExp])[]>();
for (const first of new Set(PATTERNS.flatMap(([, patterns]) => patterns.map(firstName)))) {
  const rows = PATTERNS.map(
    ([name, patterns]) =>
      [name, patterns.filter((pattern) => firstName(pattern) === first || firstName(pattern) === '')] as const,
  ).filter(([, patterns]) => patterns.length > 0);
  TABLE.set(
    first,
    rows.map(([name, patterns]) => [name, new RegExp(patterns.map((one) => patternOf(one).source).join('|'))]),
  );
}

/** The class of a path; what no pattern names is yours, since no image puts it there. */
export function classOf(path: TreePath): PathClass {
  if (isPackageRecord(`/${path}`)) return 'package-database';
  const slash = path.indexOf('/');
  const rows = TABLE.get(slash === -1 ? path : path.slice(0, slash)) ?? TABLE.get('') ?? [];
  for (const [name, pattern] of rows) if (pattern.test(path)) return name;
  return 'configuration';
}

function firstName(pattern: string): string {
  const first = pattern.split('/')[0] ?? '';
  return first.includes('*') ? '' : first;
}

/** Whether changes of this path ever reach a new view; of the others nothing but the name is read. */
export function isCarried(path: TreePath): boolean {
  return POLICIES[classOf(path)].treatment !== 'drop';
}
