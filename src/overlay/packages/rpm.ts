// Packages installed and removed in a tree with an rpm database: files by rpm's own rules through dnf or zypper, which also
// fetch what isn't at hand. Removals go through rpm alone, which takes nothing else away.

import { HoldfastError } from '../../system/errors.ts';
import { commandFailed, type RunResult, tailOf } from '../../system/process.ts';
import { PLAIN } from './lists.ts';
import type { PackagePlan, PackageStep, PackageTree } from './model.ts';
import type { Staging } from './staging.ts';
import { packagesNotFound, type Transaction } from './transaction.ts';

/** How a package is named to rpm and dnf: `vim-9.0-1.x86_64`. */
function specOf({ name, architecture }: PackageStep, version?: string): string {
  return version === undefined ? `${name}.${architecture}` : `${name}-${version.replace(/^\d+:/, '')}.${architecture}`;
}

export async function applyWithRpm(plan: PackagePlan, tree: PackageTree, transaction: Transaction): Promise<void> {
  const { staging, signal, onOutput } = transaction;
  const run = (...argv: [string, ...string[]]): Promise<RunResult> =>
    tree.run(argv, { env: PLAIN, signal, onLine: onOutput });
  const specs = plan.install.map((step) => staging.files.get(step.key) ?? specOf(step, step.wanted));
  if (specs.length > 0) {
    const result = await run(...installCommand(tree, specs, plan.unresolved, staging));
    // zypper(8): 100 and above, but for 104 to 107, say something about work that is done.
    const isDone =
      result.status === 0 || (result.argv[0] === 'zypper' && [100, 101, 102, 103, 106].includes(result.status ?? 1));
    if (!isDone && plan.unresolved.length > 0)
      throw packagesNotFound(plan.unresolved, tailOf(result.stderr || result.stdout));
    if (!isDone) {
      throw new HoldfastError('HF-COMMAND', `the packages of the overlay can't be installed in the new system`, {
        exitStatus: 4,
        cause: commandFailed(result),
        outputTail: tailOf(result.stderr || result.stdout),
        hint: 'nothing was switched; remove what it names, or upgrade with --no-overlay',
      });
    }
  }
  await remove(plan, run, transaction);
  await check(plan, run);
}

function installCommand(
  tree: PackageTree,
  specs: readonly string[],
  unresolved: readonly string[],
  staging: Staging,
): [string, ...string[]] {
  const has = (program: string) => tree.root.exists(`/usr/bin/${program}`);
  if (unresolved.length === 0) return ['rpm', '-U', '--oldpackage', '--replacepkgs', '--', ...specs];
  // Downloads that are kept for the next time, and not where the tree itself would keep them.
  const cache = staging.makeDirectory('cache');
  const dnf = ['dnf5', 'dnf', 'microdnf', 'yum'].find(has);
  if (dnf !== undefined) {
    const place = `--setopt=${dnf === 'dnf5' ? 'system_cachedir' : 'cachedir'}=${cache}`;
    return [dnf, 'install', '-y', '--setopt=install_weak_deps=False', '--setopt=keepcache=1', place, ...specs];
  }
  if (has('zypper')) {
    const options = ['--non-interactive', '--pkg-cache-dir', cache];
    return ['zypper', ...options, 'install', '--no-recommends', '--oldpackage', ...specs];
  }
  throw packagesNotFound(unresolved, '');
}

/** rpm -e refuses what others need. */
async function remove(
  { remove }: PackagePlan,
  run: (...argv: [string, ...string[]]) => Promise<RunResult>,
  transaction: Transaction,
): Promise<void> {
  if (remove.length === 0) return;
  const all = await run('rpm', '-e', '--test', '--', ...remove.map((step) => specOf(step)));
  const possible: PackageStep[] = [];
  for (const step of remove) {
    const test = all.status === 0 ? all : await run('rpm', '-e', '--test', '--', specOf(step));
    if (test.status === 0) possible.push(step);
    else transaction.keep(step, neededBy(test));
  }
  if (possible.length === 0) return;
  const result = await run('rpm', '-e', '--', ...possible.map((step) => specOf(step)));
  if (result.status !== 0) throw commandFailed(result);
}

/** `	X is needed by (installed) Y`. */
function neededBy({ stderr, stdout }: RunResult): string[] {
  const names = [...`${stderr}\n${stdout}`.matchAll(/is needed by (?:\(installed\) )?(\S+)/g)].map(
    ([, name = '']) => name,
  );
  return names.length > 0 ? [...new Set(names)] : ['another package'];
}

/** Dependencies are met, and files are as they were packaged: of the answers of `rpm -V`, changed digests count. */
async function check(plan: PackagePlan, run: (...argv: [string, ...string[]]) => Promise<RunResult>): Promise<void> {
  if (plan.install.length === 0) return;
  const verify = await run('rpm', '-V', '--noscripts', '--', ...plan.install.map((step) => specOf(step)));
  const bad = verify.stdout
    .split('\n')
    .filter((line) => /^..5\S* +(?!c )\//.test(line) || line.startsWith('Unsatisfied dependencies'));
  if (bad.length > 0) {
    throw new HoldfastError('HF-STATE', 'installed packages are not whole in the new system', {
      outputTail: tailOf(bad.join('\n')),
    });
  }
}
