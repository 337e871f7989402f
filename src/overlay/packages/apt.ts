// Packages installed and removed by apt, in a tree that isn't running. Everything is tried without effect first: apt may
// not take away what nobody asked it to, and must install exactly the versions that were planned.

import { HoldfastError } from '../../system/errors.ts';
import { commandFailed, type RunResult, tailOf } from '../../system/process.ts';
import { PLAIN } from './lists.ts';
import type { PackagePlan, PackageStep, PackageTree } from './model.ts';
import { packagesNotFound, type Transaction } from './transaction.ts';
import { compareVersions } from './versions.ts';

const ENVIRONMENT = { ...PLAIN, DEBIAN_FRONTEND: 'noninteractive' };
const OPTIONS = [
  '-y',
  '-q',
  ...['-o', 'Dpkg::Use-Pty=false', '-o', 'Dpkg::Options::=--force-confdef', '-o', 'Dpkg::Options::=--force-confold'],
  // What was installed as a recommendation is in the plan by itself.
  ...['-o', 'APT::Install-Recommends=false', '-o', 'APT::Get::AutomaticRemove=false'],
  ...['-o', 'Acquire::Retries=2', '-o', 'Acquire::http::Timeout=20', '-o', 'Acquire::https::Timeout=20'],
];

/** How a package is named to apt: it knows those for all architectures under the machine's own. */
function specOf({ name, architecture }: Pick<PackageStep, 'name' | 'architecture'>): string {
  return architecture === 'all' ? name : `${name}:${architecture}`;
}

/** Carries out the plan. @throws HoldfastError with exit status 4 when a package can't be had; nothing was changed then. */
export async function applyWithApt(plan: PackagePlan, tree: PackageTree, transaction: Transaction): Promise<void> {
  const { staging, signal, onOutput } = transaction;
  // Lists and downloads that the tree itself doesn't keep.
  const own = ['-o', `Dir::Cache::archives=${staging.makeDirectory('archives')}`];
  const run = (...argv: [string, ...string[]]): Promise<RunResult> =>
    tree.run(argv, { env: ENVIRONMENT, signal, onLine: onOutput });
  const apt = (...args: string[]) => run('apt-get', ...OPTIONS, ...own, ...args);
  for (const word of plan.addArchitectures) await must(run('dpkg', '--add-architecture', word));
  const specs: string[] = [];
  const versions = new Map<string, string>();
  for (const step of plan.install) {
    const file = staging.files.get(step.key);
    if (file !== undefined) specs.push(file);
    const kept = plan.files.find(({ key }) => key === step.key);
    versions.set(step.key, kept?.version ?? step.wanted ?? '');
  }
  if (plan.unresolved.length > 0) {
    staging.makeDirectory('archives/partial');
    staging.makeDirectory('lists/partial');
    own.push('-o', `Dir::State::lists=${staging.makeDirectory('lists')}`);
    const update = await apt('update');
    const missing: string[] = [];
    for (const step of plan.install.filter(({ key }) => plan.unresolved.includes(key))) {
      const offered = offeredVersions(await run('apt-cache', ...own, 'madison', specOf(step)));
      const version = chooseVersion(step, offered);
      if (version === undefined) missing.push(`${step.key} ${step.wanted}`);
      else {
        specs.push(`${specOf(step)}=${version}`);
        versions.set(step.key, version);
      }
    }
    if (missing.length > 0) throw packagesNotFound(missing, tailOf(update.stderr));
  }
  const native = (await must(run('dpkg', '--print-architecture'))).stdout.trim();
  const removals = await removable(plan, native, transaction, (steps) =>
    apt('--simulate', 'remove', ...steps.map(specOf)),
  );
  specs.push(...removals.map((step) => `${specOf(step)}-`));
  const install = ['--allow-downgrades', '--allow-change-held-packages', 'install', ...specs];
  if (specs.length > 0) {
    const simulation = simulated(await must(apt('--simulate', ...install), explainRefusal));
    const asked = new Set(removals.map((step) => shownName(step, native)));
    checkSimulation(plan, simulation, versions, asked);
    for (const line of simulation.alongside(versions)) transaction.alongside(line);
    if (plan.unresolved.length > 0) {
      const download = await apt('--download-only', ...install);
      if (download.status !== 0) throw packagesNotFound(plan.unresolved, tailOf(download.stderr));
    }
    await must(apt(...install));
  }
  const purge = removals.filter((step) => step.purge).map(specOf);
  if (purge.length > 0) await must(run('dpkg', '--purge', ...purge));
  const automatic = plan.install.filter((step) => step.automatic).map(specOf);
  if (automatic.length > 0) await must(run('apt-mark', 'auto', ...automatic));
  if (plan.hold.length > 0) await must(run('apt-mark', 'hold', ...plan.hold.map(specOfKey)));
  if (plan.unhold.length > 0) await must(run('apt-mark', 'unhold', ...plan.unhold.map(specOfKey)));
  await check(plan, run);
}

function specOfKey(key: string): string {
  const at = key.lastIndexOf(':');
  return specOf({ name: key.slice(0, at), architecture: key.slice(at + 1) });
}

async function must(
  running: Promise<RunResult>,
  explain = (result: RunResult) => commandFailed(result),
): Promise<RunResult> {
  const result = await running;
  if (result.status !== 0) throw explain(result);
  return result;
}

