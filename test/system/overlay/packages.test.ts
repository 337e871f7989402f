// Packages that an owner installed, removed and upgraded by hand, carried to a new base by the real dpkg and apt: from files
// that were kept, from a repository, and from neither. Takes about 20 seconds once the lab's base is there.

import { createHash } from 'node:crypto';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { writeIndex } from '../../../lab/packages/repository.ts';
import { type PackageServer, servePackages } from '../../../lab/packages/server.ts';
import { applyPackages } from '../../../src/overlay/packages/apply.ts';
import type { PackagePlan } from '../../../src/overlay/packages/model.ts';
import { planPackages } from '../../../src/overlay/packages/plan.ts';
import { planRebase } from '../../../src/overlay/rebase/plan-rebase.ts';
import { HoldfastError } from '../../../src/system/errors.ts';
import type { Root } from '../../../src/system/root.ts';
import { PackageTrees } from './package-trees.ts';

const trees = new PackageTrees();
let files: Record<'tool' | 'lib' | 'old' | 'oldUser' | 'up1' | 'up2' | 'up3', string>;
let servers: PackageServer[] = [];
let base: string;

beforeAll(async () => {
  await trees.unpackBase();
  files = {
    tool: await trees.build('lab-tool', {
      version: '1:1.0-1',
      depends: 'lab-lib',
      files: {
        '/usr/bin/lab-tool': '#!/bin/sh\necho tool\n',
        '/usr/share/lab-tool/edited': 'packaged\n',
        '/usr/share/lab-tool/removed': 'packaged\n',
        '/bin/lab-in-bin': 'by its old name\n',
        '/etc/lab-tool/edited.conf': 'packaged\n',
        '/etc/lab-tool/plain.conf': 'packaged\n',
      },
      links: { '/usr/share/lab-tool/link': '/usr/bin/lab-tool' },
      // What invoke-rc.d asks before it starts a service, and what a package makes beside its files.
      postinst: `/usr/sbin/policy-rc.d ssh start 2>/dev/null || echo $? >/answer
update-alternatives --install /usr/bin/lab-alternative lab-alternative /usr/bin/lab-tool 10
dpkg-divert --package lab-tool --rename --divert /usr/lib/lab-diverted --add /usr/lib/lab-divert`,
    }),
    lib: await trees.build('lab-lib', { version: '1.0', files: { '/usr/lib/lab-lib': 'lib\n' } }),
    old: await trees.build('lab-old', {
      version: '1.0',
      architecture: 'amd64',
      files: { '/usr/bin/lab-old': 'old\n', '/etc/lab-old.conf': 'old\n' },
    }),
    oldUser: await trees.build('lab-old-user', {
      version: '1.0',
      depends: 'lab-old',
      files: { '/usr/lib/lab-old-user': 'x\n' },
    }),
    up1: await trees.build('lab-up', { version: '1.0', files: { '/usr/lib/lab-up': '1\n' } }),
    up2: await trees.build('lab-up', { version: '2.0', files: { '/usr/lib/lab-up': '2\n' } }),
    up3: await trees.build('lab-up', { version: '3.0', files: { '/usr/lib/lab-up': '3\n' } }),
  };
  await trees.install(await trees.copyTree('clean', 'base'), files.old, files.up1);
  base = await trees.showReadOnly('base');
  const view = await trees.copyTree('base', 'view');
  await trees.install(view, files.lib, files.tool, files.up2);
  await trees.run(view, 'dpkg', '--purge', 'lab-old');
  await trees.run(view, 'apt-mark', 'auto', 'lab-lib');
  view.writeFile('/usr/share/lab-tool/edited', 'mine\n');
  view.writeFile('/etc/lab-tool/edited.conf', 'mine\n');
  view.remove('/usr/share/lab-tool/removed');
  chmodSync(view.resolve('/usr/bin/lab-tool'), 0o700);
});
afterEach(async () => {
  for (const server of servers) await server.close();
  servers = [];
  rmSync(trees.archive, { recursive: true });
  mkdirSync(trees.archive);
  rmSync(join(trees.directory, 'next'), { recursive: true, force: true });
});
afterAll(() => trees.remove());

