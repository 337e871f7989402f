// The same with rpm, which keeps its packages in a database that only it can read: a package that was installed by hand is
// carried, one that was removed is removed unless another one needs it. Takes about 15 seconds.

import { chmodSync, cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensureRpmTools } from '../../../lab/packages/rpm-tools.ts';
import { applyPackages } from '../../../src/overlay/packages/apply.ts';
import { planPackages } from '../../../src/overlay/packages/plan.ts';
import type { Root } from '../../../src/system/root.ts';
import { PackageTrees } from './package-trees.ts';

const trees = new PackageTrees();
const at = (name: string) => join(trees.directory, name);
const NEW = ['old-1.0-1.noarch.rpm', 'old-user-1.0-1.noarch.rpm', 'up-3-1.noarch.rpm'];

beforeAll(async () => {
  await trees.unpackBase();
  const clean = trees.tree('clean');
  const tools = await ensureRpmTools({ log: () => {} });
  cpSync(tools, clean.resolve('/tools'), { recursive: true });
  await trees.run(clean, 'dpkg', '--install', '--recursive', '/tools');
  clean.remove('/tools');
  // From here on it is a system with rpm. Debian's rpm keeps its database in the home of its user.
  clean.remove('/var/lib/dpkg');
  clean.writeFile('/etc/rpm/macros', '%_dbpath /var/lib/rpm\n%_build_id_links none\n');
  await build(clean, 'tool', '1.0', {
    requires: 'lib',
    files: ['/usr/bin/tool', '/usr/share/tool/edited'],
    config: '/etc/tool.conf',
  });
  await build(clean, 'lib', '2.0', { epoch: '1', files: ['/usr/lib/tool-lib'] });
  await build(clean, 'old', '1.0', { files: ['/usr/bin/old'] });
  await build(clean, 'gone', '1.0', { files: ['/usr/bin/gone'] });
  await build(clean, 'old-user', '1.0', { requires: 'old', files: ['/usr/lib/old-user'] });
  for (const version of ['1', '2', '3']) await build(clean, 'up', version, { files: ['/usr/lib/up'] });
  const base = await trees.copyTree('clean', 'base');
  await rpm(base, '-U', '/out/old-1.0-1.noarch.rpm', '/out/gone-1.0-1.noarch.rpm', '/out/up-1-1.noarch.rpm');
  const view = await trees.copyTree('base', 'view');
  await rpm(view, '-U', '/out/tool-1.0-1.noarch.rpm', '/out/lib-2.0-1.noarch.rpm', '/out/up-2-1.noarch.rpm');
  await rpm(view, '-e', 'old', 'gone');
  view.writeFile('/usr/share/tool/edited', 'mine\n');
  chmodSync(view.resolve('/usr/bin/tool'), 0o750);
  for (const file of readdirSync(at('clean/out'))) cpSync(at(`clean/out/${file}`), join(trees.archive, file));
});
afterAll(() => trees.remove());

const rpm = (tree: Root, ...args: string[]) => trees.run(tree, 'rpm', ...args);

async function build(
  tree: Root,
  name: string,
  version: string,
  { requires, epoch, files, config }: { requires?: string; epoch?: string; files: string[]; config?: string },
): Promise<void> {
  const all = [...files, ...(config === undefined ? [] : [config])];
  const spec = [
    `Name: ${name}`,
    `Version: ${version}`,
    'Release: 1',
    ...(epoch ? [`Epoch: ${epoch}`] : []),
    'Summary: lab',
    'License: none',
    'BuildArch: noarch',
    ...(requires ? [`Requires: ${requires}`] : []),
    '%description',
    'lab',
    '%install',
    ...all.map((path) => `mkdir -p $(dirname %{buildroot}${path}); echo ${name} ${version} >%{buildroot}${path}`),
    '%files',
    ...files,
    ...(config ? [`%config(noreplace) ${config}`] : []),
  ];
  tree.writeFile('/build.spec', `${spec.join('\n')}\n`);
  const defines = ['_topdir /build', '_rpmdir /', '_build_name_fmt out/%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm'];
  await trees.run(tree, 'rpmbuild', '-bb', ...defines.flatMap((define) => ['--define', define]), '/build.spec');
}

it('installs, removes, keeps what is needed, and follows a newer image', async () => {
  const next = await trees.copyTree('base', 'next');
  await rpm(next, '-U', ...NEW.slice(1).map((file) => `/out/${file}`));
  const plan = await planPackages(
    { oldBase: await trees.showReadOnly('base'), oldView: at('view'), newBase: at('next') },
    { archive: trees.archive },
  );
  if (plan === undefined) throw new Error('there is nothing to do');
  const shown = (steps: readonly { key: string; wanted?: string }[]) =>
    steps.map(({ key, wanted }) => `${key} ${wanted}`);
  expect(shown(plan.install)).toEqual(['lib:noarch 1:2.0-1', 'tool:noarch 1.0-1']);
  expect(shown(plan.remove)).toEqual(['gone:noarch undefined', 'old:noarch undefined']);
  expect(shown(plan.converged)).toEqual(['up:noarch 2-1']);
  expect(plan.unresolved).toEqual([]);
  expect(plan.owned.map(({ path }) => path)).toEqual([
    'etc/tool.conf',
    'usr/bin/gone',
    'usr/bin/old',
    'usr/bin/tool',
    'usr/lib/tool-lib',
    'usr/lib/up',
  ]);
  const outcome = await applyPackages(plan, { root: at('next'), trees: { oldBase: at('base'), oldView: at('view') } });
  expect(outcome).toEqual({
    installed: ['lib:noarch', 'tool:noarch'],
    removed: ['gone:noarch'],
    alongside: [],
    warnings: ['old:noarch stays: old-user-1.0-1.noarch of the new base needs it'],
  });
  expect((await rpm(next, '-qa')).trim().split('\n').sort()).toEqual([
    'lib-2.0-1.noarch',
    'old-1.0-1.noarch',
    'old-user-1.0-1.noarch',
    'tool-1.0-1.noarch',
    'up-3-1.noarch',
  ]);
  expect((next.lstat('/usr/bin/tool')?.mode ?? 0) & 0o777).toBe(0o750);
  expect(next.readText('/usr/share/tool/edited')).toBe('tool 1.0\n');
});

it('without a file, and without a manager that could fetch it, nothing is switched to', async () => {
  rmSync(at('next'), { recursive: true, force: true });
  await trees.copyTree('base', 'next');
  mkdirSync(at('empty'));
  writeFileSync(at('empty/tool-1.0-1.noarch.rpm.part'), '');
  const plan = await planPackages(
    { oldBase: at('base'), oldView: at('view'), newBase: at('next') },
    { archive: at('empty') },
  );
  expect(plan?.unresolved).toEqual(['lib:noarch', 'tool:noarch']);
  if (plan === undefined) return;
  const failure = applyPackages(plan, { root: at('next'), trees: { oldBase: at('base'), oldView: at('view') } });
  await expect(failure).rejects.toMatchObject({
    exitStatus: 4,
    message: 'not to be had for the new system: lib:noarch, tool:noarch',
  });
});
