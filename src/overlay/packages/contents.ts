// Which files packages brought, as the tree's own package manager says.

import { apkFiles } from './apk-database.ts';
import { dpkgEntries, parseConffiles, parseDpkgFiles, parseMd5sums } from './dpkg-database.ts';
import { ask, PLAIN } from './lists.ts';
import type { DatabaseName, PackagedEntry, PackageStep, PackageTree } from './model.ts';
import { parseRpmFiles, RPM_FILES } from './rpm-database.ts';

/** How many packages are asked about at once: the arguments of a program are limited. */
const AT_ONCE = 200;

/**
 * The entries of packages that a tree has, by key.
 * @param versionOf the version of a step that this tree has.
 */
export async function readContents(
  tree: PackageTree,
  database: DatabaseName,
  steps: readonly PackageStep[],
  versionOf: (step: PackageStep) => string | undefined,
  signal?: AbortSignal,
): Promise<Map<string, PackagedEntry[]>> {
  const there = steps.filter((step) => versionOf(step) !== undefined);
  if (there.length === 0) return new Map();
  if (database === 'dpkg') return readDpkgContents(tree, there, signal);
  if (database === 'rpm') return readRpmContents(tree, there, versionOf, signal);
  const files = apkFiles(tree.root, new Set(there.map(({ name }) => name)));
  return new Map(there.map(({ key, name }) => [key, files.get(name) ?? []]));
}

async function readDpkgContents(
  tree: PackageTree,
  steps: readonly PackageStep[],
  signal: AbortSignal | undefined,
): Promise<Map<string, PackagedEntry[]>> {
  const contents = new Map<string, PackagedEntry[]>();
  for (let at = 0; at < steps.length; at += AT_ONCE) {
    const some = steps.slice(at, at + AT_ONCE);
    const keys = some.map(({ key }) => key);
    // A block for each package, in the order of the arguments.
    const lists = (await ask(tree, ['dpkg-query', '--listfiles', ...keys], signal)).split(/\n\n/);
    // biome-ignore lint/suspicious/noTemplateCurlyInString: these are dpkg-query's own placeholders
    const format = '--showformat=@${Package}:${Architecture}\\n${Conffiles}\\n';
    const conffiles = blocksOf(await ask(tree, ['dpkg-query', '--show', format, ...keys], signal));
    for (const [index, key] of keys.entries()) {
      const sums = await tree.run(['dpkg-query', '--control-show', key, 'md5sums'], { env: PLAIN, signal });
      contents.set(
        key,
        dpkgEntries(
          parseDpkgFiles(lists[index] ?? ''),
          // A package without the file has no digests.
          parseMd5sums(sums.status === 0 ? sums.stdout : ''),
          parseConffiles(conffiles.get(key) ?? ''),
        ),
      );
    }
  }
  return contents;
}

/** Texts below lines `@KEY`. */
function blocksOf(text: string): Map<string, string> {
  const blocks = new Map<string, string>();
  for (const block of `\n${text}`.split('\n@').slice(1)) {
    const end = block.indexOf('\n');
    blocks.set(end < 0 ? block : block.slice(0, end), end < 0 ? '' : block.slice(end + 1));
  }
  return blocks;
}

async function readRpmContents(
  tree: PackageTree,
  steps: readonly PackageStep[],
  versionOf: (step: PackageStep) => string | undefined,
  signal: AbortSignal | undefined,
): Promise<Map<string, PackagedEntry[]>> {
  const contents = new Map<string, PackagedEntry[]>();
  for (const step of steps) {
    const name = `${step.name}-${(versionOf(step) ?? '').replace(/^\d+:/, '')}.${step.architecture}`;
    contents.set(step.key, parseRpmFiles(await ask(tree, ['rpm', '-q', '--qf', RPM_FILES, '--', name], signal)));
  }
  return contents;
}
