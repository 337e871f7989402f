// `packages`: refresh, upgrade, install and remove, in this order, by the package manager of the root's distribution. The
// first failure ends the key, since what follows builds on it. Names are templated and handed over as they are, never
// through a shell; a text of several words is several names, as it was when a shell split it.

import { type BigIntStats, statSync } from 'node:fs';
import { HoldfastError } from '../../system/errors.ts';
import {
  type Command,
  describeDistribution,
  findManager,
  type PackageManager,
  type Query,
} from '../packages/manager.ts';
import { checkName } from '../packages/name.ts';
import { commandError, runInRoot } from '../shell.ts';
import { expandText } from '../templates.ts';
import type { StepContext, StepHandler, StepValue } from './handler.ts';

export const packages: StepHandler<'packages'> = {
  key: 'packages',
  describe: ({ refresh, upgrade, install = [], remove = [] }) => [
    ...(refresh ? ['refresh the lists of packages'] : []),
    ...(upgrade ? ['upgrade all packages'] : []),
    ...(install.length > 0 ? [`install ${install.join(', ')}`] : []),
    ...(remove.length > 0 ? [`remove ${remove.join(', ')}`] : []),
  ],
  async apply(value, context) {
    if (packages.describe(value).length === 0) return;
    const manager = findManager(context.facts);
    if (manager === undefined) {
      throw new HoldfastError('HF-CONFIG', `unknown package manager: ${describeDistribution(context.facts)}`, {
        hint: 'known are apt, dnf, zypper, pacman and apk, by ID and ID_LIKE; use "commands" for another one',
      });
    }
    const install = await namesOf(value, 'install', context);
    const remove = await namesOf(value, 'remove', context);
    const before = fingerprint(manager, context);
    try {
      const { packageStore: store } = context;
      if (value.refresh) await (store?.refresh(manager, context) ?? run(manager, manager.refresh, context));
      // yip runs nothing when there is only this one; it is what was asked for.
      if (value.upgrade) await run(manager, manager.upgrade, context);
      if (install.length > 0) {
        await (store?.install(install, manager, context) ?? run(manager, manager.install(install), context));
      }
      const present = await installedOf(manager, remove, context);
      if (present.length > 0) await run(manager, manager.remove(present), context);
    } finally {
      const after = fingerprint(manager, context);
      if (after !== undefined && after.state !== before?.state) context.edited(after.path);
    }
  },
};

async function namesOf(
  value: StepValue<'packages'>,
  key: 'install' | 'remove',
  context: StepContext,
): Promise<string[]> {
  const names: string[] = [];
  for (const text of value[key] ?? []) {
    const expanded = await expandText(text, `packages: ${key}`, context);
    for (const name of expanded.split(/\s+/)) {
      if (name === '') continue;
      checkName(name, 'the name of a package');
      names.push(name);
    }
  }
  return names;
}

async function run(manager: PackageManager, argv: Command, context: StepContext): Promise<void> {
  const end = await runInRoot(argv, { ...context, env: { ...context.env, ...manager.environment } });
  if (end.status === 0) return;
  const remark = manager.successes.get(end.status ?? -1);
  if (remark === undefined) throw commandError(argv, end, context);
  context.warn(`${argv.join(' ')}: ${remark}`);
}

/** The names that are installed: some managers fail for a name that isn't, as it is when a stage runs again. */
async function installedOf(
  { isInstalled }: PackageManager,
  names: readonly string[],
  context: StepContext,
): Promise<string[]> {
  const found: string[] = [];
  for (const name of names) {
    // Patterns and versions are the manager's own to understand.
    const queries = /^[\w.+-]+$/.test(name) ? (isInstalled?.(name) ?? []) : [];
    if (queries.length === 0 || (await oneSaysYes(queries, context))) found.push(name);
    else context.events({ type: 'notice', level: 'info', text: `${name} is not installed: nothing to remove` });
  }
  return found;
}

async function oneSaysYes(queries: readonly Query[], context: StepContext): Promise<boolean> {
  for (const { argv, prints } of queries) {
    const { status, outputTail } = await runInRoot(argv, context, { quiet: true });
    if (status === 0 && (prints === undefined || outputTail.split('\n').includes(prints))) return true;
  }
  return false;
}

/** What tells whether packages came or went, without reading the database. */
function fingerprint(
  { databases }: PackageManager,
  { root }: StepContext,
): { path: string; state: string } | undefined {
  for (const path of databases) {
    const stats: BigIntStats | undefined = statSync(root.resolve(path), { bigint: true, throwIfNoEntry: false });
    if (stats !== undefined) return { path, state: `${stats.ino} ${stats.size} ${stats.mtimeNs}` };
  }
  return undefined;
}
