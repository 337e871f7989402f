// Packages installed and removed by apk. It keeps what was asked for in /etc/apk/world and works out the rest, so packages
// that came as dependencies are left to it.

import { commandFailed, type RunResult, tailOf } from '../../system/process.ts';
import { PLAIN } from './lists.ts';
import type { PackagePlan, PackageTree } from './model.ts';
import { packagesNotFound, type Transaction } from './transaction.ts';

export async function applyWithApk(plan: PackagePlan, tree: PackageTree, transaction: Transaction): Promise<void> {
  const { staging, signal, onOutput } = transaction;
  const run = (...argv: [string, ...string[]]): Promise<RunResult> =>
    tree.run(argv, { env: PLAIN, signal, onLine: onOutput });
  const asked = plan.install.filter(({ automatic }) => !automatic);
  const isOffline = plan.unresolved.length === 0;
  if (asked.length > 0) {
    // With all files at hand their dependencies are among them, and none needs to be asked for by name.
    const specs = isOffline
      ? plan.install.map(({ key }) => staging.files.get(key) ?? '')
      : asked.map(({ name }) => name);
    const add = await run(
      'apk',
      'add',
      '--no-progress',
      ...(isOffline ? ['--no-network'] : ['--cache-dir', staging.makeDirectory('cache')]),
      ...specs,
    );
    if (add.status !== 0)
      throw packagesNotFound(
        plan.install.map(({ key }) => key),
        tailOf(add.stderr || add.stdout),
      );
  }
  const removals = plan.remove.map(({ name }) => name);
  if (removals.length > 0) {
    const del = await run('apk', 'del', '--no-progress', '--no-network', ...removals);
    if (del.status !== 0) throw commandFailed(del);
    for (const step of plan.remove) {
      const needed = [...`${del.stdout}\n${del.stderr}`.matchAll(/required by: *(\S+)/g)].map(([, name = '']) => name);
      const isThere = (await run('apk', 'info', '--installed', step.name)).status === 0;
      if (isThere) transaction.keep(step, needed.length > 0 ? needed : ['another package']);
    }
  }
}
