// Which packages a tree has, as its own package manager says: each reads the database of its own version, and a journal
// that an interrupted run left. apk's list is a text, and read as such.

import { HoldfastError } from '../../system/errors.ts';
import { commandFailed } from '../../system/process.ts';
import { apkPackages, readApkWorld } from './apk-database.ts';
import { DATABASES } from './databases.ts';
import { isHalfInstalled, parseDpkgList, parseExtendedStates } from './dpkg-database.ts';
import { type DatabaseName, type PackageList, type PackageTree, packageKey } from './model.ts';
import { parseRpmList } from './rpm-database.ts';

/** More than any system's list takes. */
export const MAX_LIST_BYTES = 64 << 20;

/** Messages as they are written here, whatever the machine speaks. */
export const PLAIN = {
  LC_ALL: 'C.UTF-8',
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
};

/** The kind of database that a tree has; undefined when it has none. */
export function databaseOf({ root }: Pick<PackageTree, 'root'>): DatabaseName | undefined {
  return DATABASES.find(({ signs }) => signs.some((path) => root.stat(path)?.isFile()))?.name;
}

/** The bytes of a tree's database decide whether there is anything to do: equal ones hold equal packages. */
export function databaseFiles({ root }: Pick<PackageTree, 'root'>): string[] {
  const signs = DATABASES.flatMap((database) => database.signs);
  return [...signs, EXTENDED_STATES, FOREIGN].filter((path) => root.stat(path)?.isFile());
}

const EXTENDED_STATES = '/var/lib/apt/extended_states';
const FOREIGN = '/var/lib/dpkg/arch';

/**
 * Reads the list of a tree's packages.
 * @returns undefined when the tree has no database that is known here.
 * @throws HoldfastError HF-COMMAND when its manager fails, HF-STATE when a package of it is half installed.
 */
export async function readPackages(tree: PackageTree, signal?: AbortSignal): Promise<PackageList | undefined> {
  switch (databaseOf(tree)) {
    case 'dpkg':
      return readDpkg(tree, signal);
    case 'rpm':
      return {
        ...listOf('rpm', parseRpmList(await ask(tree, RPM_LIST, signal), zypperAutomatic(tree))),
      };
    case 'apk':
      return listOf('apk', apkPackages(tree.root, readApkWorld(tree.root)));
    case undefined:
      return undefined;
  }
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: these are dpkg-query's own placeholders
const DPKG_FORMAT = '${Package}\\t${Architecture}\\t${Version}\\t${db:Status-Abbrev}\\n';
const RPM_LIST = ['rpm', '-qa', '--qf', '%{NAME}\\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\t%{ARCH}\\n'] as const;

async function readDpkg(tree: PackageTree, signal: AbortSignal | undefined): Promise<PackageList> {
  const text = await ask(tree, ['dpkg-query', '--show', `--showformat=${DPKG_FORMAT}`], signal);
  const entries = parseDpkgList(text);
  const broken = entries.filter(isHalfInstalled).map(packageKey);
  if (broken.length > 0) {
    throw new HoldfastError('HF-STATE', `half installed in ${tree.root.directory}: ${broken.join(', ')}`, {
      hint: 'run "dpkg --configure -a" and "apt-get -f install" there, then try again',
    });
  }
  const automatic = parseExtendedStates(tree.root.readTextIfThere(EXTENDED_STATES) ?? '');
  const packages = entries.filter(({ state }) => state !== 'config-files');
  const list = listOf(
    'dpkg',
    packages.map(({ name, architecture, version, held }) => ({
      name,
      architecture,
      version,
      held,
      // apt notes packages for all architectures under the machine's own.
      automatic: automatic.has(packageKey({ name, architecture })) || (architecture === 'all' && automatic.has(name)),
    })),
  );
  const foreign = await ask(tree, ['dpkg', '--print-foreign-architectures'], signal);
  return {
    ...list,
    remains: new Set(entries.filter(({ state }) => state === 'config-files').map(packageKey)),
    foreignArchitectures: foreign.split('\n').filter((word) => /^[a-z0-9-]+$/.test(word)),
  };
}

function listOf(
  database: DatabaseName,
  all: Iterable<PackageList['packages'] extends ReadonlyMap<string, infer P> ? P : never>,
): PackageList {
  const packages = new Map([...all].map((one) => [packageKey(one), one] as const));
  return { database, packages, remains: new Set(), foreignArchitectures: [] };
}

/** zypper's list of what came as a dependency; dnf keeps its own in a database of its own, which isn't read. */
function zypperAutomatic({ root }: PackageTree): ReadonlySet<string> {
  const text = root.readTextIfThere('/var/lib/zypp/AutoInstalled') ?? '';
  return new Set(text.split('\n').filter((line) => line !== '' && !line.startsWith('#')));
}

/** What a program of the tree prints. */
export async function ask(
  tree: PackageTree,
  argv: readonly [string, ...string[]],
  signal?: AbortSignal,
): Promise<string> {
  const result = await tree.run(argv, { env: PLAIN, maxOutputBytes: MAX_LIST_BYTES, timeoutMs: 120_000, signal });
  if (result.status !== 0) throw commandFailed(result);
  return result.stdout;
}
