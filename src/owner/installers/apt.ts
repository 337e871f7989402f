// apt as the store needs it. Kept files are offered to it as a repository of their own (deb-src(5): a flat one), so that apt
// itself finds out what needs what, offline too. Nothing of that touches the tree's own lists.

import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { archivedName } from '../../overlay/packages/archive-names.ts';
import { commandFailed, type RunResult, tailOf } from '../../system/process.ts';
import { isConflictForApt, isUnavailableForApt, parseAptConflict } from '../conflicts/apt.ts';
import { aptChain } from '../conflicts/apt-chain.ts';
import {
  type Attempt,
  type Installer,
  isUntrusted,
  outputOf,
  runInTree,
  type Source,
  type TreeWork,
} from '../installer.ts';

const LISTS = 'lists';
const OFFERED = 'kept';
/** Without a network nobody waits for several. */
const ONE_RETRY = ['-o', 'Acquire::Retries=1'];

export function aptInstaller(tree: TreeWork): Installer {
  const { manager, root, work } = tree;
  const run = (argv: readonly [string, ...string[]], quiet = false) => runInTree(tree, argv, { quiet });
  let prepared = false;

  const own = (): string[] => ['-o', `Dir::Cache::archives=${work.makeDirectory('archives')}`];
  // Lists that aren't the tree's own, and caches of them that must not be kept for the tree's.
  const apart = (name: string): string[] => {
    work.makeDirectory(name, 'partial');
    return [
      ...['-o', `Dir::State::lists=${work.inside(name)}`],
      ...['-o', 'Dir::Cache::pkgcache=', '-o', 'Dir::Cache::srcpkgcache='],
    ];
  };

  /** Options by which apt sees a source. */
  const see = async (source: Source): Promise<string[]> => {
    work.makeDirectory('archives', 'partial');
    if (source.from === 'repositories') return [...own(), ...(prepared ? apart(LISTS) : [])];
    const list = await offer(source);
    const lists = apart(`${LISTS}-${source.from}`);
    const parts = source.from === 'both' ? [] : ['-o', 'Dir::Etc::sourceparts=-'];
    const options = [...own(), ...lists, '-o', `Dir::Etc::sourcelist=${list}`, ...parts];
    await run(['apt-get', '-q', ...ONE_RETRY, ...options, 'update']);
    return options;
  };

  /** Makes a repository of the kept files; returns its list of sources. */
  const offer = async (source: Extract<Source, { from: 'kept' | 'both' }>): Promise<string> => {
    work.makeDirectory(OFFERED);
    const paragraphs: string[] = [];
    for (const { locked, path } of source.files) {
      const name = basename(archivedName(locked, locked.sha256 ?? '', 'deb'));
      const inside = work.put(path, OFFERED, name);
      const control = await run(['dpkg-deb', '--field', inside], true);
      if (control.status !== 0) throw commandFailed(control);
      const size = locked.sizeBytes === undefined ? [] : [`Size: ${locked.sizeBytes}`];
      const fields = [`Filename: ./${name}`, ...size, `SHA256: ${locked.sha256}`];
      paragraphs.push(`${control.stdout.trim()}\n${fields.join('\n')}\n`);
    }
    writeFileSync(work.at(OFFERED, 'Packages'), paragraphs.join('\n'));
    const others = source.from === 'both' ? (root.readTextIfThere('/etc/apt/sources.list') ?? '') : '';
    // Their digests were compared with the lock's.
    writeFileSync(work.at('sources.list'), `deb [trusted=yes] file:${work.inside(OFFERED)} ./\n${others}`);
    return work.inside('sources.list');
  };

  const command = (names: readonly string[], options: readonly string[]): [string, ...string[]] => {
    const [program, ...rest] = manager.install(names);
    return [
      program,
      '-q',
      '-o',
      'Dpkg::Use-Pty=false',
      '-o',
      'APT::Keep-Downloaded-Packages=true',
      ...options,
      ...rest,
    ];
  };

  const attempt = async (names: readonly string[], source: Source, extra: readonly string[]): Promise<Attempt> => {
    const options = await see(source);
    return judge(await run(command(names, [...options, ...extra]), extra.includes('--simulate')));
  };

  return {
    database: 'dpkg',
    prepare: async () => {
      await run(['apt-get', '-q', ...ONE_RETRY, ...apart(LISTS), 'update']);
      prepared = true;
    },
    // apt says by a warning only that nothing could be fetched.
    refresh: async () => {
      const result = await run(manager.refresh);
      prepared = false;
      if (result.status === 0) return { outcome: 'ok' };
      return { outcome: isUntrusted(outputOf(result)) ? 'failed' : 'unavailable', result };
    },
    simulate: (names, source) => attempt(names, source, ['--simulate']),
    install: (names, source) => attempt(names, source, []),
    downloads: () => [...work.files('archives'), ...work.files(OFFERED)].filter((path) => path.endsWith('.deb')),
    explain: async (name, source, result) => {
      const options = await see(source);
      const chain = await aptChain(name, parseAptConflict(outputOf(result)), {
        tryOut: async (names) =>
          parseAptConflict(outputOf(await run(command(names, [...options, '--simulate']), true))),
        policy: async (names) => (await run(['apt-cache', ...options, 'policy', ...names], true)).stdout,
      });
      return { request: name, chain, outputTail: tailOf(outputOf(result).trim()) };
    },
  };
}

function judge(result: RunResult): Attempt {
  if (result.status === 0) return { outcome: 'ok' };
  const text = outputOf(result);
  if (isUntrusted(text)) return { outcome: 'failed', result };
  // A package that can't be found is also a dependency that can't be met.
  if (isConflictForApt(text)) return { outcome: 'conflict', result };
  return { outcome: isUnavailableForApt(text) ? 'unavailable' : 'failed', result };
}
