// `packages` and `package_pins` with the real apt, in the root of a Debian system that reaches one repository: packages of
// this test's own in two versions. Takes about ten seconds once the lab's base is there.

import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensureBaseTar } from '../../../lab/demo/base.ts';
import { writeIndex } from '../../../lab/packages/repository.ts';
import { type PackageServer, servePackages } from '../../../lab/packages/server.ts';
import { runChecked } from '../../../src/system/process.ts';
import { Root } from '../../../src/system/root.ts';
import { failuresOf, runSteps } from '../../unit/stages/temporary-root.ts';

let directory: string;
let server: PackageServer;
let root: Root;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-packages-'));
  const repository = join(directory, 'repository');
  mkdirSync(repository);
  for (const version of ['1.0', '2.0']) await buildPackage(repository, version);
  await writeIndex(repository);
  server = await servePackages({ directory: repository });
  root = new Root(join(directory, 'root'));
  mkdirSync(root.directory);
  const base = await ensureBaseTar({ log: () => {} });
  // What is large and has nothing to do with packages stays away.
  const excluded = ['./boot', './usr/lib/modules', './var/lib/apt/lists'].map((path) => `--exclude=${path}/*`);
  await runChecked(['tar', '--extract', '--file', base.path, '--directory', root.directory, ...excluded]);
  rmSync(root.resolve('/etc/apt/sources.list'), { force: true });
  rmSync(root.resolve('/etc/apt/sources.list.d'), { recursive: true, force: true });
  root.writeFile('/etc/apt/sources.list', `deb [trusted=yes] http://127.0.0.1:${server.port}/ ./\n`);
});
afterAll(async () => {
  await server?.close();
  rmSync(directory, { recursive: true, force: true });
});

/** A package with a program that says its version, a configuration file, and a script that says who would answer. */
async function buildPackage(repository: string, version: string): Promise<void> {
  const tree = join(directory, `package-${version}`);
  const put = (path: string, text: string, mode = 0o644) => {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), text);
    chmodSync(join(tree, path), mode);
  };
  put('usr/bin/lab-hello', `#!/bin/sh\necho ${version}\n`, 0o755);
  put('etc/lab-hello.conf', `version ${version}\n`);
  put('DEBIAN/conffiles', '/etc/lab-hello.conf\n');
  put('DEBIAN/postinst', '#!/bin/sh\necho "$DEBIAN_FRONTEND" >/front-end\n', 0o755);
  put(
    'DEBIAN/control',
    `Package: lab-hello\nVersion: ${version}\nArchitecture: all\nMaintainer: Lab <lab@example.org>\nDescription: says hello\n`,
  );
  await runChecked([
    'dpkg-deb',
    '--root-owner-group',
    '--build',
    tree,
    join(repository, `lab-hello_${version}_all.deb`),
  ]);
}

const policy = async () => (await root.run(['apt-cache', 'policy', 'lab-hello'])).stdout;
const hello = async () => (await root.run(['sh', '-c', 'lab-hello 2>&1'])).stdout.trim();
const run = (steps: string) => runSteps(root, steps);

const PINNED = `- package_pins: {lab-hello: "1.*"}
  packages: {refresh: true, install: ["lab-{{ trimSuffix \\"!\\" \\"hello!\\" }}"]}`;

it('installs the version that is pinned, asks nobody, and changes nothing when it runs again', async () => {
  const result = await run(PINNED);
  expect(failuresOf(result)).toEqual([]);
  expect(result.steps[0]?.changedFiles).toEqual(['/etc/apt/preferences.d/99-yip-pins', '/var/lib/dpkg/status']);
  expect(await hello()).toBe('1.0');
  expect(await policy()).toMatch(/Installed: 1\.0\n {2}Candidate: 1\.0\n/);
  expect(await policy()).toMatch(/^ {5}2\.0 500$/m);
  expect(await policy()).toMatch(/^ \*\*\* 1\.0 1001$/m);
  expect(root.readText('/front-end')).toBe('noninteractive\n');
  const again = await run(PINNED);
  expect(failuresOf(again)).toEqual([]);
  expect(again.steps[0]?.changedFiles).toEqual([]);
});

it('upgrades when only that is asked for, and the owner keeps a changed configuration file', async () => {
  root.writeFile('/etc/lab-hello.conf', 'mine\n');
  expect(failuresOf(await run('- packages: {upgrade: true}'))).toEqual([]);
  expect(await hello()).toBe('1.0');
  const result = await run('- package_pins: {lab-hello: "2.0"}\n  packages: {upgrade: true}');
  expect(failuresOf(result)).toEqual([]);
  expect(await hello()).toBe('2.0');
  expect(root.readText('/etc/lab-hello.conf')).toBe('mine\n');
});

it('a pin may lead back to an older version', async () => {
  const result = await run('- package_pins: {lab-hello: "1.0"}');
  expect(failuresOf(result)).toEqual([]);
  expect(await policy()).toMatch(/Candidate: 1\.0\n/);
});

it('removes, and does so again where nothing is left and no lists are there', async () => {
  const removal = '- packages: {remove: [lab-hello, never-heard-of]}';
  expect(failuresOf(await run(removal))).toEqual([]);
  expect(await hello()).toMatch(/not found/);
  // Its configuration is still there, so dpkg still knows it.
  expect(existsSync(root.resolve('/etc/lab-hello.conf'))).toBe(true);
  rmSync(root.resolve('/var/lib/apt/lists'), { recursive: true });
  const again = await run(removal);
  expect(failuresOf(again)).toEqual([]);
  expect(again.steps[0]?.changedFiles).toEqual([]);
});

it('a package that nobody has fails with what apt said', async () => {
  const result = await run('- packages: {refresh: true, install: [never-heard-of]}');
  expect(failuresOf(result)).toEqual([
    expect.stringMatching(/^packages: apt-get .* install never-heard-of failed with status 100$/),
  ]);
  expect(result.steps[0]?.keys[0]?.outputTail).toContain('E: Unable to locate package never-heard-of');
  expect(readFileSync(root.resolve('/etc/lab-hello.conf'), 'utf8')).toBe('mine\n');
});
