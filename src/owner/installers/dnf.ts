// dnf 4 and 5 (or microdnf, yum) as the store needs them: lists and downloads are in the work place, so that nothing of them
// stays in the new system, and everything is fetched before the first package is installed.

import { type RunResult, tailOf } from '../../system/process.ts';
import { chainFrom, parseDnfConflict, parseRpmConflict } from '../conflicts/rpm.ts';
import {
  type Attempt,
  type Installer,
  isUntrusted,
  outputOf,
  runInTree,
  type Source,
  type TreeWork,
} from '../installer.ts';
import { bareName } from '../request.ts';
import { installKeptRpms } from './kept-rpm.ts';

export function dnfInstaller(tree: TreeWork): Installer {
  const { root, work } = tree;
  const program = ['dnf5', 'dnf', 'microdnf', 'yum'].find((name) => root.exists(`/usr/bin/${name}`)) ?? 'dnf';
  const cache = () => {
    const directory = work.makeDirectory('cache');
    return [`--setopt=${program === 'dnf5' ? 'system_cachedir' : 'cachedir'}=${directory}`, '--setopt=keepcache=1'];
  };
  const install = async (names: readonly string[], source: Source, extra: readonly string[]): Promise<Attempt> => {
    if (source.from === 'kept') return installKeptRpms(tree, names, source.files, extra.length > 0 ? ['--test'] : []);
    const wanted = new Set(names.map(bareName));
    const specs =
      source.from === 'both'
        ? source.files
            .filter(({ locked }) => wanted.has(locked.name))
            .map(({ path }) => work.put(path, 'kept', path.slice(path.lastIndexOf('/') + 1)))
        : names;
    const options = ['-y', '--setopt=install_weak_deps=False', ...cache()];
    return judgeDnf(await runInTree(tree, [program, 'install', ...options, ...extra, ...specs]));
  };
  return {
    database: 'rpm',
    // The lists are fetched with the first question.
    prepare: async () => {},
    refresh: async () => {
      const result = await runInTree(tree, [program, 'makecache', ...cache()]);
      if (result.status === 0) return { outcome: 'ok' };
      return { outcome: isUntrusted(outputOf(result)) ? 'failed' : 'unavailable', result };
    },
    simulate: (names, source) => install(names, source, ['--downloadonly']),
    install: (names, source) => install(names, source, []),
    downloads: () => [...work.files('cache'), ...work.files('kept')].filter((path) => path.endsWith('.rpm')),
    explain: async (name, _, result) => {
      const text = outputOf(result);
      const chain = chainFrom(bareName(name), [...parseDnfConflict(text), ...parseRpmConflict(text)]);
      return { request: name, chain, outputTail: tailOf(text.trim()) };
    },
  };
}

const UNAVAILABLE =
  /No match for argument|Unable to find a match|No package \S+ available|Failed to download|Cannot download|Could not resolve host|Errors during downloading metadata|Cannot prepare internal mirrorlist|no enabled repositories|Failed to load repository|Librepo error/;
const CONFLICT =
  /^\s*-?\s*(?:Problem(?: \d+)?:|nothing provides |cannot install )|conflicting requests|Failed to resolve the transaction/m;

/** What dnf's answer means. */
export function judgeDnf(result: RunResult): Attempt {
  if (result.status === 0) return { outcome: 'ok' };
  const text = outputOf(result);
  if (isUntrusted(text)) return { outcome: 'failed', result };
  if (UNAVAILABLE.test(text)) return { outcome: 'unavailable', result };
  return { outcome: CONFLICT.test(text) ? 'conflict' : 'failed', result };
}
