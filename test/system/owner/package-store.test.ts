// Packages that an owner keeps, with the real apt and dpkg: installed from a repository into a new system, from the kept files
// into one without a network, and refused with a chain where the system has no place for them. Takes about 15 seconds once the
// lab's base is there.

import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { writeIndex } from '../../../lab/packages/repository.ts';
import { type PackageServer, servePackages } from '../../../lab/packages/server.ts';
import { checkPackages } from '../../../src/owner/check.ts';
import { readSlotLock, writeLock } from '../../../src/owner/lock-place.ts';
import { openPackageStore } from '../../../src/owner/package-store.ts';
import type { PackageChoice } from '../../../src/owner/policy.ts';
import type { StageResult } from '../../../src/stages/result.ts';
import { runStage } from '../../../src/stages/run.ts';
import type { Root } from '../../../src/system/root.ts';
import { PackageTrees } from '../overlay/package-trees.ts';

const trees = new PackageTrees();
const IMAGE = 'sha256:image';
const NOW = '2026-11-21T22:00:00Z';
let files: Record<'tool1' | 'tool2' | 'lib1' | 'lib2', string>;
let server: PackageServer | undefined;

beforeAll(async () => {
  await trees.unpackBase();
  const tool = (version: string, lib: string) =>
    trees.build('lab-tool', {
      version,
      depends: `lab-lib (>= ${lib})`,
      files: { '/usr/bin/lab-tool': `#!/bin/sh\necho ${version}\n` },
    });
  const lib = (version: string) => trees.build('lab-lib', { version, files: { '/usr/lib/lab-lib': `${version}\n` } });
  files = {
    tool1: await tool('1:1.0-1', '1.0'),
    tool2: await tool('1:2.0-1', '2.0'),
    lib1: await lib('1.0'),
    lib2: await lib('2.0'),
  };
});
afterEach(async () => {
  await server?.close();
  server = undefined;
});
afterAll(() => trees.remove());

let count = 0;

/** A new system, with the owner's partitions of the machine. */
async function newSystem(machine: string): Promise<Root> {
  count += 1;
  const root = await trees.copyTree('clean', `system-${count}`);
  for (const [path, name] of [
    ['/oem', 'oem'],
    ['/usr/local', 'persistent'],
  ] as const) {
    const place = join(trees.directory, machine, name);
    mkdirSync(place, { recursive: true });
    rmSync(root.resolve(path), { recursive: true, force: true });
    cpSync(place, root.resolve(path), { recursive: true });
  }
  return root;
}

/** What the next system of the machine finds. */
function goesOn(root: Root, machine: string): void {
  for (const [path, name] of [
    ['/oem', 'oem'],
    ['/usr/local', 'persistent'],
  ] as const) {
    rmSync(join(trees.directory, machine, name), { recursive: true, force: true });
    cpSync(root.resolve(path), join(trees.directory, machine, name), { recursive: true });
  }
  const { lock } = readSlotLock(root);
  if (lock !== undefined) writeLock(join(trees.directory, machine, 'oem'), lock);
}

async function offer(root: Root, ...packages: string[]): Promise<void> {
  const repository = join(trees.directory, `repository-${count}`);
  mkdirSync(repository, { recursive: true });
  for (const file of packages) cpSync(file, join(repository, basename(file).replaceAll(':', '-')));
  await writeIndex(repository);
  server = await servePackages({ directory: repository });
  root.writeFile('/etc/apt/sources.list', `deb [trusted=yes] http://127.0.0.1:${server.port}/ ./\n`);
}

const STEPS = 'stages: {t: [{packages: {refresh: true}}, {packages: {install: [lab-tool]}}]}';

async function run(root: Root, choices?: ReadonlyMap<string, PackageChoice>): Promise<StageResult> {
  const places = { oem: root.resolve('/oem'), persistent: root.resolve('/usr/local') };
  const packageStore = openPackageStore({ root, places, base: IMAGE, now: NOW, choices });
  try {
    return await runStage({
      stage: 't',
      alone: true,
      root,
      sources: [{ name: 'test', text: STEPS }],
      events: () => {},
      packageStore,
    });
  } finally {
    packageStore.close();
  }
}

const errorsOf = ({ steps }: StageResult) => steps.flatMap(({ keys }) => keys.flatMap(({ error }) => error ?? []));
const warningsOf = ({ problems }: StageResult) => problems.map(({ message }) => message);
const versionsOf = async (root: Root) =>
  (await root.run(['dpkg-query', '-W', '-f', '$' + '{Package} $' + '{Version}\\n', 'lab-*'])).stdout.trim().split('\n');
const keptIn = (root: Root) =>
  readdirSync(root.resolve('/usr/local/.holdfast/packages')).map((name) => name.replace(/_[0-9a-f]{64}/, ''));

