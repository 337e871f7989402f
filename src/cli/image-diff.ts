// `holdfast image diff A B`: what changes for a machine that goes from one image to the other. Nothing is verified here but
// digests.

import { type ChangedPath, changedPaths, figuresOfTree } from '../image/image-difference.ts';
import { comparePackages } from '../image/packages.ts';
import { ReadMemory } from '../image/read-contents.ts';
import { parseOsRelease } from '../lifecycle/bootable.ts';
import { formatBytes } from '../lifecycle/sizes.ts';
import { HoldfastError } from '../system/errors.ts';
import { type ImageLookFlags, look, openLayeredImage } from './image-inspect.ts';
import type { CommandContext } from './program.ts';

/** So many lines of files and packages are shown, unless all are asked for. */
const SHOWN = 40;

export async function imageDiffCommand(
  context: CommandContext,
  names: string[],
  flags: ImageLookFlags,
): Promise<number> {
  const { reporter, signal } = context;
  const [from, to, ...others] = names;
  if (from === undefined || to === undefined || others.length > 0) {
    throw new HoldfastError('HF-USAGE', `two images are compared, not ${names.length}`, {
      hint: 'for example: holdfast image diff oci-layout:/srv/images:v1 oci-layout:/srv/images:v2',
    });
  }
  const [before, after] = [await openLayeredImage(from, flags, signal), await openLayeredImage(to, flags, signal)];
  const memory = new ReadMemory();
  const [old, now] = [await look(context, before, memory), await look(context, after, memory)];
  const files = changedPaths(old.tree, now.tree);
  const packages = old.packages && now.packages && comparePackages(old.packages, now.packages);
  const [oldFigures, nowFigures] = [figuresOfTree(old.tree), figuresOfTree(now.tree)];
  const there = new Set(before.layers.map(({ diffId }) => diffId));
  const fresh = after.layers.filter(({ diffId }) => !there.has(diffId));
  const layerBytes = fresh.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const contentBytes = files.reduce((sum, { what, change, to: bytes }) => {
    return change === 'added' || what.includes('content') ? sum + bytes : sum;
  }, 0);
  const value = {
    from: { source: before.source, digest: before.digest, ...oldFigures, system: nameOf(old.osRelease) },
    to: { source: after.source, digest: after.digest, ...nowFigures, system: nameOf(now.osRelease) },
    newLayers: { count: fresh.length, of: after.layers.length, bytes: layerBytes },
    changedContentBytes: contentBytes,
    packages: packages ?? null,
    files: files.map((file) => ({ ...file, path: `/${showPath(file.path)}` })),
  };
  const count = (change: ChangedPath['change']) => files.filter((file) => file.change === change).length;
  const packageLines =
    packages === undefined
      ? []
      : [
          ...packages.changed.map(({ name, from: one, to: other }) => `  ~ ${name} ${one} -> ${other}`),
          ...packages.added.map(({ name, version }) => `  + ${name} ${version}`),
          ...packages.removed.map(({ name, version }) => `  - ${name} ${version}`),
        ];
  reporter.result(value, [
    `From ${before.source}${label(old.osRelease)}`,
    `to   ${after.source}${label(now.osRelease)}`,
    `  size       ${formatBytes(oldFigures.contentBytes)} -> ${formatBytes(nowFigures.contentBytes)}, ${oldFigures.entries} -> ${nowFigures.entries} names`,
    `  layers     ${fresh.length} of ${after.layers.length} are new: ${formatBytes(layerBytes)} packed`,
    `  files      ${count('added')} added, ${count('removed')} removed, ${count('changed')} changed; ${formatBytes(contentBytes)} of new content`,
    packages === undefined
      ? '  packages   not known: not both have a list of dpkg or apk'
      : `  packages   ${packages.added.length} added, ${packages.removed.length} removed, ${packages.changed.length} with another version`,
    ...cut(packageLines, flags),
    ...cut(files.map(showFile), flags),
  ]);
  return 0;
}

function cut(lines: string[], { all = false }: ImageLookFlags): string[] {
  if (all || lines.length <= SHOWN) return lines;
  return [...lines.slice(0, SHOWN), `  … and ${lines.length - SHOWN} more (--all shows them)`];
}

function showFile({ path, change, what, from, to }: ChangedPath): string {
  const name = `/${showPath(path)}`;
  if (change === 'added') return `  + ${name}${to === 0 ? '' : ` (${formatBytes(to)})`}`;
  if (change === 'removed') return `  - ${name}`;
  const sizes = what.includes('content') && from !== to ? `, ${formatBytes(from)} -> ${formatBytes(to)}` : '';
  return `  ~ ${name} (${what.join(', ')}${sizes})`;
}

/** A path as text; its bytes may be anything, and none of them may reach a terminal. */
function showPath(path: string): string {
  return Buffer.from(path, 'latin1')
    .toString('utf8')
    .replace(/\p{Cc}/gu, '�');
}

function nameOf(osRelease: string | undefined): string | null {
  return osRelease === undefined ? null : (parseOsRelease(osRelease).prettyName ?? null);
}

function label(osRelease: string | undefined): string {
  const name = nameOf(osRelease);
  return name === null ? '' : ` (${name})`;
}
