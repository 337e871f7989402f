import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { identifyTree } from '../../../src/kubernetes/tree-content.ts';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-tree-content-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** All times are clamped, as reproducible builds have them. */
function put(tree: string, path: string, text: string): void {
  const at = join(directory, tree, path);
  mkdirSync(join(at, '..'), { recursive: true });
  writeFileSync(at, text);
  utimesSync(at, 1_700_000_000, 1_700_000_000);
}

function make(tree: string): string {
  put(tree, 'usr/lib/os-release', 'VERSION=1\n');
  put(tree, 'etc/motd', 'one\n');
  put(tree, 'usr/bin/tool', 'program');
  put(tree, 'var/lib/dpkg/status', 'Version: 1\n');
  symlinkSync('usr/bin', join(directory, tree, 'bin'));
  for (const empty of ['dev', 'proc', 'run', 'tmp', 'host']) mkdirSync(join(directory, tree, empty));
  return join(directory, tree);
}

let count = 0;
let tree: string;
let content: string;
beforeEach(async () => {
  count += 1;
  tree = `tree-${count}`;
  content = await identifyTree(make(tree));
});

describe('what a container’s root holds', () => {
  test('is the same for the same image in another container', async () => {
    expect(content).toMatch(/^tree:[0-9a-f]{64}$/);
    const copy = join(directory, `${tree}-copy`);
    cpSync(join(directory, tree), copy, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
    expect(await identifyTree(copy)).toBe(content);
  });

  test('does not change by what a runtime mounts and leaves', async () => {
    put(tree, 'run/secrets/token', 'x');
    put(tree, 'dev/termination-log', '');
    put(tree, 'host/anything', 'x');
    put(tree, '.dockerenv', '');
    put(tree, 'etc/hosts', '127.0.0.1 localhost\n');
    mkdirSync(join(directory, tree, 'opt-secret'));
    const options = { leftOut: ['etc/hosts', 'opt-secret'] };
    expect(await identifyTree(join(directory, tree), options)).toBe(content);
    expect(await identifyTree(join(directory, tree))).not.toBe(content);
  });

  test.each<[string, () => void]>([
    ['the name of the system, of the same length and time', () => put(tree, 'usr/lib/os-release', 'VERSION=2\n')],
    ['a setting of the same length and time', () => put(tree, 'etc/motd', 'two\n')],
    ['a package', () => put(tree, 'var/lib/dpkg/status', 'Version: 2\n')],
    ['the size of a program', () => put(tree, 'usr/bin/tool', 'program 2')],
    ['a file more', () => put(tree, 'usr/share/new', '')],
    ['a file less', () => rmSync(join(directory, tree, 'usr/bin/tool'))],
    [
      'where a link leads',
      () => {
        rmSync(join(directory, tree, 'bin'));
        symlinkSync('usr/sbin', join(directory, tree, 'bin'));
      },
    ],
    ['the time of a program', () => utimesSync(join(directory, tree, 'usr/bin/tool'), 1_700_000_001, 1_700_000_001)],
  ])('changes with %s', async (_, change) => {
    change();
    expect(await identifyTree(join(directory, tree))).not.toBe(content);
  });

  test('can be interrupted', async () => {
    await expect(identifyTree(join(directory, tree), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'HF-INTERRUPTED',
    });
  });
});