it('keeps what a repository gave, and needs no repository the next time', async () => {
  const first = await newSystem('one');
  await offer(first, files.tool1, files.lib1);
  const result = await run(first);
  expect([errorsOf(result), warningsOf(result)]).toEqual([[], []]);
  expect(await versionsOf(first)).toEqual(['lab-lib 1.0', 'lab-tool 1:1.0-1']);
  expect(keptIn(first)).toEqual(['lab-lib_1.0_all.deb', 'lab-tool_1%3a1.0-1_all.deb']);
  const { lock } = readSlotLock(first);
  const shown = lock?.packages.map(({ name, version, asked, neededBy, base, sha256 }) => ({
    name,
    version,
    asked,
    neededBy,
    base,
    kept: sha256 !== undefined,
  }));
  expect(shown).toEqual([
    { name: 'lab-lib', version: '1.0', asked: false, neededBy: ['lab-tool'], base: IMAGE, kept: true },
    { name: 'lab-tool', version: '1:1.0-1', asked: true, neededBy: ['lab-tool'], base: IMAGE, kept: true },
  ]);
  expect(readdirSync(first.resolve('/usr/local/.holdfast'))).toEqual(['packages']);
  expect(readdirSync(first.resolve('/var/cache/apt/archives')).filter((name) => name.endsWith('.deb'))).toEqual([]);
  goesOn(first, 'one');

  await server?.close();
  const offline = await newSystem('one');
  offline.writeFile('/etc/apt/sources.list', 'deb [trusted=yes] file:/nowhere ./\n');
  const again = await run(offline);
  expect(errorsOf(again)).toEqual([]);
  expect(warningsOf(again)).toEqual([
    expect.stringMatching(
      /^the lists of packages could not be fetched, kept package files are used: apt-get .* failed with status 100$/,
    ),
    'lab-tool 1:1.0-1 from the files that were kept: no repository has it now, or none could be reached',
  ]);
  expect(await versionsOf(offline)).toEqual(['lab-lib 1.0', 'lab-tool 1:1.0-1']);
  expect(readSlotLock(offline).lock?.packages.map(({ sha256 }) => sha256)).toEqual(
    lock?.packages.map(({ sha256 }) => sha256),
  );
  expect(existsSync(offline.resolve('/etc/apt/sources.list.d'))).toBe(false);
  goesOn(offline, 'one');

  // With a repository the newest, without asking for what is kept.
  const online = await newSystem('one');
  await offer(online, files.tool2, files.lib2);
  expect(errorsOf(await run(online))).toEqual([]);
  expect(await versionsOf(online)).toEqual(['lab-lib 2.0', 'lab-tool 1:2.0-1']);
});

it('uses no file whose content has changed', async () => {
  const root = await newSystem('one');
  root.writeFile('/etc/apt/sources.list', 'deb [trusted=yes] file:/nowhere ./\n');
  const directory = root.resolve('/usr/local/.holdfast/packages');
  for (const name of readdirSync(directory)) {
    chmodSync(join(directory, name), 0o644);
    if (name.startsWith('lab-lib')) writeFileSync(join(directory, name), 'not a package');
  }
  const result = await run(root);
  expect(warningsOf(result)[1]).toMatch(/lab-lib_1\.0_all_[0-9a-f]{64}\.deb is damaged and isn't used$/);
  expect(errorsOf(result)[0]).toContain(
    "packages don't fit into the new system: lab-tool 1:1.0-1 needs lab-lib (>= 1.0), and nothing offers it",
  );
  expect(await versionsOf(root)).toEqual(['']);
});

async function conflicting(): Promise<Root> {
  const root = await newSystem('one');
  // The image has a newer library than the repository, and holds it; the newer tool needs one that nobody has.
  await offer(root, files.tool2, files.lib1);
  return root;
}

it('explains as a chain why a package does not fit, and has installed nothing', async () => {
  const root = await conflicting();
  const places = { oem: root.resolve('/oem'), persistent: root.resolve('/usr/local') };
  const { conflicts } = await checkPackages({
    root,
    places,
    names: ['lab-tool'],
    signal: undefined,
    onOutput: () => {},
  });
  expect(conflicts.map(({ request, chain }) => ({ request, chain }))).toEqual([
    {
      request: 'lab-tool',
      chain: [
        {
          name: 'lab-tool',
          version: '1:2.0-1',
          relation: 'needs',
          wants: 'lab-lib (>= 2.0)',
          found: 'other-version',
          foundVersion: '1.0',
        },
      ],
    },
  ]);
  expect(existsSync(root.resolve('/var/lib/apt/lists/lock'))).toBe(false);
  const result = await run(root);
  expect(errorsOf(result)[0]).toContain('lab-tool 1:2.0-1 needs lab-lib (>= 2.0), only 1.0 is to be had');
  expect(await versionsOf(root)).toEqual(['']);
});

it('holds a package at what was installed last', async () => {
  const root = await conflicting();
  const result = await run(root, new Map([['lab-tool', 'hold']]));
  expect(errorsOf(result)).toEqual([]);
  expect(warningsOf(result)).toEqual(['held: lab-tool 1:1.0-1, as installed last']);
  expect(await versionsOf(root)).toEqual(['lab-lib 1.0', 'lab-tool 1:1.0-1']);
});

it('leaves a package out this time', async () => {
  const root = await conflicting();
  const result = await run(root, new Map([['lab-tool', 'defer']]));
  expect(errorsOf(result)).toEqual([]);
  expect(warningsOf(result)).toEqual(['lab-tool is left out of this system; the next upgrade tries it again']);
  expect(await versionsOf(root)).toEqual(['']);
});
