// The scripts below os/usr that have foreign names: each hands its arguments on as they are, in dash and in bash, to a
// name that holdfast knows.

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FOREIGN_NAMES } from '../../../../src/cli/compat/run.ts';

const OS = new URL('../../../../os/usr/', import.meta.url).pathname;
const scripts = ['bin', 'sbin'].flatMap((directory) =>
  readdirSync(join(OS, directory)).map((name) => [`${directory}/${name}`, name] as const),
);

/** Where cOS and Elemental have them. */
const PLACES = [
  'bin/cos-feature',
  'bin/cos-setup',
  'bin/cos-tmpl-render',
  'bin/elemental',
  'bin/yip',
  'sbin/cos',
  'sbin/cos-deploy',
  'sbin/cos-installer',
  'sbin/cos-rebrand',
  'sbin/cos-reset',
  'sbin/cos-upgrade',
  'sbin/suc-upgrade',
];

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-wrappers-'));
  const stub = join(directory, 'holdfast');
  writeFileSync(stub, '#!/bin/sh\nfor word; do printf "<%s>\\n" "$word"; done\nexit 7\n');
  chmodSync(stub, 0o755);
});
afterAll(() => rmSync(directory, { recursive: true }));

test('all names are there, and no other', () => {
  const ours = scripts.map(([path]) => path);
  expect(ours.sort()).toEqual(PLACES);
  expect([...FOREIGN_NAMES].sort()).toEqual(PLACES.map((path) => path.replace(/^.*\//, '')).sort());
});

test.each(PLACES.flatMap((path) => ['dash', 'bash'].map((shell) => [path, shell] as const)))(
  '%s in %s',
  (path, shell) => {
    const script = join(OS, path);
    expect(statSync(script).mode & 0o111).toBe(0o111);
    const text = readFileSync(script, 'utf8');
    expect(text.startsWith('#!/bin/sh\n')).toBe(true);
    // Programs of a package are called by their path: whoever sets PATH gets no other.
    const copy = join(directory, 'script');
    writeFileSync(copy, text.replace('/usr/bin/holdfast', join(directory, 'holdfast')));
    const argv = ['--docker-image', '', 'a b', '*', '$HOME', "it's", 'ä\nö', '--', '-x'];
    const { status, stdout } = spawnSync(shell, [copy, ...argv], { encoding: 'utf8' });
    expect(status).toBe(7);
    const name = path.replace(/^.*\//, '');
    expect(stdout).toBe(['compat', name, ...argv].map((word) => `<${word}>\n`).join(''));
  },
);
