// apk as the store needs it: with a cache directory of its own for what it fetches, and with kept files in the place of
// repositories.

import { type RunResult, tailOf } from '../../system/process.ts';
import { missingForApk, parseApkConflict } from '../conflicts/apk.ts';
import { chainFrom } from '../conflicts/rpm.ts';
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
import { installChosen } from './kept-rpm.ts';

export function apkInstaller(tree: TreeWork): Installer {
  const { manager, work } = tree;
  const add = async (names: readonly string[], source: Source, extra: readonly string[]): Promise<Attempt> => {
    if (source.from === 'kept') {
      return installChosen(tree, 'apk', names, source.files, (paths) => {
        return ['apk', 'add', '--no-progress', '--no-network', ...extra, ...paths];
      });
    }
    const options = ['--no-progress', '--update-cache', '--cache-dir', work.makeDirectory('cache')];
    const specs =
      source.from === 'both'
        ? names.map((name) => {
            const locked = source.files.find((file) => file.locked.name === bareName(name))?.locked;
            return locked === undefined ? name : `${locked.name}=${locked.version}`;
          })
        : names;
    return judgeApk(await runInTree(tree, ['apk', 'add', ...options, ...extra, ...specs]));
  };
  return {
    database: 'apk',
    prepare: async () => {},
    refresh: async () => {
      const result = await runInTree(tree, manager.refresh);
      if (result.status === 0) return { outcome: 'ok' };
      return { outcome: isUntrusted(outputOf(result)) ? 'failed' : 'unavailable', result };
    },
    simulate: (names, source) => add(names, source, ['--simulate']),
    install: (names, source) => add(names, source, []),
    downloads: () => [...work.files('cache'), ...work.files('kept')].filter((path) => path.endsWith('.apk')),
    explain: async (name, _, result) => {
      const text = outputOf(result);
      return {
        request: name,
        chain: chainFrom(bareName(name), parseApkConflict(text)),
        outputTail: tailOf(text.trim()),
      };
    },
  };
}

const NETWORK = /temporary error \(try again later\)|network error|could not connect|DNS lookup error|DNS: |IO ERROR/i;

/** What apk's answer means. */
export function judgeApk(result: RunResult): Attempt {
  if (result.status === 0) return { outcome: 'ok' };
  const text = outputOf(result);
  if (isUntrusted(text)) return { outcome: 'failed', result };
  if (missingForApk(text).length > 0 || NETWORK.test(text)) return { outcome: 'unavailable', result };
  return { outcome: /unable to select packages|unsatisfiable constraints/.test(text) ? 'conflict' : 'failed', result };
}
