// `holdfast kubernetes gitrepo`: the object with which Fleet applies what a repository holds.

import { makeGitRepo } from '../kubernetes/fleet-repo.ts';
import { parseSelectors } from '../kubernetes/plan-selector.ts';
import { type ObjectFlags, writeObjects } from './kubernetes-objects.ts';
import type { CommandContext } from './program.ts';

interface GitRepoFlags extends ObjectFlags {
  name: string;
  namespace: string;
  branch: string;
  clusters?: string[];
  fleetSecret?: string;
}

/** @returns 0. @throws HoldfastError HF-USAGE for what is no repository or no directory of it. */
export async function kubernetesGitRepoCommand(
  _context: CommandContext,
  [repo = '', ...paths]: string[],
  flags: GitRepoFlags,
): Promise<number> {
  const { name, namespace, branch, fleetSecret: secret } = flags;
  const clusters = parseSelectors(flags.clusters ?? []);
  await writeObjects([makeGitRepo({ name, namespace, branch, repo, paths, secret, clusters })], flags);
  return 0;
}
