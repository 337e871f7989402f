// `holdfast pkg search`: what the distribution's repositories have, asked through this system's own package manager.

import { readPackages } from '../overlay/packages/lists.ts';
import { listRequests } from '../owner/owner-file.ts';
import { readOwnerFile } from '../owner/owner-place.ts';
import { bareName } from '../owner/request.ts';
import { type FoundPackage, parseSearch, searchCommand } from '../owner/search.ts';
import { Facts } from '../stages/facts.ts';
import { describeDistribution, findManager, type PackageManager } from '../stages/packages/manager.ts';
import { commandEnvironment } from '../stages/shell.ts';
import { HoldfastError } from '../system/errors.ts';
import { commandFailed, type RunResult } from '../system/process.ts';
import { Root } from '../system/root.ts';
import { ownerPlaces } from './owner-change.ts';
import type { CommandContext } from './program.ts';

interface SearchFlags {
  root: string;
  refresh?: boolean;
}

const MAX_OUTPUT_BYTES = 32 << 20;
/** More would scroll away what was looked for; `--json` has all. */
const MOST_LINES = 50;

export async function pkgSearchCommand(context: CommandContext, words: string[], flags: SearchFlags): Promise<number> {
  const { reporter, signal } = context;
  const bad = words.find((word) => word.startsWith('-') || word === '');
  if (bad !== undefined) throw new HoldfastError('HF-USAGE', `${JSON.stringify(bad)} can't be searched for`);
  const root = new Root(flags.root);
  const facts = new Facts(root);
  const manager = findManager(facts);
  if (manager === undefined) {
    throw new HoldfastError('HF-UNSUPPORTED', `unknown package manager: ${describeDistribution(facts)}`, {
      hint: 'known are apt, dnf, zypper, pacman and apk',
    });
  }
  const run = (argv: readonly [string, ...string[]]) =>
    root.run(argv, {
      env: { ...commandEnvironment(root, manager.environment), LC_ALL: 'C.UTF-8' },
      signal,
      maxOutputBytes: MAX_OUTPUT_BYTES,
    });
  const refresh = async () => {
    reporter.events({ type: 'notice', level: 'info', text: 'fetching the lists of packages …' });
    const result = await run(manager.refresh);
    if (result.status !== 0) throw commandFailed(result, 'is the network up? The lists come from the repositories');
  };
  if (flags.refresh) await refresh();
  let found = await search(manager, words, run);
  // An image comes without lists, and a boot forgets those of the last one.
  if (found.length === 0 && !flags.refresh) {
    await refresh();
    found = await search(manager, words, run);
  }
  const kept = new Set(
    listRequests(readOwnerFile(ownerPlaces(root).oemDirectory)).flatMap((one) =>
      one.kind === 'package' && one.wish === 'install' ? [bareName(one.name)] : [],
    ),
  );
  const list = await readPackages({ root, run: (argv, options) => root.run(argv, options) }, signal);
  const installed = new Set([...(list?.packages.values() ?? [])].map(({ name }) => name));
  const value = found.map((one) => ({ ...one, kept: kept.has(one.name), installed: installed.has(one.name) }));
  reporter.result({ packages: value }, [
    ...(value.length === 0 ? [`Nothing is called or described by ${words.join(' ')}.`] : []),
    ...value.slice(0, MOST_LINES).map(searchLine),
    ...(value.length > MOST_LINES ? [`  … and ${value.length - MOST_LINES} more; search for more words`] : []),
  ]);
  return value.length === 0 ? 1 : 0;
}

async function search(
  manager: PackageManager,
  words: readonly string[],
  run: (argv: readonly [string, ...string[]]) => Promise<RunResult>,
): Promise<FoundPackage[]> {
  const result = await run(searchCommand(manager.name, words));
  // dnf, zypper (104) and pacman say by their status that there is none.
  return parseSearch(manager.name, result.stdout).sort((a, b) => rank(a, words) - rank(b, words));
}

/** What is called so comes first, what only speaks of it last. */
function rank({ name }: FoundPackage, words: readonly string[]): number {
  if (words.includes(name)) return 0;
  if (words.some((word) => name.startsWith(word))) return 1;
  return words.some((word) => name.includes(word)) ? 2 : 3;
}

function searchLine({
  name,
  version,
  summary,
  kept,
  installed,
}: FoundPackage & { kept: boolean; installed: boolean }): string {
  const mark = kept ? 'k' : installed ? 'i' : ' ';
  return `${mark} ${name}${version === undefined ? '' : ` ${version}`}${summary === '' ? '' : ` - ${summary}`}`;
}
