// The files that package managers keep their own record in. They are never carried as files: the old base's record beside
// the new base's files would make both untrue. What the owner decided in them (alternatives, owners and modes that override
// a package's) is no record of packages and stays with the files.

import type { DatabaseName } from './model.ts';

interface Database {
  name: DatabaseName;
  /** The file that says that a tree has it; the first one that is there counts. */
  signs: readonly string[];
  /** Directories and files that are the record, with what is below them. */
  records: readonly string[];
}

export const DATABASES: readonly Database[] = [
  {
    name: 'dpkg',
    signs: ['/var/lib/dpkg/status'],
    records: [
      ...['arch', 'available', 'available-old', 'cmethopt', 'diversions-old', 'info', 'lock', 'lock-frontend'],
      ...['methlock', 'methods', 'parts', 'status', 'status-old', 'statoverride-old', 'triggers', 'updates'],
    ]
      .map((name) => `/var/lib/dpkg/${name}`)
      // Which packages are there for others only: part of the same record, and lists that are fetched anew.
      .concat('/var/lib/apt'),
  },
  {
    name: 'rpm',
    signs: [
      '/usr/lib/sysimage/rpm/rpmdb.sqlite',
      '/usr/lib/sysimage/rpm/Packages.db',
      '/var/lib/rpm/rpmdb.sqlite',
      '/var/lib/rpm/Packages.db',
      '/var/lib/rpm/Packages',
    ],
    records: ['/usr/lib/sysimage/rpm', '/var/lib/rpm', '/var/lib/dnf', '/usr/lib/sysimage/libdnf5', '/var/lib/zypp'],
  },
  {
    name: 'apk',
    signs: ['/lib/apk/db/installed', '/usr/lib/apk/db/installed'],
    records: ['/lib/apk', '/usr/lib/apk', '/etc/apk/world'],
  },
];

const RECORDS = new Set(DATABASES.flatMap(({ records }) => records));

/**
 * Whether a path belongs to the record of a package manager.
 * @param path inside the root, absolute and without links.
 */
export function isPackageRecord(path: string): boolean {
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
    if (RECORDS.has(path.slice(0, end))) return true;
  }
  return false;
}
