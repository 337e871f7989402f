// What other tools move for the same update: rsync from tree to tree, casync with its chunks of whole trees. Both need a
// server of their own kind and neither reads container images; the bytes are what they would fetch.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { runChecked } from '../../src/system/process.ts';
import type { FlatImages } from './flat-images.ts';

export interface OtherCost {
  fetchedBytes: number;
}

/** The bytes that rsync's protocol sends both ways, with its own compression. */
export async function updateByRsync({ trees }: FlatImages, work: string): Promise<OtherCost> {
  const target = join(work, 'rsync');
  mkdirSync(target);
  try {
    await runChecked(['cp', '--archive', `${trees.v1}/.`, target]);
    const statistics = await runChecked([
      ...(['rsync', '-aHAX', '--numeric-ids', '--no-whole-file', '--compress', '--delete', '--stats'] as const),
      `${trees.v2}/`,
      `${target}/`,
    ]);
    const bytes = (what: string) => {
      const digits = new RegExp(`^Total bytes ${what}: ([0-9,.]+)`, 'm').exec(statistics)?.[1] ?? '';
      return Number(digits.replace(/\D/g, ''));
    };
    return { fetchedBytes: bytes('sent') + bytes('received') };
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
}

/** The chunks that only the new tree has, and its index. */
export async function updateByCasync({ trees }: FlatImages, work: string): Promise<OtherCost> {
  const directory = join(work, 'casync');
  mkdirSync(directory);
  const store = join(directory, 'store');
  const make = (tag: 'v1' | 'v2') =>
    runChecked(['casync', 'make', `--store=${store}`, '--with=best', join(directory, `${tag}.caidx`), trees[tag]]);
  try {
    await make('v1');
    const before = new Set(chunksOf(store));
    await make('v2');
    const fresh = chunksOf(store).filter((path) => !before.has(path));
    const bytes = fresh.reduce((sum, path) => sum + statSync(path).size, 0);
    return { fetchedBytes: bytes + statSync(join(directory, 'v2.caidx')).size };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function chunksOf(store: string): string[] {
  return readdirSync(store, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => readdirSync(join(store, name)).map((file) => join(store, name, file)));
}

/** Debian packages that only this bench needs. */
const PACKAGES = ['casync', 'podman', 'rsync'];

/** Installs what is missing. */
export function installOtherTools(log: (line: string) => void): void {
  const missing = PACKAGES.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  log(`installing ${missing.join(', ')}`);
  const options = { stdio: 'pipe', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } } as const;
  execFileSync('apt-get', ['update'], options);
  execFileSync('apt-get', ['install', '-y', '--no-install-recommends', ...missing], options);
}

function isInstalled(name: string): boolean {
  try {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is dpkg-query's own placeholder
    const status = execFileSync('dpkg-query', ['-W', '-f', '${db:Status-Status}', name], { stdio: 'pipe' });
    return status.toString() === 'installed';
  } catch {
    return false;
  }
}