/** Puts package files into the archive as apt's hook does. */
function keep(...paths: string[]): void {
  for (const path of paths) {
    const [name, version] = basename(path).split('_');
    const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
    cpSync(path, join(trees.archive, `${name}_${version?.replace(':', '%3a')}_all_${sha256}.deb`));
  }
}

async function plan(): Promise<PackagePlan> {
  const at = (name: string) => join(trees.directory, name);
  const made = await planPackages(
    { oldBase: base, oldView: at('view'), newBase: at('next') },
    { archive: trees.archive },
  );
  if (made === undefined) throw new Error('there is nothing to do');
  return made;
}

const carry = (made: PackagePlan, newArchive?: string) =>
  applyPackages(made, {
    root: join(trees.directory, 'next'),
    trees: { oldBase: join(trees.directory, 'base'), oldView: join(trees.directory, 'view') },
    newArchive,
  });

/** Paths that the file replay writes, but for logs. */
async function carriedFiles({ owned }: PackagePlan): Promise<string[]> {
  const at = (name: string) => join(trees.directory, name);
  const packaged = new Set(owned.map(({ path }) => path));
  const rebase = await planRebase({ oldBase: base, oldView: at('view'), newBase: at('next') }, { packaged });
  const carried = rebase.decisions.filter(({ outcome }) => !['package', 'skipped', 'converged'].includes(outcome));
  return carried.map(({ path }) => path).filter((path) => !path.startsWith('var/log/'));
}

const statusOf = async (tree: Root, ...names: string[]) => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: these are dpkg-query's own placeholders
  const format = '${Package} ${Version} ${db:Status-Abbrev}\\n';
  const shown = await tree.run(['dpkg-query', '-W', '-f', format, ...names]);
  return shown.stdout.trim().split(/ *\n/);
};

it('a view with its base’s packages needs nothing', async () => {
  const at = join(trees.directory, 'base');
  expect(await planPackages({ oldBase: at, oldView: at, newBase: at })).toBeUndefined();
});

it('installs from kept files without a network, removes, and leaves what the owner edited to the file replay', async () => {
  const next = await trees.copyTree('base', 'next');
  keep(files.tool, files.lib);
  const made = await plan();
  const keys = (list: readonly { key: string }[]) => list.map(({ key }) => key);
  expect(keys(made.install)).toEqual(['lab-lib:all', 'lab-tool:all']);
  expect(keys(made.remove)).toEqual(['lab-old:amd64']);
  expect(made.conflicts).toEqual([
    expect.objectContaining({
      key: 'lab-up:all',
      before: '1.0',
      wanted: '2.0',
      next: '1.0',
      kind: 'downgrade',
      winner: 'new',
    }),
  ]);
  expect(made.unresolved).toEqual([]);
  expect(made.owned.map(({ path }) => path)).toEqual([
    'etc/alternatives/lab-alternative',
    'etc/lab-old.conf',
    'etc/lab-tool',
    'etc/lab-tool/plain.conf',
    'usr/bin/lab-alternative',
    'usr/bin/lab-in-bin',
    'usr/bin/lab-old',
    'usr/bin/lab-tool',
    'usr/lib/lab-lib',
    'usr/lib/lab-up',
    'usr/share/lab-tool',
    'usr/share/lab-tool/link',
    'var/lib/dpkg/alternatives/lab-alternative',
    'var/lib/dpkg/diversions',
  ]);
  // Foretold without the packages, the file replay is what it will be with them.
  const replayed = ['answer', 'etc/lab-tool/edited.conf', 'usr/share/lab-tool/edited'];
  expect(await carriedFiles(made)).toEqual(replayed);
  expect(made.absent).toEqual(['usr/share/lab-tool/removed']);
  expect(JSON.parse(JSON.stringify(made))).toEqual(made);

  const handed = join(trees.directory, 'handed');
  expect(await carry(made, handed)).toEqual({
    installed: ['lab-lib:all', 'lab-tool:all'],
    removed: ['lab-old:amd64'],
    alongside: [],
    warnings: [],
  });
  expect(await statusOf(next, 'lab-*')).toEqual(['lab-lib 1.0 ii', 'lab-tool 1:1.0-1 ii', 'lab-up 1.0 ii']);
  expect((await trees.run(next, 'apt-mark', 'showauto', 'lab-lib', 'lab-tool')).trim()).toBe('lab-lib');
  expect(next.exists('/etc/lab-old.conf')).toBe(false);
  expect(next.readText('/etc/lab-tool/edited.conf')).toBe('packaged\n');
  expect(next.exists('/usr/share/lab-tool/removed')).toBe(false);
  expect((next.lstat('/usr/bin/lab-tool')?.mode ?? 0) & 0o7777).toBe(0o700);
  expect(await carriedFiles(made)).toEqual(replayed);
  // No service was started, and nothing of ours is left.
  expect(next.readText('/answer')).toBe('101\n');
  expect(next.exists('/usr/sbin/policy-rc.d')).toBe(false);
  expect([...next.list('/tmp'), ...next.list('/var/tmp')]).toEqual([]);
  expect(readdirSync(handed)).toEqual(readdirSync(trees.archive));
});

