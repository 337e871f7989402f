// The package managers of the distributions: which one a root has, by its os-release, and the commands that each takes
// for the four things that a step can ask for. Commands are argument arrays: a name never passes a shell.

import type { Facts } from '../facts.ts';

export type Command = readonly [string, ...string[]];

export type ManagerName = 'apt' | 'dnf' | 'zypper' | 'pacman' | 'apk';

/** Says yes by status 0, and by a line that it prints, if one is given. */
export interface Query {
  argv: Command;
  prints?: string;
}

export interface PackageManager {
  name: ManagerName;
  /** Fetches the lists of packages. */
  refresh: Command;
  upgrade: Command;
  install: (names: readonly string[]) => Command;
  remove: (names: readonly string[]) => Command;
  /** Ways to ask, of which one says yes when a package is installed; absent where removing what isn't there is no error. */
  isInstalled?: (name: string) => readonly Query[];
  /** Statuses besides 0 after which the work is done, with what they say. */
  successes: ReadonlyMap<number, string>;
  environment: Readonly<Record<string, string>>;
  /** The files that change when the set of installed packages does; the first one that is there counts. */
  databases: readonly string[];
}

const apt = (...args: string[]): Command => [
  'apt-get',
  '-y',
  // A changed configuration file is the owner's: dpkg would ask, and there is nobody to answer.
  ...['-o', 'Dpkg::Options::=--force-confdef', '-o', 'Dpkg::Options::=--force-confold'],
  // At boot another apt may be at work.
  ...['-o', 'DPkg::Lock::Timeout=120'],
  ...args,
];
const zypper = (...args: string[]): Command => ['zypper', '--non-interactive', ...args];

const RPM_DATABASES = [
  '/usr/lib/sysimage/rpm/rpmdb.sqlite',
  '/usr/lib/sysimage/rpm/Packages.db',
  '/var/lib/rpm/rpmdb.sqlite',
  '/var/lib/rpm/Packages.db',
  '/var/lib/rpm/Packages',
];
const inRpmDatabase = (name: string): readonly Query[] => [
  { argv: ['rpm', '-q', '--', name] },
  { argv: ['rpm', '-q', '--whatprovides', '--', name] },
];

const MANAGERS: Readonly<Record<ManagerName, PackageManager>> = {
  apt: {
    name: 'apt',
    refresh: apt('update'),
    upgrade: apt('upgrade'),
    install: (names) => apt('--no-install-recommends', 'install', ...names),
    remove: (names) => apt('remove', ...names),
    // dpkg knows removed packages too, while their configuration is kept.
    isInstalled: (name) => [
      // biome-ignore lint/suspicious/noTemplateCurlyInString: this is dpkg-query's own placeholder
      { argv: ['dpkg-query', '-W', '-f', '${db:Status-Status}\\n', '--', name], prints: 'installed' },
    ],
    successes: new Map(),
    environment: { DEBIAN_FRONTEND: 'noninteractive' },
    databases: ['/var/lib/dpkg/status'],
  },
  dnf: {
    name: 'dnf',
    refresh: ['dnf', 'makecache'],
    upgrade: ['dnf', 'update', '-y'],
    install: (names) => ['dnf', 'install', '-y', '--setopt=install_weak_deps=False', ...names],
    remove: (names) => ['dnf', 'remove', '-y', ...names],
    isInstalled: inRpmDatabase,
    successes: new Map(),
    environment: {},
    databases: RPM_DATABASES,
  },
  zypper: {
    name: 'zypper',
    refresh: zypper('refresh'),
    upgrade: zypper('update', '-y'),
    install: (names) => zypper('install', '-y', '--no-recommends', ...names),
    remove: (names) => zypper('remove', '-y', ...names),
    isInstalled: inRpmDatabase,
    // zypper(8), exit codes: these inform, the work is done.
    successes: new Map([
      [100, 'updates are available'],
      [101, 'security updates are available'],
      [102, 'a reboot is needed'],
      [103, 'the package manager itself was updated and wants to be run again'],
      [106, 'some repositories were skipped, since they could not be refreshed'],
    ]),
    environment: {},
    databases: RPM_DATABASES,
  },
  pacman: {
    name: 'pacman',
    refresh: ['pacman', '-Sy', '--noconfirm'],
    upgrade: ['pacman', '-Syu', '--noconfirm'],
    // Without --needed what is installed would be installed again each time.
    install: (names) => ['pacman', '-S', '--noconfirm', '--needed', ...names],
    remove: (names) => ['pacman', '-R', '--noconfirm', ...names],
    isInstalled: (name) => [{ argv: ['pacman', '-Qq', name] }, { argv: ['pacman', '-Qqg', name] }],
    successes: new Map(),
    environment: {},
    databases: ['/var/lib/pacman/local'],
  },
  apk: {
    name: 'apk',
    refresh: ['apk', 'update'],
    upgrade: ['apk', 'upgrade', '--no-cache'],
    install: (names) => ['apk', 'add', '--no-cache', ...names],
    remove: (names) => ['apk', 'del', '--no-cache', ...names],
    successes: new Map(),
    environment: {},
    databases: ['/lib/apk/db/installed', '/usr/lib/apk/db/installed'],
  },
};

/** os-release's ID, or a word of ID_LIKE, and the manager of that distribution (yip v1.24, and their kin). */
const DISTRIBUTIONS: ReadonlyMap<string, ManagerName> = new Map([
  ...(['debian', 'ubuntu'] as const).map((id) => [id, 'apt'] as const),
  ...(['fedora', 'rocky', 'ol', 'almalinux', 'rhel', 'centos', 'openEuler'] as const).map((id) => [id, 'dnf'] as const),
  ...(['opensuse-leap', 'opensuse-tumbleweed', 'opensuse', 'suse', 'sles'] as const).map(
    (id) => [id, 'zypper'] as const,
  ),
  ['arch', 'pacman'],
  ['alpine', 'apk'],
]);

/** The manager of the root's distribution: by its ID, else by the nearest of its relatives that is known. */
export function findManager(facts: Pick<Facts, 'osRelease'>): PackageManager | undefined {
  const ids = [facts.osRelease('ID'), ...facts.osRelease('ID_LIKE').split(/\s+/)];
  for (const id of ids) {
    const name = DISTRIBUTIONS.get(id);
    if (name !== undefined) return MANAGERS[name];
  }
  return undefined;
}

/** What os-release says about the distribution, for a message. */
export function describeDistribution(facts: Pick<Facts, 'osRelease'>): string {
  const [id, like] = [facts.osRelease('ID'), facts.osRelease('ID_LIKE')];
  if (id === '' && like === '') return 'its os-release names none';
  return `its os-release says ID=${id}${like === '' ? '' : `, ID_LIKE="${like}"`}`;
}
