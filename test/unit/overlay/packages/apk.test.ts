// apk, whose list is a text: the whole way from three trees to its commands, with a stand-in for the program.

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { applyPackages } from '../../../../src/overlay/packages/apply.ts';
import { planPackages } from '../../../../src/overlay/packages/plan.ts';
import type { RunResult } from '../../../../src/system/process.ts';
import { Root } from '../../../../src/system/root.ts';

const LIST = '/lib/apk/db/installed';
const sha1 = (text: string) => createHash('sha1').update(text).digest('base64');
/** A package whose program has its own name for content. */
const packageText = (name: string, version: string) =>
  `P:${name}\nV:${version}\nA:x86_64\nF:usr/bin\nR:${name}\nZ:Q1${sha1(name)}\n\n`;

function threeTrees(lists: { base: string; view: string; next: string }) {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-apk-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const make = (name: string, list: string) => {
    const root = new Root(join(directory, name));
    root.writeFile(LIST, list);
    return root;
  };
  const [base, view, next] = [make('base', lists.base), make('view', lists.view), make('next', lists.next)];
  view.writeFile('/etc/apk/world', 'vim\nbusybox\n');
  view.writeFile('/usr/bin/vim', 'vim');
  return { directory, base, view, next };
}

it('adds and removes, and takes packages from their kept files', async () => {
  const busybox = packageText('busybox', '1.36-r0');
  const { directory, base, view, next } = threeTrees({
    base: busybox + packageText('nano', '7.0-r0'),
    view: busybox + packageText('vim', '9.0-r1') + packageText('ncurses', '6.4-r0'),
    next: packageText('busybox', '1.37-r0') + packageText('nano', '8.0-r0'),
  });
  for (const file of ['vim-9.0-r1.apk', 'ncurses-6.4-r0.apk']) writeFileSync(join(directory, file), 'x');
  const trees = { oldBase: base.directory, oldView: view.directory, newBase: next.directory };
  const plan = await planPackages(trees, { archive: directory });
  if (plan === undefined) throw new Error('there is nothing to do');
  expect(plan.install.map(({ key, automatic }) => [key, automatic])).toEqual([
    ['ncurses:x86_64', true],
    ['vim:x86_64', false],
  ]);
  expect(plan.remove.map(({ key }) => key)).toEqual(['nano:x86_64']);
  expect(plan.owned.map(({ path }) => path)).toEqual(['usr/bin', 'usr/bin/vim']);

  const commands: string[] = [];
  const outcome = await applyPackages(plan, {
    root: next.directory,
    trees,
    run: async (argv): Promise<RunResult> => {
      const [, verb = ''] = argv;
      commands.push(argv.join(' ').replace(/holdfast-packages-\w+/g, 'X'));
      if (verb === 'add') {
        const list = ['busybox 1.37-r0', 'nano 8.0-r0', 'vim 9.0-r1', 'ncurses 6.4-r0'];
        next.writeFile(
          LIST,
          list.map((text) => packageText(text.split(' ')[0] ?? '', text.split(' ')[1] ?? '')).join(''),
        );
      }
      if (verb === 'del') next.writeFile(LIST, next.readText(LIST).replace(packageText('nano', '8.0-r0'), ''));
      return { argv, status: verb === 'info' ? 1 : 0, signal: null, stdout: '', stderr: '', durationMs: 0 };
    },
  });
  expect(commands).toEqual([
    'apk add --no-progress --no-network /var/tmp/X/ncurses-6.4-r0.apk /var/tmp/X/vim-9.0-r1.apk',
    'apk del --no-progress --no-network nano',
    'apk info --installed nano',
  ]);
  expect(outcome).toEqual({
    installed: ['ncurses:x86_64', 'vim:x86_64'],
    removed: ['nano:x86_64'],
    alongside: [],
    warnings: [],
  });
});

it('a manager that says yes and does nothing is found out', async () => {
  const busybox = packageText('busybox', '1.36-r0');
  const { base, view, next } = threeTrees({
    base: busybox,
    view: busybox + packageText('vim', '9.0-r1'),
    next: busybox,
  });
  const trees = { oldBase: base.directory, oldView: view.directory, newBase: next.directory };
  const plan = await planPackages(trees);
  if (plan === undefined) throw new Error('there is nothing to do');
  const nothing = applyPackages(plan, {
    root: next.directory,
    trees,
    run: async (argv) => ({ argv, status: 0, signal: null, stdout: '', stderr: '', durationMs: 0 }),
  });
  await expect(nothing).rejects.toThrow(
    'the package manager did not do what was asked: vim:x86_64 9.0-r1 is not installed',
  );
});
