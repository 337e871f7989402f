// Which alternatives and diversions are what packages made, and which are the owner's.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { madeByScripts, parseAlternative } from '../../../../src/overlay/packages/made-by-scripts.ts';
import { Root } from '../../../../src/system/root.ts';

const alternative = (mode: string, ...candidates: string[]) =>
  `${mode}\n/usr/bin/editor\neditor.1.gz\n/usr/share/man/editor.1.gz\n\n${candidates.map((path) => `${path}\n50\n\n`).join('')}\n`;

it('an alternative with a follower that leads nowhere', () => {
  expect(parseAlternative('editor', alternative('auto', '/usr/bin/vim', '/usr/bin/nano'))).toEqual({
    mode: 'auto',
    links: new Map([
      ['editor', '/usr/bin/editor'],
      ['editor.1.gz', '/usr/share/man/editor.1.gz'],
    ]),
    candidates: ['/usr/bin/vim', '/usr/bin/nano'],
    targets: new Map([
      ['editor', new Set(['/usr/bin/vim', '/usr/bin/nano'])],
      ['editor.1.gz', new Set([''])],
    ]),
  });
});

it.each(['', 'auto', 'auto\nrelative\n', 'other\n/link\n\n', '\0'])('%j is none', (text) => {
  expect(parseAlternative('editor', text)).toBeUndefined();
});

function decide(
  files: { base?: Record<string, string>; view?: Record<string, string> },
  place: (view: Root) => void = () => {},
): string[] {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-scripts-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const roots = (['base', 'view'] as const).map((side) => {
    const root = new Root(join(directory, side));
    root.makeDirectory('/var/lib/dpkg');
    for (const [name, text] of Object.entries(files[side] ?? {})) root.writeFile(`/var/lib/dpkg/${name}`, text);
    return root;
  });
  const [base, view] = roots;
  if (base === undefined || view === undefined) return [];
  place(view);
  return madeByScripts(base, view, new Set(['/usr/bin/vim']), new Set(['vim']));
}

const EDITOR = 'alternatives/editor';
const ALL = [
  '/var/lib/dpkg/alternatives/editor',
  '/etc/alternatives/editor',
  '/usr/bin/editor',
  '/etc/alternatives/editor.1.gz',
  '/usr/share/man/editor.1.gz',
];

it.each([
  ['a package’s new alternative', {}, { [EDITOR]: alternative('auto', '/usr/bin/vim') }, ALL],
  ['one that went with its package', { [EDITOR]: alternative('auto', '/usr/bin/vim') }, {}, ALL],
  ['an unchanged one', { [EDITOR]: alternative('auto', '/a') }, { [EDITOR]: alternative('auto', '/a') }, []],
  ['one that the owner set by hand', {}, { [EDITOR]: alternative('manual', '/usr/bin/vim') }, []],
  ['one that the owner registered', {}, { [EDITOR]: alternative('auto', '/opt/mine', '/usr/bin/vim') }, []],
  ['one that the owner took away', { [EDITOR]: alternative('auto', '/usr/bin/nano') }, {}, []],
  ['one that can’t be read', {}, { [EDITOR]: 'garbage' }, []],
  [
    'a package’s diversion',
    { diversions: '/a\n/a.x\ndash\n' },
    { diversions: '/a\n/a.x\ndash\n/b\n/b.x\nvim\n' },
    ['/var/lib/dpkg/diversions'],
  ],
  ['a diversion of the owner’s', {}, { diversions: '/b\n/b.x\n:\n' }, []],
])('%s', (_, base, view, expected) => {
  const files: Parameters<typeof decide>[0] = { base, view };
  expect(new Set(decide(files))).toEqual(new Set(expected));
});

it('what the owner put in place of a link is the owner’s', () => {
  const links = { [EDITOR]: alternative('auto', '/usr/bin/vim') };
  const place = (view: Root) => {
    view.link('/etc/alternatives/editor', '/opt/mine');
    view.writeFile('/usr/bin/editor', 'a script');
    view.link('/usr/share/man/editor.1.gz', '/etc/alternatives/editor.1.gz');
  };
  expect(decide({ view: links }, place)).toEqual([
    '/var/lib/dpkg/alternatives/editor',
    '/etc/alternatives/editor.1.gz',
    '/usr/share/man/editor.1.gz',
  ]);
  expect(decide({ view: links }, (view) => view.link('/etc/alternatives/editor', '/usr/bin/vim'))).toContain(
    '/etc/alternatives/editor',
  );
});
