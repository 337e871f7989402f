// `git`: a directory that holds a branch of a repository, cloned the first time and brought to the branch's newest
// state afterwards. Changes to files of the repository are undone, other files stay.

import { HoldfastError } from '../../system/errors.ts';
import { parseAddress, type RepositoryAddress } from '../git/address.ts';
import { placeParents, processOwner } from '../placement.ts';
import type { StepContext, StepHandler } from './handler.ts';

export const git: StepHandler<'git'> = {
  key: 'git',
  describe: ({ url = '', path = '', branch }) =>
    url === '' ? [] : [`bring ${path} to ${branch ? `${branch} of ` : ''}${shownAddress(url)}`],
  async apply({ url, path, branch = '', branch_only: only = false, auth = {} }, context) {
    if (!url) return;
    if (!path) throw new HoldfastError('HF-CONFIG', 'git without a path', { hint: 'add "path: /…"' });
    checkBranch(branch);
    const { root, signal, changed } = context;
    const address = insideRoot(parseAddress(url), context);
    const stats = root.stat(path);
    if (stats !== undefined && !stats.isDirectory()) {
      throw new HoldfastError('HF-IO', `${path} is there and is no directory`);
    }
    const [{ withCredentials }, { Repository }] = await Promise.all([
      import('../git/credentials.ts'),
      import('../git/repository.ts'),
    ]);
    await withCredentials(address, auth, async (credentials) => {
      const repository = new Repository(root.resolve(path), address, credentials, signal);
      const target = await repository.findTarget(branch);
      if (target === undefined) return context.warn(`git: ${shownAddress(url)} is empty, there is nothing to get`);
      if (repository.exists && (await repository.isAt(target))) return;
      placeParents(root, path, { ...processOwner(), mode: 0o755 }).forEach(changed);
      await repository.update(target, { only });
      changed(path);
    });
  },
};

/** A repository that is a directory is meant inside the root, as every path. */
function insideRoot(address: RepositoryAddress, { root }: StepContext): RepositoryAddress {
  return address.kind === 'file' ? { ...address, url: root.resolve(address.url) } : address;
}

/** git-check-ref-format(1), as far as it matters for a name that becomes a part of arguments. */
function checkBranch(branch: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: git refuses them too
  if (!/^[-/.]|[\x00-\x20\x7f~^:?*[\\]|\.\.|\/\/|@\{|[/.]$|\.lock$/.test(branch)) return;
  throw new HoldfastError('HF-CONFIG', `${JSON.stringify(branch)} can't be the name of a branch`);
}

/** Without the name and password that it may carry. */
function shownAddress(url: string): string {
  try {
    return parseAddress(url).url;
  } catch {
    return 'an address that can not be used';
  }
}
