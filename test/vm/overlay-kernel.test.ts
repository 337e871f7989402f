// COW files between our code and the kernel's, in a small guest: what the kernel writes we read, what we write it takes,
// full files of every kind of size, growth while in use, and power cuts at instants of a recorded guest. Two boots of five
// seconds, two minutes in all.

import { createHash, randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withScratch } from '../../lab/crash/scratch.ts';
import { ensureExecutable } from '../../lab/executable.ts';
import { judgeCut } from '../../lab/overlay/cut-view.ts';
import type { Filled } from '../../lab/overlay/inside/block-experiments.ts';
import { CHUNK_BYTES, chunkData, countIntact, someChunks } from '../../lab/overlay/inside/chunks.ts';
import { wrongFiles } from '../../lab/overlay/inside/rounds.ts';
import { type CutRecording, forEachCut, type KINDS, recordRounds, seedOf } from '../../lab/overlay/power-cuts.ts';
import { DISK_DIRECTORY, makeDisk, SnapshotGuest } from '../../lab/overlay/snapshot-guest.ts';
import { writeBinding } from '../../src/overlay/binding.ts';
import { dataCapacity, isBadSize } from '../../src/overlay/cow-geometry.ts';
import { type CowContent, fillLevel, readCow } from '../../src/overlay/cow-read.ts';
import { createCowFromDifference } from '../../src/overlay/difference.ts';
import { readFingerprint, sizeOfBase } from '../../src/overlay/fingerprint.ts';
import { writeFlatImage } from '../../src/overlay/flat-image.ts';
import { sidecarFile } from '../../src/overlay/names.ts';
import { repairCow } from '../../src/overlay/rewrite.ts';
import { fullCoverBytes } from '../../src/overlay/sizes.ts';
import { mount, unmount } from '../../src/system/mounts.ts';
import { runChecked } from '../../src/system/process.ts';

const say = (line: string) => process.stdout.write(`    ${line}\n`);
const SEED = Number(process.env['HOLDFAST_CRASH_SEED'] ?? 1);
const ROUNDS = 25;
const CUTS = 60;
/** Of those, so many are loaded by the kernel. */
const LOADED_CUTS = 2;
const ENTRIES = CHUNK_BYTES / 16;
/** One chunk of it is a short one. */
const BASE_CHUNKS = 4097;
const BASE_BYTES = (BASE_CHUNKS - 1) * CHUNK_BYTES + 1536;
const ROOT_BYTES = 64 << 20;
/** 16 MiB, and no bad size. */
const SMALL_CHUNKS = 4096;
const COUNTS = [0, 1, ENTRIES - 1, ENTRIES, ENTRIES + 1, 2 * ENTRIES];
const inGuest = (name: string) => `${DISK_DIRECTORY}/${name}`;
const BASE = inGuest('base');

let directory: string;
let content: string;
let guest: SnapshotGuest;
let recording: CutRecording;
/** COW files after a cut, as the guest gets them, with what must be in their views. */
const cuts: { cow: string; base: string; digest: string; synced: number; seed: number }[] = [];

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-cow-'));
  content = join(directory, 'content');
  mkdirSync(content);
});
afterAll(async () => {
  await guest?.cut();
  rmSync(directory, { recursive: true, force: true });
});

describe('the power fails while a view is written to', () => {
  test('a guest writes rounds of files, synced one after the other, over a base with and one without a journal', async () => {
    const work = join(directory, 'rounds');
    mkdirSync(work);
    recording = await recordRounds({ directory: work, rounds: ROUNDS, seed: SEED, say });
  });

  test(`after each of ${CUTS} cuts both COWs are whole, and everything that was synced is in the views`, async () => {
    const findings: string[] = [];
    const synced: number[] = [];
    await withScratch(async (scratch) => {
      await forEachCut(recording, { states: CUTS, scratch }, async (disk) => {
        synced.push(disk.synced.ext2);
        const wanted = synced.length % Math.floor(CUTS / LOADED_CUTS) === 0;
        const keep = async (kind: (typeof KINDS)[number], cow: string) => {
          if (!wanted) return;
          const name = `cut-${cuts.length}`;
          copyFileSync(cow, join(content, name));
          copyFileSync(join(cow, `../${kind}.base`), join(content, `${kind}.base`));
          const seen = { base: inGuest(`${kind}.base`), synced: disk.synced[kind], seed: seedOf(SEED, kind) };
          cuts.push({ ...seen, cow: name, digest: await flatDigest(join(content, `${kind}.base`), cow) });
        };
        findings.push(...(await judgeCut(disk, { scratch, seed: SEED, keep })));
      });
    });
    say(`seed ${SEED}, ${synced.length} instants`);
    expect(findings).toEqual([]);
    expect(synced.length).toBeGreaterThan(CUTS / 2);
    // From before the first round to the last one.
    expect([synced[0], synced.at(-1)]).toEqual([0, ROUNDS]);
    expect(cuts.length).toBeGreaterThanOrEqual(2 * LOADED_CUTS - 2);
  });
});