it('what the new base has already isn’t installed again, and what it needs isn’t removed', async () => {
  const next = await trees.copyTree('base', 'next');
  await trees.install(next, files.oldUser, files.up3, files.lib, files.tool);
  const made = await plan();
  expect(made.install).toEqual([]);
  expect(made.converged.map(({ key, wanted, next: there }) => `${key} ${wanted} ${there}`)).toEqual([
    'lab-lib:all 1.0 1.0',
    'lab-tool:all 1:1.0-1 1:1.0-1',
    'lab-up:all 2.0 3.0',
  ]);
  const outcome = await carry(made);
  expect(outcome.removed).toEqual([]);
  expect(outcome.warnings).toEqual(['lab-old:amd64 stays: lab-old-user of the new base needs it']);
  expect(await statusOf(next, 'lab-old')).toEqual(['lab-old 1.0 ii']);
});

it('fetches from the repositories that the owner added what isn’t kept', async () => {
  const next = await trees.copyTree('base', 'next');
  const repository = join(trees.directory, 'repository');
  mkdirSync(repository, { recursive: true });
  for (const file of [files.tool, files.lib]) cpSync(file, join(repository, basename(file).replace(':', '-')));
  await writeIndex(repository);
  const server = await servePackages({ directory: repository });
  servers.push(server);
  const view = trees.tree('view');
  view.writeFile('/etc/apt/sources.list.d/lab.list', `deb [trusted=yes] http://127.0.0.1:${server.port}/ ./\n`);
  keep(files.lib);
  const made = await plan();
  expect(made.unresolved).toEqual(['lab-tool:all']);
  const handed = join(trees.directory, 'handed-after-download');
  const outcome = await carry(made, handed);
  expect(outcome.installed).toEqual(['lab-lib:all', 'lab-tool:all']);
  expect(server.requests).toContain('200 /lab-tool_1-1.0-1_all.deb');
  expect(await statusOf(next, 'lab-tool')).toEqual(['lab-tool 1:1.0-1 ii']);
  expect(next.list('/var/lib/apt/lists').filter((name) => name.includes('127.0.0.1'))).toEqual([]);
  // What was fetched is at hand when the same has to be done again, without a network.
  const again = await planPackages(
    { oldBase: base, oldView: join(trees.directory, 'view'), newBase: base },
    { archive: [trees.archive, handed] },
  );
  expect(again?.unresolved).toEqual([]);
  expect(again?.install).toEqual(made.install);
  view.remove('/etc/apt/sources.list.d/lab.list');
});

it('without a file and without a repository nothing is changed, and the status says so', async () => {
  const next = await trees.copyTree('base', 'next');
  keep(files.lib);
  writeFileSync(join(trees.archive, `lab-tool_1%3a1.0-1_all_${'0'.repeat(64)}.deb`), 'damaged');
  const before = next.readText('/var/lib/dpkg/status');
  const made = await plan();
  expect(made.unresolved).toEqual(['lab-tool:all']);
  expect(made.warnings).toEqual([expect.stringMatching(/0{64}\.deb is damaged and isn't used$/)]);
  const failure = await carry(made).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(HoldfastError);
  expect(failure).toMatchObject({ exitStatus: 4, message: 'not to be had for the new system: lab-tool:all 1:1.0-1' });
  expect(next.readText('/var/lib/dpkg/status')).toBe(before);
  expect([...next.list('/tmp'), ...next.list('/var/tmp')]).toEqual([]);
});
