// `holdfast trust`: what this machine remembers of repositories whose signatures it has verified, and how to make it forget
// one. Forgetting gives the next server the first word again, so it is asked about by name.

import { createInterface } from 'node:readline/promises';
import { HoldfastError } from '../system/errors.ts';
import { listLines, reportLines, reportTrust } from '../trust/notary/trust-report.ts';
import { type ListedTrust, TRUST_DIRECTORY, TrustStore } from '../trust/notary/trust-store.ts';
import { parseTrustName } from '../trust/trust-name.ts';
import type { CommandContext } from './program.ts';

interface TrustFlags {
  trustState?: string;
  yes?: boolean;
  dryRun?: boolean;
}

export async function trustCommand(
  context: CommandContext,
  [action, name, ...more]: string[],
  flags: TrustFlags,
): Promise<number> {
  const store = new TrustStore(flags.trustState ?? TRUST_DIRECTORY);
  if (more.length > 0) throw usage(`one repository at a time, not also ${more.join(', ')}`);
  if (action === 'list') {
    if (name !== undefined) throw usage(`"trust list" takes no name; for one repository: holdfast trust show ${name}`);
    return list(context, store);
  }
  if (action !== 'show' && action !== 'forget') throw usage(`${JSON.stringify(action)} is none of list, show, forget`);
  if (name === undefined) throw usage(`"trust ${action}" needs the name of a repository`);
  const { gun } = parseTrustName(name);
  const entries = store.of(gun);
  if (entries.length === 0) {
    throw new HoldfastError('HF-STATE', `nothing is remembered of ${gun}`, {
      hint: 'holdfast trust list shows what is',
    });
  }
  return action === 'show' ? show(context, gun, entries) : forget(context, store, gun, flags);
}

function list({ reporter }: CommandContext, store: TrustStore): number {
  const { reports, problems } = read(store.list());
  const lines = reports.flatMap(listLines);
  const none = lines.length === 0 && problems.length === 0 ? [`Nothing is remembered in ${store.directory}.`] : [];
  reporter.result({ trust: reports, problems }, [...none, ...lines, ...problemLines(problems)]);
  return problems.length === 0 ? 0 : 1;
}

function show({ reporter }: CommandContext, gun: string, entries: readonly ListedTrust[]): number {
  const { reports, problems } = read(entries);
  reporter.result({ gun, trust: reports, problems }, [...reports.flatMap(reportLines), ...problemLines(problems)]);
  return problems.length === 0 ? 0 : 1;
}

async function forget({ reporter, undo }: CommandContext, store: TrustStore, gun: string, flags: TrustFlags) {
  const meaning = `the next verification of ${gun} trusts whatever root key its server then shows, unless one is pinned`;
  if (flags.dryRun) {
    reporter.result({ outcome: 'planned', gun }, [`Would forget ${gun}: ${meaning}.`]);
    return 0;
  }
  if (!flags.yes && !(await confirm(`Forget ${gun}? After that, ${meaning}. Type its name: `, gun))) {
    reporter.result({ outcome: 'kept', gun }, [`${gun} is remembered as before.`]);
    return 1;
  }
  await store.forget(gun, undo);
  reporter.result({ outcome: 'forgotten', gun }, [`Forgotten: ${gun}. Now ${meaning}.`]);
  return 0;
}

/** The name itself is the answer: a habit of "yes" is not enough. */
async function confirm(question: string, wanted: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw usage('nobody is at a terminal to be asked', 'add --yes to forget it without being asked');
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await terminal.question(question)).trim() === wanted;
  } finally {
    terminal.close();
  }
}

/** A record that is damaged must not hide the others. */
function read(entries: readonly ListedTrust[]) {
  const problems: { file: string; problem: string }[] = [];
  const reports = entries.flatMap((entry) => {
    if ('problem' in entry) {
      problems.push(entry);
      return [];
    }
    try {
      return [reportTrust(entry.stored, entry.file)];
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      problems.push({ file: entry.file, problem: error.message });
      return [];
    }
  });
  return { reports, problems };
}

function problemLines(problems: readonly { problem: string }[]): string[] {
  return problems.map(({ problem }) => `Damaged: ${problem}`);
}

function usage(message: string, hint = 'for example: holdfast trust show registry.example/os/base'): HoldfastError {
  return new HoldfastError('HF-USAGE', message, { hint });
}
