// A small apt repository with the packages that a demonstration installs, for guests that reach no other. The packages
// come from the host's own apt sources; which ones are missing in the demo system is apt's decision, made against the
// base's list of installed packages.

import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { HoldfastError } from '../../src/system/errors.ts';
import { commandFailed, run, runChecked } from '../../src/system/process.ts';
import { cacheDirectory, cached, keyOf, pruneCache } from '../cache.ts';
import { lockCache } from '../cache-lock.ts';
import { type BuildOptions, baseKey, ensureBaseTar } from '../demo/base.ts';
import { withWorkTree } from '../work-tree.ts';

/** What the repository offers, beside what these depend on. */
const PACKAGES = ['vim', 'tree'];

export interface PackageRepository {
  /** A flat repository: `deb [trusted=yes] http://ADDRESS/ ./`. */
  directory: string;
}

/**
 * Returns the repository, downloading what isn't in the cache.
 * @throws HoldfastError HF-COMMAND when the host's apt can't download and nothing is cached.
 */
export async function ensurePackageRepository(options: BuildOptions): Promise<PackageRepository> {
  return await lockCache(options, async () => {
    const base = await ensureBaseTar(options);
    const name = `packages-${keyOf(baseKey(), ...PACKAGES)}`;
    const made = await cached(name, async (directory) => {
      options.log(`downloading the packages of the lab's repository: ${PACKAGES.join(', ')}`);
      mkdirSync(directory);
      await withWorkTree(join(cacheDirectory(), 'work'), async (work) => {
        await download(work, base.path, options.signal);
        for (const file of readdirSync(join(work, 'archives'))) {
          // apt escapes the epoch's colon in file names; a plain name is one less thing to go wrong in an URL.
          if (file.endsWith('.deb'))
            renameSync(join(work, 'archives', file), join(directory, file.replaceAll('%3a', '-')));
        }
      });
      await writeIndex(directory);
    });
    if (made.made) await pruneCache(cacheDirectory(), /^packages-[0-9a-f]{16}$/, 2);
    return { directory: made.path };
  });
}

/** Lets the host's apt download what the base lacks. */
async function download(work: string, baseTar: string, signal: AbortSignal | undefined): Promise<void> {
  const status = './var/lib/dpkg/status';
  await runChecked(['tar', '--extract', '--file', baseTar, '--directory', work, status], { signal });
  await downloadPackages(work, PACKAGES, { installedList: join(work, status), signal });
}

/**
 * Downloads packages with the host's apt, with lists and cache of its own, so that the host's stay untouched.
 * @param options.installedList a dpkg status file: what these packages need and it hasn't comes along; without one they
 *   come alone.
 * @returns the directory with the packages, below `work`.
 * @throws HoldfastError HF-COMMAND when the host's apt can't.
 */
export async function downloadPackages(
  work: string,
  packages: readonly string[],
  options: { installedList?: string; signal?: AbortSignal | undefined },
): Promise<string> {
  const { installedList, signal } = options;
  for (const directory of ['state/lists/partial', 'archives/partial', 'dpkg']) {
    mkdirSync(join(work, directory), { recursive: true });
  }
  const status = installedList ?? join(work, 'dpkg/status');
  if (installedList === undefined) writeFileSync(status, '');
  const apt = (...args: string[]) =>
    run(
      [
        'apt-get',
        ...['-o', `Dir::State=${work}/state`, '-o', `Dir::State::status=${status}`],
        ...['-o', `Dir::Cache=${work}`, '-o', `Dir::Cache::archives=${work}/archives`],
        // Sandboxing would need directories that apt's own user can reach.
        ...['-o', 'APT::Sandbox::User=root', '-o', 'Acquire::Retries=3', '-o', 'Acquire::Languages=none'],
        ...['-o', 'Debug::NoLocking=1', '-y', ...args],
      ],
      {
        cwd: join(work, 'archives'),
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' },
        signal,
      },
    );
  const fetch = installedList === undefined ? ['download'] : ['install', '--download-only'];
  for (const args of [['update'], [...fetch, ...packages]]) {
    const result = await apt(...args);
    if (result.status === 0) continue;
    throw new HoldfastError('HF-COMMAND', `the packages ${packages.join(', ')} could not be downloaded`, {
      cause: commandFailed(result),
      outputTail: result.stderr.trim(),
      hint: 'this needs the network once, through the apt sources of this host: check that `apt-get update` works here',
    });
  }
  return join(work, 'archives');
}

/** Writes Packages and Release as apt reads them, for the packages in a directory. */
export async function writeIndex(directory: string): Promise<void> {
  const entries: string[] = [];
  for (const file of readdirSync(directory).sort()) {
    if (!file.endsWith('.deb')) continue;
    const bytes = readFileSync(join(directory, file));
    const control = await runChecked(['dpkg-deb', '--field', join(directory, file)]);
    entries.push(`${control.trimEnd()}\nFilename: ./${file}\nSize: ${bytes.length}\nSHA256: ${sha256(bytes)}\n`);
  }
  const packages = Buffer.from(entries.join('\n'));
  const indexes: [string, Buffer][] = [
    ['Packages', packages],
    ['Packages.gz', gzipSync(packages)],
  ];
  for (const [name, content] of indexes) writeFileSync(join(directory, name), content);
  const sums = indexes.map(([name, content]) => ` ${sha256(content)} ${content.length} ${name}`);
  const release = ['Origin: Holdfast lab', 'Suite: lab', 'Architectures: amd64', 'SHA256:', ...sums, ''];
  writeFileSync(join(directory, 'Release'), release.join('\n'));
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
