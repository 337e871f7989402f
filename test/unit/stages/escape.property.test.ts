// A root whose tree is a trap: links to outside, absolute and relative, loops, pipes, hard links, directories where files
// belong. Whatever generated steps do in it, nothing outside of it is changed and nothing is left over.

import { spawnSync } from 'node:child_process';
import {
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runStage } from '../../../src/stages/run.ts';
import type { HttpClient } from '../../../src/system/http.ts';
import { Root } from '../../../src/system/root.ts';
import { ACTION_KEYS, Dice, stepOf } from './generated-files.ts';

/** They run programs of the machine, reach a network or a disk: their own tests have those inside of fences. */
const LEFT_OUT = [
  'commands',
  'git',
  'downloads',
  'datasource',
  'layout',
  'packages',
  'unpack_images',
  'modules',
  'systemctl',
];
const KEYS = ACTION_KEYS.filter((key) => !LEFT_OUT.includes(key));
const RUNS = 600;

let directory: string;
const nobodyThere: HttpClient = async (url) => ({
  url,
  status: 404,
  headers: new Headers(),
  body: Buffer.from('not here'),
});

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-escape-'));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** What must stay as it is. */
function makeOutside(): string {
  const outside = join(directory, 'outside');
  mkdirSync(join(outside, 'etc'), { recursive: true });
  for (const name of ['passwd', 'shadow', 'group', 'hosts', 'etc/passwd', 'file']) {
    writeFileSync(join(outside, name), `outside: ${name}\n`);
  }
  return outside;
}

/** The trap, in one of several forms. */
function makeTrap(dice: Dice, outside: string): string {
  const tree = join(directory, 'tree');
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(join(tree, 'etc'), { recursive: true });
  const put = (path: string, text: string) => writeFileSync(join(tree, path), text);
  put('etc/os-release', 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian"\n');
  const accounts = { passwd: 'root:x:0:0::/root:/bin/sh\n', group: 'root:x:0:\n', shadow: 'root:*:1:0:9:7:::\n' };
  for (const [name, text] of Object.entries(accounts)) {
    if (!dice.once(4)) put(`etc/${name}`, text);
    else symlinkSync(dice.of([join(outside, name), `../../outside/${name}`]), join(tree, 'etc', name));
  }
  symlinkSync(outside, join(tree, 'out'));
  symlinkSync('../outside', join(tree, 'a'));
  symlinkSync('../loop', join(tree, 'loop'));
  symlinkSync('/../../../../outside/file', join(tree, 'x'));
  spawnSync('mkfifo', [join(tree, 'pipe')]);
  mkdirSync(join(tree, 'deep/x/y'), { recursive: true });
  for (const name of [
    'hosts',
    'hostname',
    'environment',
    'resolv.conf',
    'systemd',
    'gshadow',
    'apt',
    'vconsole.conf',
  ]) {
    const at = join(tree, 'etc', name);
    const form = dice.below(5);
    if (form === 0) symlinkSync(join(outside, 'file'), at);
    else if (form === 1) symlinkSync('../../outside/hosts', at);
    else if (form === 2) mkdirSync(at);
    else if (form === 3) linkSync(join(outside, 'file'), at);
  }
  for (const home of ['root', 'home']) {
    const at = join(tree, home);
    if (dice.once(3)) symlinkSync(outside, at);
    else mkdirSync(at);
  }
  if (lstatSync(join(tree, 'root')).isDirectory() && dice.once(2)) symlinkSync(outside, join(tree, 'root/.ssh'));
  return tree;
}

/** Everything about a tree but when it was read. */
function snapshot(tree: string): string[] {
  return readdirSync(tree, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const path = join(tree, name);
      const { mode, uid, gid, ino, mtimeMs } = lstatSync(path);
      const stats = lstatSync(path);
      const content = stats.isFile() ? readFileSync(path, 'utf8') : stats.isSymbolicLink() ? readlinkSync(path) : '';
      return JSON.stringify([name, mode, uid, gid, ino, mtimeMs, content]);
    });
}

test('nothing outside of the root is changed, and no temporary file stays', async () => {
  const outside = makeOutside();
  const before = snapshot(outside);
  const outcomes = new Set<string>();
  for (let seed = 0; seed < RUNS; seed += 1) {
    const dice = new Dice(seed);
    const tree = makeTrap(dice, outside);
    const text = `stages:\n  s:\n${Array.from({ length: 4 }, () => `    - ${stepOf(dice, KEYS)}\n`).join('')}`;
    const result = await runStage({
      stage: 's',
      root: new Root(tree),
      sources: [],
      documents: [{ name: 'f', text }],
      events: () => {},
      http: nobodyThere,
    });
    for (const { keys } of result.steps) for (const { key, outcome } of keys) outcomes.add(`${key} ${outcome}`);
    expect(snapshot(outside), `Dice(${seed}):\n${text}`).toEqual(before);
    const left = readdirSync(tree, { recursive: true, encoding: 'utf8' }).filter((name) => /\.\d+\.tmp$/.test(name));
    expect(left, `Dice(${seed}):\n${text}`).toEqual([]);
  }
  // The trap lets every key work as well as fail, or it would prove nothing.
  const worked = [...outcomes].filter((outcome) => outcome.endsWith(' ok')).map((outcome) => outcome.split(' ')[0]);
  expect(worked.sort()).toEqual([...KEYS].filter((key) => key !== 'environment_file').sort());
}, 180_000);
