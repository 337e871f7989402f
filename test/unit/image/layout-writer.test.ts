import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { commonPrefix } from '../../../src/image/layers.ts';
import { openLayout } from '../../../src/image/layout.ts';
import { writeImage } from '../../../src/image/layout-writer.ts';
import { temporaryDirectory, writeLayers } from './fixture.ts';
import { dir, file, tarball } from './tarball.ts';

const base = [dir('etc'), file('etc/os-release', 'VERSION=1')];

describe('writing images into a layout', () => {
  test('the same input gives the same bytes', async () => {
    const directory = temporaryDirectory();
    for (const name of ['a', 'b']) {
      writeFileSync(`${directory}/layer.tar`, tarball(base));
      await writeImage(`${directory}/${name}`, {
        tag: 'v1',
        architecture: 'amd64',
        labels: name === 'a' ? { x: '1', y: '2' } : { y: '2', x: '1' },
        layers: [{ tar: `${directory}/layer.tar`, compression: 'gzip' }],
      });
    }
    expect(readFileSync(`${directory}/a/index.json`)).toEqual(readFileSync(`${directory}/b/index.json`));
    expect(readdirSync(`${directory}/a/blobs/sha256`)).toEqual(readdirSync(`${directory}/b/blobs/sha256`));
  });

  test('a time gets in only when it is given, labels are found again', async () => {
    const directory = temporaryDirectory();
    writeFileSync(`${directory}/layer.tar`, tarball(base));
    const options = {
      tag: 'v1',
      architecture: 'arm64' as const,
      labels: { version: '1' },
      layers: [{ tar: `${directory}/layer.tar`, compression: 'none' as const }],
    };
    await writeImage(`${directory}/layout`, { ...options, created: '2024-01-02T03:04:05Z' });
    const { config } = await openLayout(`${directory}/layout`, { architecture: 'arm64' });
    expect(config.labels).toEqual({ version: '1' });
    expect(config.history).toEqual([{ created: '2024-01-02T03:04:05Z', createdBy: 'holdfast', emptyLayer: false }]);
    await writeImage(`${directory}/layout`, options);
    expect(
      (await openLayout(`${directory}/layout`, { architecture: 'arm64' })).config.history[0]?.created,
    ).toBeUndefined();
  });

  test('another image shares layers; the same tag is replaced, other tags stay', async () => {
    const layout = `${temporaryDirectory()}/layout`;
    const first = await writeLayers(layout, 'v1', [base]);
    const second = await writeLayers(layout, 'v2', [...first.layers, [file('etc/motd', 'two')]]);
    const third = await writeLayers(layout, 'v2', [...first.layers, [file('etc/motd', 'three')]]);
    expect(second.layers[0]).toEqual(first.layers[0]);
    expect((await openLayout(layout, { tag: 'v1' })).digest).toBe(first.digest);
    expect((await openLayout(layout, { tag: 'v2' })).digest).toBe(third.digest);
    expect(JSON.parse(readFileSync(`${layout}/index.json`, 'utf8')).manifests).toHaveLength(2);
    expect(readdirSync(`${layout}/blobs/sha256`).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('what an installed image and a new one have in common is counted in leading layers', async () => {
    const layout = `${temporaryDirectory()}/layout`;
    const first = await writeLayers(layout, 'v1', [base, [file('a')]]);
    await writeLayers(layout, 'v2', [...first.layers.slice(0, 1), [file('b')], ...first.layers.slice(1)]);
    const image = await openLayout(layout, { tag: 'v2' });
    const installed = first.layers.map(({ diffId }) => diffId);
    expect(commonPrefix(installed, image)).toBe(1);
    expect(commonPrefix([], image)).toBe(0);
    expect(commonPrefix(image.config.diffIds, image)).toBe(3);
    expect(commonPrefix([...image.config.diffIds, 'sha256:more'], image)).toBe(3);
  });

  test.each([
    ['is not there', { digest: `sha256:${'0'.repeat(64)}` }],
    ['bytes instead of', { size: 3 }],
  ])('a layer to reuse that %s is refused', async (message, change) => {
    const layout = `${temporaryDirectory()}/layout`;
    const { layers } = await writeLayers(layout, 'v1', [base]);
    const [layer] = layers;
    if (layer === undefined) throw new Error('no layer');
    await expect(writeLayers(layout, 'v2', [{ ...layer, ...change }])).rejects.toMatchObject({
      code: 'HF-IMAGE',
      message: expect.stringContaining(message),
    });
  });

  test.each(['', '-x', 'a:b', 'a/b', 'a b'])('%j is no tag', async (tag) => {
    await expect(writeLayers(`${temporaryDirectory()}/l`, tag, [base])).rejects.toMatchObject({ code: 'HF-USAGE' });
  });
});
