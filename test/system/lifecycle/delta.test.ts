// Upgrades that move only what changed, from a real registry, of an image that is one flattened layer: what is fetched and
// written, that the result is what unpacking the whole image gives, and what happens when something doesn't fit. Takes
// under a minute.

import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { ensureExecutable } from '../../../lab/executable.ts';
import { type LabRegistry, pushImage, startRegistry } from '../../../lab/registry/registry.ts';
import { hexOf } from '../../../src/image/digest.ts';
import { openImage } from '../../../src/image/image.ts';
import { writeImage } from '../../../src/image/layout-writer.ts';
import type { OciImage } from '../../../src/image/oci-image.ts';
import { parseImageSource } from '../../../src/image/reference.ts';
import { findIndex } from '../../../src/image/seekable/published-index.ts';
import { unpackImage } from '../../../src/image/unpack-image.ts';
import { install } from '../../../src/lifecycle/apply-install.ts';
import { type UpgradeResult, upgrade } from '../../../src/lifecycle/apply-upgrade.ts';
import { upgradeRecovery } from '../../../src/lifecycle/apply-upgrade-recovery.ts';
import type { SessionOptions } from '../../../src/lifecycle/session.ts';
import { makeSkeleton } from '../../../src/lifecycle/target.ts';
import type { UpgradeRequest } from '../../../src/lifecycle/upgrade.ts';
import { FETCH_DIRECTORY, pristineFile, pristineIndexFile, SLOT_FILES } from '../../../src/slots/names.ts';
import { unmount } from '../../../src/system/mounts.ts';
import { runChecked } from '../../../src/system/process.ts';
import { Root } from '../../../src/system/root.ts';
import { wholeSnapshot } from '../image/whole-snapshot.ts';
import { DiskImage, machineTraces, slotText } from './disk-image.ts';
import { BOOT_FILES, osRelease, TinyImages } from './tiny-image.ts';

const NOW = '2026-11-20T10:00:00.000Z';
const ALL = ['COS_STATE', 'COS_OEM', 'COS_PERSISTENT', 'COS_RECOVERY'];
const KIB = 1024;

let executable: string;
let images: TinyImages;
let registry: LabRegistry;
let name: string;
/** With v1 installed. */
let original: DiskImage;
let disk: DiskImage;

/** Bytes that don't shrink when they are packed. */
function noise(seed: number, kib: number): Buffer {
  const bytes = Buffer.alloc(kib * KIB);
  let state = seed;
  for (let at = 0; at < bytes.length; at += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes.writeUInt32LE((state ^ (state >>> 15)) >>> 0, at);
  }
  return bytes;
}

