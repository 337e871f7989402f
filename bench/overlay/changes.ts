// How long it takes to find what was changed in a view: on the demo system and on a hundred thousand small files, each an
// ext4 image and a changed copy of it, mounted on the host with nothing of them in memory.

import { appendFileSync, chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DemoImages, ensureDemoImages } from '../../lab/demo/images.ts';
import { unpackTree } from '../../lab/demo/layer.ts';
import { removeTree } from '../../lab/work-tree.ts';
import { findChanges } from '../../src/overlay/rebase/changes.ts';
import { HoldfastError } from '../../src/system/errors.ts';
import { mount, unmount } from '../../src/system/mounts.ts';
import { runChecked } from '../../src/system/process.ts';

const FILES = 100_000;
const FILES_PER_DIRECTORY = 100;
/** Of the files, every so manyth is changed. */
const CHANGED = 200;

export interface FoundChanges {
  name: string;
  /** Names in both trees. */
  entries: number;
  changes: number;
  seconds: number[];
}

export interface FindOptions {
  /** Scratch directory. */
  work: string;
  runs: number;
  log: (line: string) => void;
}

/** Measures both. */
export async function benchFind(options: FindOptions): Promise<FoundChanges[]> {
  const demo = await ensureDemoImages({ log: options.log });
  return [
    await measure('demo system', options, (tree) => unpackDemo(demo, tree)),
    await measure(`${FILES.toLocaleString('en')} files`, options, async (tree) => makeFiles(tree)),
  ];
}

async function unpackDemo(demo: DemoImages, tree: string): Promise<void> {
  const [layer] = demo.tags.v1.layers;
  if (layer === undefined) throw new HoldfastError('HF-IMAGE', 'version 1 of the demo has no layer');
  await unpackTree(join(demo.layout, 'blobs/sha256', layer.digest.replace('sha256:', '')), tree);
}

function makeFiles(tree: string): void {
  for (let n = 0; n < FILES; n++) {
    const directory = join(tree, 'data', `${Math.floor(n / FILES_PER_DIRECTORY)}`);
    if (n % FILES_PER_DIRECTORY === 0) mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `file-${n}`), `${n}\n`);
  }
}

async function measure(
  name: string,
  { work, runs, log }: FindOptions,
  make: (tree: string) => Promise<void>,
): Promise<FoundChanges> {
  log(`${name}: making the two trees`);
  const tree = join(work, 'tree');
  mkdirSync(tree, { mode: 0o755 });
  await make(tree);
  const [base, view] = [join(work, 'base'), join(work, 'view')];
  await runChecked(['mkfs.ext4', '-q', '-b', '4096', '-m', '0', '-N', '200000', '-d', tree, `${base}.img`, '1536M']);
  await runChecked(['cp', '--sparse=always', `${base}.img`, `${view}.img`]);
  await removeTree(tree);
  const found: FoundChanges = { name, entries: 0, changes: 0, seconds: [] };
  for (const directory of [base, view]) mkdirSync(directory, { recursive: true });
  await mount(`${view}.img`, view, { options: ['loop'] });
  await change(view);
  await unmount(view);
  for (let run = 0; run < runs; run++) {
    await mount(`${base}.img`, base, { options: ['loop', 'ro'] });
    await mount(`${view}.img`, view, { options: ['loop', 'ro'] });
    try {
      writeFileSync('/proc/sys/vm/drop_caches', '3');
      const started = performance.now();
      const { entries, changes } = await findChanges({ oldBase: base, oldView: view });
      found.seconds.push((performance.now() - started) / 1000);
      Object.assign(found, { entries, changes: changes.length });
    } finally {
      await unmount(view);
      await unmount(base);
    }
  }
  for (const image of [base, view]) rmSync(`${image}.img`);
  log(
    `${name}: ${found.changes} of ${found.entries} in ${found.seconds.map((seconds) => seconds.toFixed(1)).join(' ')} s`,
  );
  return found;
}

/** Edits, changed modes, removed and new files, in turn. */
async function change(view: string): Promise<void> {
  // Regular files alone: a link of the tree would lead to this machine's own files.
  const files = (await runChecked(['find', view, '-xdev', '-type', 'f'])).split('\n').sort();
  for (let at = 1; at < files.length; at += CHANGED) {
    const path = files[at] ?? '';
    switch (Math.floor(at / CHANGED) % 4) {
      case 0:
        appendFileSync(path, 'changed\n');
        break;
      case 1:
        chmodSync(path, 0o600);
        break;
      case 2:
        rmSync(path);
        break;
      default:
        writeFileSync(`${path}.new`, 'new\n');
    }
  }
}
