// What `holdfast image inspect` and `image diff` print of images in a layout, and what they refuse.

import { mkdirSync } from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import { runCli } from '../../../src/cli/program.ts';
import { temporaryDirectory, writeLayers } from '../image/fixture.ts';
import { dir, file, whiteout } from '../image/tarball.ts';

afterEach(() => vi.restoreAllMocks());

async function holdfast(...args: string[]): Promise<{ status: number; text: string }> {
  let text = '';
  const take = (chunk: unknown) => {
    text += String(chunk);
    return true;
  };
  vi.spyOn(process.stderr, 'write').mockImplementation(take);
  vi.spyOn(process.stdout, 'write').mockImplementation(take);
  return { status: await runCli(args), text };
}

async function twoImages(): Promise<string> {
  const layout = `${temporaryDirectory()}/layout`;
  const status = (version: string) => `Package: bash\nStatus: install ok installed\nVersion: ${version}\n`;
  const { layers } = await writeLayers(layout, 'v1', [
    [dir('etc'), file('usr/lib/os-release', 'PRETTY_NAME="One"\n'), file('var/lib/dpkg/status', status('1'))],
  ]);
  const upper = [file('var/lib/dpkg/status', status('2')), file('etc/\x1b[31mred', '12345'), whiteout('usr/.wh.lib')];
  await writeLayers(layout, 'v2', [...layers.slice(0, 1), upper]);
  return layout;
}

test('an image is described without reading its layers, and with', async () => {
  const layout = await twoImages();
  const plain = await holdfast('image', 'inspect', `oci-layout:${layout}:v1`);
  expect(plain.status).toBe(0);
  expect(plain.text).toMatch(/^ {2}layers {5}1, \d+ B to fetch for the whole$/m);
  expect(plain.text).toMatch(/^ {2}content {4}about .*, from the packed size of its layers; --contents reads it$/m);
  const read = await holdfast('image', 'inspect', '--contents', '--json', `oci-layout:${layout}:v1`);
  expect(JSON.parse(read.text.trim().split('\n').at(-1) ?? '')).toMatchObject({
    type: 'result',
    layers: [{ compression: 'gzip', seekable: null }],
    contents: { entries: 8, system: 'One', packages: { bash: '1' } },
  });
});

test('two images are compared: size, layers, packages, files; names can not write to the terminal', async () => {
  const layout = await twoImages();
  const { status, text } = await holdfast('image', 'diff', `oci-layout:${layout}:v1`, `oci-layout:${layout}:v2`);
  expect(status).toBe(0);
  const lines = text.split('\n').filter((line) => line.startsWith('  '));
  expect(lines).toEqual([
    '  size       72 B -> 59 B, 8 -> 7 names',
    expect.stringMatching(/^ {2}layers {5}1 of 2 are new: \d+ B packed$/),
    '  files      1 added, 2 removed, 1 changed; 59 B of new content',
    '  packages   0 added, 0 removed, 1 with another version',
    '  ~ bash 1 -> 2',
    '  + /etc/\ufffd[31mred (5 B)',
    '  - /usr/lib',
    '  - /usr/lib/os-release',
    '  ~ /var/lib/dpkg/status (content)',
  ]);
});

test.each<[string[], string]>([
  [['image', 'inspect', 'a', 'b'], 'one image is inspected at a time, not 2'],
  [['image', 'diff', 'a'], 'two images are compared, not 1'],
  [['image', 'show', 'a'], 'there is no "image show"'],
])('holdfast %j is refused', async (args, said) => {
  const { status, text } = await holdfast(...args);
  expect(status).toBe(1);
  expect(text).toContain(said);
});

test('a tree has no layers to look at', async () => {
  const directory = temporaryDirectory();
  mkdirSync(`${directory}/etc`);
  const { text } = await holdfast('image', 'inspect', `dir:${directory}`);
  expect(text).toContain('is a tree: it has no layers to look at');
});
