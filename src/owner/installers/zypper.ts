// zypper as the store needs it: downloads go to the work place first, and are installed from there in a second call.

import { type RunResult, tailOf } from '../../system/process.ts';
import { chainFrom, parseRpmConflict, parseZypperConflict } from '../conflicts/rpm.ts';
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

export function zypperInstaller(tree: TreeWork): Installer {
  const { manager, work } = tree;
  const global = () => ['--non-interactive', '--pkg-cache-dir', work.makeDirectory('cache')];
  const install = async (names: readonly string[], source: Source, extra: readonly string[]): Promise<Attempt> => {
    if (source.from === 'kept') return installKeptRpms(tree, names, source.files, extra.length > 0 ? ['--test'] : []);
    const wanted = new Set(names.map(bareName));
    const specs =
      source.from === 'both'
        ? source.files
            .filter(({ locked }) => wanted.has(locked.name))
            .map(({ path }) => work.put(path, 'kept', path.slice(path.lastIndexOf('/') + 1)))
        : names;
    const older = source.from === 'both' ? ['--oldpackage'] : [];
    const argv = ['zypper', ...global(), 'install', '-y', '--no-recommends', ...older, ...extra, ...specs] as const;
    return judgeZypper(await runInTree(tree, argv), manager.successes);
  };
  return {
    database: 'rpm',
    prepare: async () => {},
    refresh: async () => {
      const result = await runInTree(tree, manager.refresh);
      return judgeZypper(result, manager.successes);
    },
    simulate: async (names, source) => {
      const attempt = await install(names, source, ['--download-only']);
      // It removes them once they are installed.
      for (const path of work.files('cache')) {
        if (path.endsWith('.rpm')) work.put(path, 'fetched', path.slice(path.lastIndexOf('/') + 1));
      }
      return attempt;
    },
    install: (names, source) => install(names, source, []),
    downloads: () => [...work.files('fetched'), ...work.files('kept')].filter((path) => path.endsWith('.rpm')),
    explain: async (name, _, result) => {
      const text = outputOf(result);
      const chain = chainFrom(bareName(name), [...parseZypperConflict(text), ...parseRpmConflict(text)]);
      return { request: name, chain, outputTail: tailOf(text.trim()) };
    },
  };
}

/** zypper(8), exit codes: 4 a problem of dependencies, 104 nothing is called so, 106 repositories that could not be refreshed. */
export function judgeZypper(result: RunResult, successes: ReadonlyMap<number, string>): Attempt {
  const { status } = result;
  if (status === 0) return { outcome: 'ok' };
  const remark = successes.get(status ?? -1);
  if (remark !== undefined) return { outcome: 'ok', remark: `zypper: ${remark}` };
  const text = outputOf(result);
  if (isUntrusted(text)) return { outcome: 'failed', result };
  if (
    status === 104 ||
    /No provider of|Could not resolve host|Download \(curl\) error|Valid metadata not found|No repositories defined/.test(
      text,
    )
  ) {
    return { outcome: 'unavailable', result };
  }
  return { outcome: status === 4 || /^Problem:/m.test(text) ? 'conflict' : 'failed', result };
}