/** An image of one layer: the tree of another one, changed. */
async function addFlattened(tag: string, from: string, change: (tree: string) => void): Promise<void> {
  const tree = join(images.directory, `${tag}.flat`);
  cpSync(from, tree, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  change(tree);
  const tar = `${tree}.tar`;
  const plain = ['--sort=name', '--numeric-owner', '--owner=0', '--group=0'];
  await runChecked(['tar', ...plain, '--mtime=2026-01-01', '-C', tree, '-cf', tar, '.']);
  await writeImage(images.layout, { tag, architecture: 'amd64', layers: [{ tar, compression: 'gzip' }] });
  await pushImage(images.layout, tag, `${name}:${tag}`);
}

const flat = (tag: string) => join(images.directory, `${tag}.flat`);

/** Writes the version that a tree says it is. */
function setVersion(tree: string, version: number): void {
  for (const [path, text] of Object.entries(osRelease(version))) writeFileSync(join(tree, path), String(text));
}

beforeAll(async () => {
  executable = await ensureExecutable(() => {});
  images = new TinyImages();
  registry = await startRegistry(join(images.directory, 'registry'));
  name = `${registry.host}/os/flat`;
  await images.add('base', [{ name: 'base', files: { ...BOOT_FILES, ...osRelease(1) } }]);
  await addFlattened('v1', images.treeOf('base'), (tree) => {
    mkdirSync(join(tree, 'usr/share/old'), { recursive: true });
    writeFileSync(join(tree, 'usr/share/large'), noise(1, 4096));
    writeFileSync(join(tree, 'usr/share/old/moves'), noise(2, 1024));
    writeFileSync(join(tree, 'usr/share/goes'), noise(3, 64));
  });
  await addFlattened('v2', flat('v1'), (tree) => {
    setVersion(tree, 2);
    const large = noise(1, 4096);
    large.write('a part of it is new', 2_000_000);
    writeFileSync(join(tree, 'usr/share/large'), large);
    mkdirSync(join(tree, 'usr/share/new'));
    writeFileSync(join(tree, 'usr/share/new/moved'), noise(2, 1024));
    rmSync(join(tree, 'usr/share/old'), { recursive: true });
    rmSync(join(tree, 'usr/share/goes'));
    writeFileSync(join(tree, 'usr/share/comes'), noise(4, 32));
  });
  await addFlattened('v3', flat('v2'), (tree) => {
    setVersion(tree, 3);
    writeFileSync(join(tree, 'usr/share/comes'), noise(5, 32));
  });
  await runChecked([executable, 'image', 'index', `docker:${name}:v2`, '--since', `docker:${name}:v1`]);
  original = DiskImage.create(4096);
  const image = await open('v1');
  await install(
    { image, target: original.file, strictness: 'chroot', force: false, cloudInit: [], bootEntry: false },
    { command: 'test', now: NOW },
  );
}, 120_000);
afterAll(async () => {
  await registry?.close();
  images?.remove();
  original?.remove();
});

beforeEach(async () => {
  disk = DiskImage.create(1);
  await runChecked(['cp', '--sparse=always', '--reflink=auto', original.file, disk.file]);
  return () => disk.remove();
});

async function open(tag: string): Promise<OciImage> {
  const image = await openImage(parseImageSource(`docker:${name}:${tag}`));
  if (image.kind !== 'oci') throw new Error('not an image');
  return image;
}

/** An upgrade of the disk from the outside. */
async function upgradeTo(
  tag: string,
  options: Partial<SessionOptions> = {},
  request: Partial<UpgradeRequest> = {},
): Promise<UpgradeResult> {
  const image = await open(tag);
  return disk.withPartitions(ALL, () =>
    upgrade({ image, strictness: 'chroot', force: false, ...request }, { command: 'test', now: NOW, ...options }),
  );
}

const kinds = ({ plan }: Pick<UpgradeResult, 'plan'>) => plan.actions.map(({ kind }) => kind);
const packedBytes = ({ layers }: OciImage) => layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
const layerReads = () => (registry.log().match(/GET \/v2\/os\/flat\/blobs\/sha256:\w+/g) ?? []).length;

/** A tree but for the time of what was made while it was built. */
async function comparable(directory: string, since: number) {
  const { 'lost+found': _, ...entries } = await wholeSnapshot(directory);
  const made = ({ mtimeSeconds }: { mtimeSeconds: number }) => mtimeSeconds >= since;
  const inBuild = { mtimeSeconds: 0, mtimeMicroseconds: 'while it was built' };
  return Object.fromEntries(
    Object.entries(entries).map(([path, entry]) => [path, made(entry) ? { ...entry, ...inBuild } : entry]),
  );
}

/** The pristine of an image is what unpacking it into an empty directory gives. */
async function expectPristine(tag: string): Promise<void> {
  const image = await open(tag);
  // The trees are all older.
  const since = Date.parse('2026-02-01') / 1000;
  const unpacked = join(disk.directory, 'unpacked');
  mkdirSync(unpacked, { mode: 0o755 });
  await unpackImage(image, unpacked);
  makeSkeleton(new Root(unpacked));
  await disk.withMounted('COS_STATE', async (state) => {
    const at = join(disk.directory, 'pristine');
    mkdirSync(at);
    await runChecked(['mount', '-o', 'loop,ro,noload', join(state, pristineFile(image.digest)), at]);
    try {
      expect(await comparable(at, since)).toEqual(await comparable(unpacked, since));
    } finally {
      await unmount(at);
    }
    expect(existsSync(join(state, pristineIndexFile(image.digest)))).toBe(true);
    // Nothing that was fetched stays, nor what it was built from.
    expect(readdirSync(join(state, 'cOS')).filter((file) => /^\.fetch$|new$|transition/.test(file))).toEqual([]);
  });
}

test('only what changed is fetched and written, and the plan says so before', async () => {
  const before = machineTraces();
  const planned = await upgradeTo('v2', { dryRun: true });
  expect(kinds(planned).slice(3, 6)).toEqual(['clone-transition', 'apply-delta', 'keep-pristine']);
  expect(planned.plan.actions[4]?.summary).toMatch(
    /^Write what differs in docker:\S+: [\d.]+ KiB of [\d.]+ MiB to fetch, at most [\d.]+ MiB to write$/,
  );
  const result = await upgradeTo('v2');
  expect(result).toMatchObject({ outcome: 'ok', warnings: [], prettyName: 'Tiny 2' });
  const image = await open('v2');
  // A file of 32 KiB, a chunk of the large one, os-release.
  expect(result.moved?.fullBytes).toBe(packedBytes(image));
  expect(result.moved?.fetchedBytes).toBeGreaterThan(32 * KIB);
  expect(result.moved?.fetchedBytes).toBeLessThan(0.1 * packedBytes(image));
  expect(result.moved?.writtenBytes).toBeLessThan(64 * KIB);
  expect(machineTraces()).toEqual(before);
  await expectPristine('v2');
  await disk.withMounted('COS_STATE', async (state) => {
    expect(await slotText(state, 'active', '/etc/os-release')).toContain('Tiny 2');
    expect(await slotText(state, 'passive', '/etc/os-release')).toContain('Tiny 1');
  });
});

test('the command says it in a line', async () => {
  const { digest } = await open('v2');
  const { stdout } = await disk.withPartitions(ALL, () =>
    runChecked([executable, 'upgrade', `docker:${name}@${digest}`]).then((text) => ({ stdout: text })),
  );
  expect(stdout).toMatch(/^ {2}moved {6}fetched \d+ KiB of [\d.]+ MiB, wrote \d+ KiB$/m);
});

test('without an index the whole image comes, once', async () => {
  const before = layerReads();
  const result = await upgradeTo('v3');
  expect(kinds(result)).not.toContain('apply-delta');
  expect(result).toMatchObject({ outcome: 'ok', prettyName: 'Tiny 3' });
  expect(result.moved?.fetchedBytes).toBe(packedBytes(await open('v3')));
  // The configuration, twice since this test opens it too, a look at the layer's end, and the layer.
  expect(layerReads() - before).toBeLessThanOrEqual(4);
  await expectPristine('v3');
});

test('an image with other words about the same layers costs no byte of them', async () => {
  await writeImage(images.layout, {
    tag: 'same',
    architecture: 'amd64',
    labels: { 'org.opencontainers.image.version': 'same' },
    layers: [{ tar: `${flat('v1')}.tar`, compression: 'gzip' }],
  });
  await pushImage(images.layout, 'same', `${name}:same`);
  const result = await upgradeTo('same');
  expect(result).toMatchObject({ outcome: 'ok', prettyName: 'Tiny 1' });
  expect(result.moved).toMatchObject({ fetchedBytes: 0, writtenBytes: 0 });
  await expectPristine('same');
});

test('an upgrade that was interrupted fetches nothing twice', async () => {
  const stopAt = (kind: string, planned: UpgradeResult) => (index: number) => {
    if (planned.plan.actions[index]?.kind === kind) throw new Error('the power went');
  };
  const planned = await upgradeTo('v2', { dryRun: true });
  await expect(upgradeTo('v2', { beforeAction: stopAt('keep-pristine', planned) })).rejects.toThrow('the power went');
  await disk.withMounted('COS_STATE', (state) => {
    expect(readdirSync(join(state, 'cOS'))).not.toContain('transition.img');
    expect(readdirSync(join(state, 'cOS/.fetch'))).toHaveLength(1);
  });
  const again = await upgradeTo('v2');
  expect(again).toMatchObject({ outcome: 'ok', prettyName: 'Tiny 2' });
  expect(again.moved?.fetchedBytes).toBe(0);
  await expectPristine('v2');
});

test('a whole image that was interrupted is continued too', async () => {
  const planned = await upgradeTo('v3', { dryRun: true });
  await expect(
    upgradeTo('v3', {
      beforeAction: (index) => {
        if (planned.plan.actions[index]?.kind === 'keep-pristine') throw new Error('the power went');
      },
    }),
  ).rejects.toThrow('the power went');
  const before = layerReads();
  const again = await upgradeTo('v3');
  expect(again).toMatchObject({ outcome: 'ok', prettyName: 'Tiny 3', moved: { fetchedBytes: 0 } });
  // The configuration, and a look at the layer's end.
  expect(layerReads() - before).toBeLessThanOrEqual(2);
  await expectPristine('v3');
});

test.each<[string, (state: string, digest: string) => Promise<void>, boolean]>([
  [
    'a copy that is not what its index says',
    async (state, digest) => {
      await runChecked(['debugfs', '-w', '-R', 'rm /usr/share/goes', join(state, pristineFile(digest))]);
    },
    true,
  ],
  [
    'a copy with other bytes than it had',
    async (state, digest) => {
      const pristine = join(state, pristineFile(digest));
      const wrong = join(state, 'wrong');
      writeFileSync(wrong, noise(9, 1024));
      await runChecked(['debugfs', '-w', '-R', 'rm /usr/share/old/moves', pristine]);
      await runChecked(['debugfs', '-w', '-R', `write ${wrong} /usr/share/old/moves`, pristine]);
      rmSync(wrong);
    },
    true,
  ],
  ['a damaged index', async (state, digest) => writeFileSync(join(state, pristineIndexFile(digest)), 'damaged'), false],
])('%s: the whole image is fetched, and the result is the same', async (_, damage, isWarned) => {
  const { digest } = await open('v1');
  await disk.withMounted('COS_STATE', (state) => damage(state, digest), { writable: true });
  const minimumBytes = 1100 * 2 ** 20;
  const result = await upgradeTo('v2', {}, { minimumBytes });
  expect(result.prettyName).toBe('Tiny 2');
  await disk.withMounted('COS_STATE', async (state) => {
    expect(statSync(join(state, SLOT_FILES.active)).size).toBe(minimumBytes);
  });
  expect(result.warnings.filter((text) => text.includes('all of the image is fetched'))).toHaveLength(isWarned ? 1 : 0);
  expect(result.moved?.writtenBytes).toBeGreaterThan(5_000 * KIB);
  await expectPristine('v2');
});

/** The file in which the registry keeps the chunks of v2's index. */
async function packOfIndex(): Promise<string> {
  const { digest, repository } = await open('v2');
  const index = await findIndex({ digest, repository }, { base: (await open('v1')).digest, onProblem: () => {} });
  if (index === undefined) throw new Error('there is no index');
  const hex = hexOf(index.pack.digest);
  return join(images.directory, 'registry/data/docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
}

test('an index whose chunks the registry does not give can not block an upgrade', async () => {
  const pack = await packOfIndex();
  renameSync(pack, `${pack}.whole`);
  writeFileSync(pack, '');
  try {
    const result = await upgradeTo('v2');
    expect(result).toMatchObject({ outcome: 'ok-with-warnings', prettyName: 'Tiny 2' });
    expect(result.warnings).toEqual([expect.stringContaining('all of the image is fetched')]);
    expect(kinds(result)).toContain('apply-delta');
  } finally {
    renameSync(`${pack}.whole`, pack);
  }
  await expectPristine('v2');
});

test('the upgrade of a recovery system that was interrupted fetches nothing twice', async () => {
  const image = await open('v2');
  const recover = (options: Partial<SessionOptions>) =>
    disk.withPartitions(ALL, () =>
      upgradeRecovery({ image, strictness: 'chroot', force: false }, { command: 'test', now: NOW, ...options }),
    );
  const planned = await recover({ dryRun: true });
  const beforeAction = (index: number) => {
    if (planned.plan.actions[index]?.kind === 'activate-recovery') throw new Error('the power went');
  };
  await expect(recover({ beforeAction })).rejects.toThrow('the power went');
  const others = '0'.repeat(64);
  await disk.withMounted(
    'COS_STATE',
    (state) => writeFileSync(join(state, FETCH_DIRECTORY, `${others}.part`), 'of another image'),
    { writable: true },
  );
  const again = await recover({});
  expect(again).toMatchObject({ outcome: 'ok', warnings: [], moved: { fetchedBytes: 0 } });
  await disk.withMounted('COS_STATE', (state) => expect(existsSync(join(state, FETCH_DIRECTORY))).toBe(false));
});

test('the recovery system comes the same way', async () => {
  const image = await open('v2');
  const result = await disk.withPartitions(ALL, () =>
    upgradeRecovery({ image, strictness: 'chroot', force: false }, { command: 'test', now: NOW }),
  );
  expect(result).toMatchObject({ outcome: 'ok', prettyName: 'Tiny 2' });
  expect(result.plan.actions.map(({ kind }) => kind)).toContain('apply-delta');
  expect(result.moved?.fetchedBytes).toBeLessThan(0.1 * packedBytes(image));
});