/** What apt can't put together: a package needs something that isn't to be had. */
function explainRefusal(result: RunResult): HoldfastError {
  return new HoldfastError('HF-COMMAND', 'apt can’t install the packages of the overlay in the new system', {
    exitStatus: 4,
    cause: commandFailed(result),
    outputTail: tailOf(result.stdout.includes('unmet dependencies') ? result.stdout : result.stderr),
    hint: 'nothing was changed; remove what it names, or upgrade with --no-overlay',
  });
}

/** `apt-cache madison`: ` name | version | repository`. */
function offeredVersions({ status, stdout }: RunResult): string[] {
  if (status !== 0) return [];
  return stdout.split('\n').flatMap((line) => line.split('|')[1]?.trim() || []);
}

/** The same version, else the newest that isn't older. */
function chooseVersion({ wanted = '' }: PackageStep, offered: readonly string[]): string | undefined {
  if (offered.includes(wanted)) return wanted;
  const newer = offered.filter((version) => compareVersions('dpkg', version, wanted) > 0);
  return newer.sort((a, b) => compareVersions('dpkg', b, a))[0];
}

/** Those whose removal takes nothing else away; the others stay, and that is told. */
async function removable(
  { remove }: PackagePlan,
  native: string,
  transaction: Transaction,
  simulate: (steps: readonly PackageStep[]) => Promise<RunResult>,
): Promise<PackageStep[]> {
  if (remove.length === 0) return [];
  const wanted = new Set(remove.map((step) => shownName(step, native)));
  const others = async (steps: readonly PackageStep[]) => {
    const { removed } = simulated(await must(simulate(steps)));
    return removed.filter((name) => !wanted.has(name));
  };
  if ((await others(remove)).length === 0) return [...remove];
  const possible: PackageStep[] = [];
  for (const step of remove) {
    const needed = await others([step]);
    if (needed.length === 0) possible.push(step);
    else transaction.keep(step, needed);
  }
  return possible;
}

/** As apt prints it: with the architecture only where that isn't the machine's own. */
function shownName({ name, architecture }: Pick<PackageStep, 'name' | 'architecture'>, native: string): string {
  return architecture === 'all' || architecture === native ? name : `${name}:${architecture}`;
}

interface Simulation {
  installed: readonly { spec: string; before: string | undefined; version: string }[];
  removed: readonly string[];
  /** What happens besides to packages that were not asked for. */
  alongside: (asked: ReadonlyMap<string, string>) => string[];
}

/** `Inst name [old] (new origin [arch])` and `Remv name [old]`, as `--simulate` prints them. */
export function simulated({ stdout }: Pick<RunResult, 'stdout'>): Simulation {
  const installed: { spec: string; before: string | undefined; version: string }[] = [];
  const removed: string[] = [];
  for (const line of stdout.split('\n')) {
    const [, name, before, version, architecture] =
      /^Inst (\S+)(?: \[([^\]]*)\])? \((\S+) .*\[([a-z0-9-]+)\]\)/.exec(line) ?? [];
    if (name !== undefined && version !== undefined) {
      const bare = name.replace(/:[^:]*$/, '');
      installed.push({ spec: `${bare}:${architecture}`, before, version });
    }
    const gone = /^(?:Remv|Purg) (\S+)/.exec(line)?.[1];
    if (gone !== undefined) removed.push(gone);
  }
  return {
    installed,
    removed,
    alongside: (asked) =>
      installed
        .filter(({ spec }) => !asked.has(spec))
        .map(({ spec, before, version }) => (before ? `${spec} ${before} -> ${version}` : `${spec} ${version}`)),
  };
}

function checkSimulation(
  plan: PackagePlan,
  { installed, removed }: Simulation,
  versions: ReadonlyMap<string, string>,
  asked: ReadonlySet<string>,
): void {
  const lost = removed.filter((spec) => !asked.has(spec));
  const wrong = installed.filter(({ spec, version }) => (versions.get(spec) ?? version) !== version);
  if (lost.length === 0 && wrong.length === 0) return;
  const what =
    lost.length > 0
      ? `would remove ${lost.join(', ')}`
      : `would install ${wrong.map(({ spec, version }) => `${spec} ${version}`).join(', ')} instead of what was planned`;
  throw new HoldfastError('HF-COMMAND', `apt ${what} to install ${plan.install.map(({ key }) => key).join(', ')}`, {
    exitStatus: 4,
    hint: 'nothing was changed; remove those packages first, or upgrade with --no-overlay',
  });
}

/** dpkg and apt find nothing to complain about, and what was installed is what was packaged. */
async function check(plan: PackagePlan, run: (...argv: [string, ...string[]]) => Promise<RunResult>): Promise<void> {
  const audit = await must(run('dpkg', '--audit'));
  if (audit.stdout.trim() !== '') {
    throw new HoldfastError('HF-STATE', 'dpkg finds packages that are not whole in the new system', {
      outputTail: tailOf(audit.stdout),
    });
  }
  await must(run('apt-get', 'check'));
  if (plan.install.length === 0) return;
  const verify = await run('dpkg', '--verify', ...plan.install.map(({ key }) => key));
  // `??5?????? c /path`: only the digest is compared. A file that is missing was left out on purpose (path-exclude).
  const changed = verify.stdout.split('\n').filter((line) => /^..5/.test(line) && !/^\S+ c /.test(line));
  if (changed.length > 0) {
    throw new HoldfastError('HF-STATE', 'files of installed packages are not as they were packaged', {
      outputTail: tailOf(changed.join('\n')),
    });
  }
}