describe('in the guest', () => {
  const written = new Map<string, { status: string; digest: string }>();
  const filled = new Map<string, Filled>();
  /** Names of COWs, and the last round that was synced. */
  const broken = new Map<string, number>();

  beforeAll(async () => {
    const base = randomBytes(BASE_BYTES);
    writeFileSync(join(content, 'base'), base);
    for (const count of COUNTS) {
      const modified = join(directory, 'modified');
      writeFileSync(modified, withChanges(base, count));
      const request = { base: join(content, 'base'), modified, sizeFor: () => fullCoverBytes(BASE_BYTES) };
      await createCowFromDifference({ ...request, to: join(content, `ours-${count}`) });
    }
    await makeRootBase(join(content, 'root.base'));
    const disk = join(directory, 'disk.img');
    await makeDisk(disk, { sizeMib: 1024, content });
    guest = await SnapshotGuest.boot({ directory, disk, files: { holdfast: await ensureExecutable(say) }, say });
  });

  const blank = async (name: string, chunks: number) => {
    await guest.shell(`fallocate -l ${chunks * CHUNK_BYTES} ${inGuest(name)}`);
    return inGuest(name);
  };

  test.each(COUNTS)('the kernel writes %i exceptions', async (count) => {
    const cow = await blank(`theirs-${count}`, fullCoverBytes(BASE_BYTES) / CHUNK_BYTES);
    const synchronous = Math.min(count, 40);
    const options = { base: BASE, cow, count, seed: count, synchronous, limit: BASE_CHUNKS };
    const { before, again } = await guest.experiment('write', options);
    expect(again).toEqual(before);
    written.set(`theirs-${count}`, again);
  });

  test('the kernel writes chunks of another size', async () => {
    const cow = await blank('theirs-large', 5000);
    const options = { base: BASE, cow, chunkSectors: 16, count: 600, seed: 5, synchronous: 0, limit: BASE_CHUNKS };
    const { before, again } = await guest.experiment('write', options);
    expect(again).toEqual(before);
    written.set('theirs-large', again);
  });

  test('the kernel merges its exceptions into the base: the view’s bytes', async () => {
    const cow = inGuest(`theirs-${2 * ENTRIES}`);
    await guest.shell(`cp ${BASE} ${inGuest('merged')} && cp ${cow} ${inGuest('merged.cow')}`);
    const digest = await guest.experiment('merge', { base: inGuest('merged'), cow: inGuest('merged.cow') });
    expect(digest).toBe(written.get(`theirs-${2 * ENTRIES}`)?.digest);
  });

  test.each(COUNTS)('the kernel takes our COW with %i exceptions, and shows what we meant', async (count) => {
    const base = readFileSync(join(content, 'base'));
    const ours = requireCow(await readCow(join(content, `ours-${count}`), { baseBytes: BASE_BYTES }));
    const seen = await guest.experiment('view', { base: BASE, cow: inGuest(`ours-${count}`) });
    expect(seen).toEqual({ status: statusOf(ours), digest: sha256(withChanges(base, count)) });
  });

  test('the kernel goes on writing into our COW', async () => {
    const cow = inGuest(`ours-${ENTRIES}`);
    const options = { base: BASE, cow, count: 700, seed: 77, synchronous: 20, limit: BASE_CHUNKS };
    const { before, again } = await guest.experiment('write', options);
    expect(again).toEqual(before);
    written.set(`ours-${ENTRIES}`, again);
  });

  test.each([
    { what: 'garbage', patch: { at: 0, hex: '4745525241474500' }, taken: false },
    { what: 'version 2', patch: { at: 8, hex: '02000000' }, taken: false },
    { what: 'chunks of 3 sectors', patch: { at: 12, hex: '03000000' }, taken: false },
    { what: 'invalid', patch: { at: 4, hex: '00000000' }, taken: true },
  ])('a header that says $what: the kernel and we agree', async ({ what, patch, taken }) => {
    const name = `header-${what.replaceAll(' ', '-')}`;
    await guest.shell(`cp ${inGuest('ours-1')} ${inGuest(name)}`);
    copyFileSync(join(content, 'ours-1'), join(directory, name));
    await guest.experiment('patch', { file: inGuest(name), ...patch });
    const seen = await guest.experiment('load', { base: BASE, cow: inGuest(name) });
    expect(seen.taken, seen.status).toBe(taken);
    if (taken) expect(seen.status).toBe('snapshot Invalid');
    const local = readFileSync(join(directory, name));
    Buffer.from(patch.hex, 'hex').copy(local, patch.at);
    writeFileSync(join(directory, name), local);
    const ours = await readCow(join(directory, name), { baseBytes: BASE_BYTES });
    expect('problem' in ours).toBe(!taken);
    if (!('problem' in ours)) expect(ours.valid).toBe(false);
  });

  test.each([ENTRIES + 1, ENTRIES + 2, ENTRIES + 3, 2 * ENTRIES + 2, 2 * ENTRIES + 3, 2 * ENTRIES + 4])(
    'a COW of %i chunks runs full as its size lets one expect',
    async (chunks) => {
      const cow = await blank(`full-${chunks}`, chunks);
      const seen = await guest.experiment('fill', { base: BASE, cow, seed: 3, limit: BASE_CHUNKS - 1 });
      if (isBadSize(chunks, ENTRIES)) {
        expect(seen).toMatchObject({
          error: 'EIO',
          status: 'snapshot Invalid',
          reloaded: 'snapshot Invalid',
          intact: 0,
        });
        filled.set(`full-${chunks}`, seen);
        return;
      }
      const acknowledged = dataCapacity(chunks, ENTRIES);
      const whole = { acknowledged, readable: acknowledged, intact: acknowledged };
      expect(seen).toMatchObject({ error: 'EIO', status: 'snapshot Overflow', ...whole });
      expect(seen.reloaded).toMatch(new RegExp(`^snapshot ${chunks * 8}/${chunks * 8} `));
    },
  );

  test('a COW without PO turns invalid when it is full', async () => {
    const cow = await blank('full-p', 100);
    const seen = await guest.experiment('fill', { base: BASE, cow, seed: 3, limit: BASE_CHUNKS - 1, persistence: 'P' });
    expect(seen).toMatchObject({ error: 'EIO', status: 'snapshot Invalid', reloaded: 'snapshot Invalid', intact: 0 });
    expect(seen.acknowledged).toBe(98);
    filled.set('full-p', seen);
  });

  test('a sparse COW on a disk that runs full turns invalid, PO or not', async () => {
    const small = inGuest('small');
    await guest.shell(
      `truncate -s 16M ${small}.img && mkfs.ext4 -q ${small}.img && mkdir ${small} && mount -o loop ${small}.img ${small}`,
    );
    await guest.shell(`truncate -s 32M ${small}/cow && fallocate -l 1M ${small}/spare && sync`);
    await guest.experiment('takeRoom', { directory: small });
    await guest.shell(`rm ${small}/spare && sync`);
    const cow = `${small}/cow`;
    const seen = await guest.experiment('fill', { base: BASE, cow, seed: 3, limit: BASE_CHUNKS - 1 });
    expect(seen).toMatchObject({ error: 'EIO', status: 'snapshot Invalid', reloaded: 'snapshot Invalid' });
    expect(seen.acknowledged).toBeGreaterThan(10);
    filled.set('sparse', seen);
    await guest.shell(`rm ${small}/filler && cp --sparse=always ${cow} ${inGuest('sparse')} && umount ${small}`);
  });

  test('a COW that takes all of its base never overflows: the file system says that it is full', async () => {
    const base = inGuest('ext4.base');
    const cow = await blank('cover', fullCoverBytes(48 << 20) / CHUNK_BYTES);
    const seen = await guest.experiment('fillFiles', { base, cow, rounds: 3 });
    expect(seen.errors).toEqual(['ENOSPC', 'ENOSPC', 'ENOSPC']);
    for (const status of seen.statuses) expect(status).toMatch(/^snapshot \d+\/\d+ \d+$/);
    expect(seen.freeBytes).toBeLessThan(1 << 20);
  });

  test.each(['P', 'PO'] as const)(
    'a file system in a COW with %s that is too small for it is written to until that ends',
    async (persistence) => {
      const cow = await blank(`broken-${persistence}`, 2300);
      const options = { base: inGuest('ext4.base'), cow, persistence, seed: 8, enough: 200 };
      const seen = await guest.experiment('writeUntilFull', options);
      expect(seen.status, seen.error).toBe(persistence === 'P' ? 'snapshot Invalid' : 'snapshot Overflow');
      expect(seen.synced).toBeGreaterThan(5);
      broken.set(`broken-${persistence}`, seen.synced);
    },
  );

  test('the watch makes a COW larger while the root runs on it: nothing is lost, and nothing stops', async () => {
    const cow = await blank('watched', SMALL_CHUNKS);
    const seen = await guest.experiment('watchOverlay', { base: inGuest('root.base'), cow, enough: 200 });
    expect(seen, seen.said).toMatchObject({ end: 'enough', acknowledged: 200, intact: 200, checkStatus: '0' });
    const total = Number(/^snapshot \d+\/(\d+) /.exec(seen.status)?.[1]) * 512;
    expect(total).toBe(fullCoverBytes(ROOT_BYTES));
    expect(seen.said).toContain('it gets more room');
  });

  test('where a COW can not grow the root becomes read-only before it overflows, and nothing is lost', async () => {
    const small = inGuest('narrow');
    await guest.shell(`truncate -s 24M ${small}.img && mkfs.ext4 -q -m 0 -O ^has_journal ${small}.img`);
    await guest.shell(`mkdir ${small} && mount -o loop ${small}.img ${small}`);
    await guest.shell(`fallocate -l ${SMALL_CHUNKS * CHUNK_BYTES} ${small}/cow && sync`);
    await guest.experiment('takeRoom', { directory: small });
    const options = { base: inGuest('root.base'), cow: `${small}/cow`, enough: 200 };
    const seen = await guest.experiment('watchOverlay', options);
    await guest.shell(`umount ${small}`);
    expect(seen.end, seen.said).toBe('EROFS');
    expect(seen.status, seen.said).toMatch(/^snapshot \d+\/\d+ \d+$/);
    expect(seen.said).toContain('/ is read-only now');
    expect(seen.acknowledged).toBeGreaterThan(50);
    expect(seen).toMatchObject({ intact: seen.acknowledged, checkStatus: expect.stringMatching(/^[01]$/) });
  });

  test('COWs after a power cut: the kernel’s view is ours, its files are there, and it goes on', async () => {
    expect(cuts.length).toBeGreaterThan(0);
    for (const { cow, base, digest, synced, seed } of cuts) {
      const options = { base, cow: inGuest(cow), check: true, synced, seed };
      const seen = await guest.experiment('resumeRounds', { ...options, from: synced + 2, to: synced + 4 });
      expect(seen.wrong, cow).toEqual([]);
      expect(seen.before.digest, cow).toBe(digest);
      written.set(cow, seen.after);
    }
  });

  test('we read everything that the kernel has written', async () => {
    await guest.off();
    const mounted = join(directory, 'mounted');
    mkdirSync(mounted);
    await mount(join(directory, 'disk.img'), mounted, { options: ['loop'] });
    try {
      expect([...written.keys()].filter((name) => name.startsWith('theirs-'))).toHaveLength(COUNTS.length + 1);
      for (const [name, { status, digest }] of written) {
        const base = join(mounted, cuts.find(({ cow }) => cow === name)?.base.replace(/.*\//, '') ?? 'base');
        const cow = requireCow(await readCow(join(mounted, name), { baseBytes: readFileSync(base).length }));
        expect(statusOf(cow), name).toBe(status);
        expect(await flatDigest(base, join(mounted, name)), name).toBe(digest);
        const count = /^theirs-(\d+)$/.exec(name)?.[1];
        if (count !== undefined) expect(cow.count, name).toBe(Number(count));
      }
      expect([...filled.keys()]).toHaveLength(4);
      for (const [name, { acknowledged }] of filled) {
        const cow = requireCow(await readCow(join(mounted, name), { baseBytes: BASE_BYTES }));
        expect(cow.valid, name).toBe(false);
        // What the kernel doesn't show any more is there: this is what a repair has to find.
        const flat = join(directory, 'flat');
        await writeFlatImage({ base: join(mounted, 'base'), cow: join(mounted, name), to: flat });
        const chunks = someChunks(BASE_CHUNKS - 1, BASE_CHUNKS - 1, 3);
        expect(countIntact(flat, chunks.slice(0, acknowledged), 3), name).toBe(acknowledged);
      }
    } finally {
      await unmount(mounted);
    }
  });

  test('a repair brings back everything that was synced before a COW was full or invalid', async () => {
    const mounted = join(directory, 'mounted');
    await mount(join(directory, 'disk.img'), mounted, { options: ['loop'] });
    try {
      const base = join(mounted, 'ext4.base');
      const sizeBytes = sizeOfBase(base);
      const place = { file: base, name: 'the base', sizeBytes, fingerprint: readFingerprint(base) };
      expect([...broken.keys()]).toHaveLength(2);
      for (const [name, synced] of broken) {
        const file = join(mounted, name);
        const created = new Date().toISOString();
        const binding = { fingerprint: place.fingerprint, baseSizeBytes: sizeBytes, created, filesystem: 'ext4' };
        writeBinding(sidecarFile(file), { ...binding, state: 'quarantined' });
        const scratch = join(directory, 'scratch');
        const sizeFor = () => fullCoverBytes(sizeBytes);
        const result = await repairCow({ file, base: place, scratch, sizeFor, tell: say, now: new Date() });
        expect(result.aside, name).toBeDefined();
        expect(requireCow(await readCow(file, { baseBytes: sizeBytes })).valid, name).toBe(true);
        const flat = join(directory, 'flat');
        await writeFlatImage({ base, cow: file, to: flat });
        const view = join(directory, 'view');
        mkdirSync(view, { recursive: true });
        await mount(flat, view, { options: ['loop'] });
        try {
          expect(wrongFiles(join(view, 'rounds'), synced, 8), name).toEqual([]);
        } finally {
          await unmount(view);
        }
      }
    } finally {
      await unmount(mounted);
    }
  });
});

/** What a root needs for a program that looks at its overlay; the guest's own system is bound into it. */
async function makeRootBase(file: string): Promise<void> {
  const tree = join(directory, 'root');
  for (const name of ['usr', 'proc', 'sys', 'dev', 'run', 'tmp', 'etc'])
    mkdirSync(join(tree, name), { recursive: true });
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(tree, name));
  await runChecked(['mkfs.ext4', '-q', '-b', '4096', '-J', 'size=4', '-d', tree, file, `${ROOT_BYTES >> 20}M`]);
}

/** A base with so many changed chunks, the short last one among them. */
function withChanges(base: Buffer, count: number): Buffer {
  const changed = Buffer.from(base);
  if (count > 0) chunkData(9, 0).copy(changed, (BASE_CHUNKS - 1) * CHUNK_BYTES);
  for (const chunk of someChunks(Math.max(0, count - 1), BASE_CHUNKS - 1, 11)) {
    chunkData(9, chunk).copy(changed, chunk * CHUNK_BYTES);
  }
  return changed;
}

/** What `dmsetup status` has to say about a COW. */
function statusOf(cow: CowContent): string {
  const { allocatedSectors, totalSectors, metadataSectors } = fillLevel(cow);
  return `snapshot ${allocatedSectors}/${totalSectors} ${metadataSectors}`;
}

function requireCow(cow: Awaited<ReturnType<typeof readCow>>): CowContent {
  if ('problem' in cow) throw new Error(cow.problem.message);
  return cow;
}

async function flatDigest(base: string, cow: string): Promise<string> {
  const to = join(directory, 'flat');
  await writeFlatImage({ base, cow, to });
  return sha256(readFileSync(to));
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
