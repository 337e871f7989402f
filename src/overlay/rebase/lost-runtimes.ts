// What was installed by hand for an interpreter (pip, gem) lies in a directory named after its version: with another version in
// the new base nobody finds it any more. It is carried all the same, and said.

import type { TreePath } from '../../image/targettree.ts';
import type { Decision, RebaseTrees } from './model.ts';
import { look, prefixOf, show } from './walk.ts';

/** Where such files are, and what the old system has while the interpreter of that version is there. */
const RUNTIMES: readonly (readonly [RegExp, (version: string) => TreePath])[] = [
  [/^(?:usr|usr\/local|opt\/[^/]+)\/lib(?:64)?\/python(\d+\.\d+)(?=\/)/, (version) => `usr/bin/python${version}`],
  [
    /^(?:usr\/local\/lib|usr\/local\/share|usr\/lib|usr\/share|var\/lib)\/(?:ruby\/)?gems\/(\d+\.\d+\.\d+)(?=\/)/,
    (version) => `usr/lib/ruby/${version}`,
  ],
  [
    /^usr\/local\/(?:lib|share)(?:\/[^/]+-linux-[^/]+)?\/perl\/(\d+\.\d+(?:\.\d+)?)(?=\/)/,
    (version) => `usr/share/perl/${version}`,
  ],
];

/** @returns a warning for each such directory. */
export function lostRuntimes(decisions: readonly Decision[], { oldView, newBase }: RebaseTrees): string[] {
  const directories = new Map<TreePath, TreePath>();
  for (const { path, wish, view } of decisions) {
    if (wish.want !== 'object' || view === undefined) continue;
    for (const [pattern, runtime] of RUNTIMES) {
      const [directory, version] = pattern.exec(path) ?? [];
      if (directory !== undefined && version !== undefined) directories.set(directory, runtime(version));
    }
  }
  return [...directories].flatMap(([directory, runtime]) => {
    const isLost = look(prefixOf(oldView), runtime) !== undefined && look(prefixOf(newBase), runtime) === undefined;
    return isLost
      ? [`what you installed in ${show(directory)} needs ${show(runtime)}, which the new image has no more`]
      : [];
  });
}
