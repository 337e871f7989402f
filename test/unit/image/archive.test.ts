// Images in archives: tars of layouts and what docker save writes, plain and packed, read where they are; and archives
// that are damaged, ambiguous or no images at all.

import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
import { digestOf, hexOf } from '../../../src/image/digest.ts';
import { openImage } from '../../../src/image/image.ts';
import { openLayout } from '../../../src/image/layout.ts';
import type { OciImage } from '../../../src/image/oci-image.ts';
import { parseImageSource } from '../../../src/image/reference.ts';
import { machinePlatform } from '../../../src/image/selection.ts';
import { temporaryDirectory, writeLayers } from './fixture.ts';
import { file, header, type Member, paxRecord, symlink, tarball } from './tarball.ts';

const LAYERS = [
  [file('etc/one', randomBytes(1_500_000))],
  [file('etc/two', 'two')],
  [file('etc/three', randomBytes(5000))],
];
const PACKINGS = { plain: (tar: Buffer) => tar, gzip: (tar: Buffer) => gzipSync(tar), zstd } as const;

function zstd(tar: Buffer): Buffer {
  return execFileSync('zstd', ['-q', '-c'], { input: tar, maxBuffer: 1 << 30 });
}

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});

async function open(text: string): Promise<OciImage> {
  const image = await openImage(parseImageSource(text));
  if (image.kind !== 'oci') throw new Error('not an image of layers');
  return image;
}

/** The digests of the tar streams of all layers, in the order in which they are read. */
async function contents(image: OciImage, order = image.layers): Promise<string[]> {
  const digests: string[] = [];
  for (const layer of order) {
    const hash = createHash('sha256');
    for await (const chunk of image.readLayer(layer)) hash.update(chunk);
    digests.push(`sha256:${hash.digest('hex')}`);
  }
  return digests;
}

const tarOfDirectory = (from: string, prefix = ''): Buffer =>
  tarball(
    readdirSync(from, { recursive: true, encoding: 'utf8' })
      .filter((name) => statSync(join(from, name)).isFile())
      .map((name) => file(`${prefix}${name}`, readFileSync(join(from, name)))),
  );

describe.each(['plain', 'gzip', 'zstd'] as const)('an archive of a layout, %s', (packing) => {
  test.each(['', './'])('is the image that the layout is (names begin with "%s")', async (prefix) => {
    await writeLayers(`${directory}/layout`, 'v1', LAYERS, 'gzip');
    const path = `${directory}/image.tar`;
    writeFileSync(path, PACKINGS[packing](tarOfDirectory(`${directory}/layout`, prefix)));
    const local = await openLayout(`${directory}/layout`);
    for (const name of [`oci-archive:${path}`, `oci-archive:${path}:v1`, `oci-archive:${path}@${local.digest}`, path]) {
      const image = await open(name);
      expect(image).toMatchObject({
        origin: 'layout',
        digest: local.digest,
        config: local.config,
        layers: local.layers,
      });
      expect(await contents(image)).toEqual(local.config.diffIds);
    }
    const image = await open(`oci-archive:${path}:v1`);
    expect(image.source).toBe(`oci-archive:${path}:v1@${local.digest}`);
    // Whichever comes first.
    const reversed = [...image.layers].reverse();
    expect(await contents(image, reversed)).toEqual(reversed.map(({ diffId }) => diffId));
    await expect(open(`oci-archive:${path}:v2`)).rejects.toMatchObject({ code: 'HF-IMAGE', hint: 'tags in it: v1' });
  });
});

test('parts of layers come from a plain archive alone', async () => {
  await writeLayers(`${directory}/layout`, 'v1', LAYERS, 'none');
  const tar = tarOfDirectory(`${directory}/layout`);
  writeFileSync(`${directory}/a.tar`, tar);
  writeFileSync(`${directory}/a.tar.gz`, gzipSync(tar));
  const [plain, packed] = await Promise.all([open(`${directory}/a.tar`), open(`${directory}/a.tar.gz`)]);
  const [layer] = plain.layers;
  if (layer === undefined) throw new Error('no layer');
  const wanted = [
    { start: 1_000_000, end: 1_400_000 },
    { start: 3, end: 700 },
  ];
  const whole = readFileSync(`${directory}/layout/blobs/sha256/${hexOf(layer.digest)}`);
  const parts = wanted.map(() => [] as Buffer[]);
  for await (const { start, data } of plain.repository.ranges(layer, wanted)) {
    parts[wanted.findIndex((range) => start >= range.start && start < range.end)]?.push(data);
  }
  expect(parts.map((pieces) => Buffer.concat(pieces))).toEqual(
    wanted.map(({ start, end }) => whole.subarray(start, end)),
  );
  const refused = packed.repository.ranges(layer, wanted)[Symbol.asyncIterator]().next();
  await expect(refused).rejects.toMatchObject({ code: 'HF-UNSUPPORTED' });
  await expect(plain.repository.putBlob(layer, whole)).rejects.toMatchObject({ code: 'HF-UNSUPPORTED' });
});

describe('what docker save wrote', () => {
  const tars = LAYERS.map((members) => tarball(members));
  const config = Buffer.from(
    JSON.stringify({
      os: 'linux',
      architecture: machinePlatform().architecture,
      config: {},
      rootfs: { type: 'layers', diff_ids: tars.map((tar) => digestOf(tar)) },
    }),
  );
  const configName = `${hexOf(digestOf(config))}.json`;

  /** Its layers in directories, one of them a link, as docker before 25 has it. */
  function saved(
    names: string[],
    change: (manifest: Record<string, unknown>, members: Member[]) => void = () => {},
  ): Buffer {
    const manifest = { Config: configName, RepoTags: names, Layers: ['a/layer.tar', 'b/layer.tar', 'c/layer.tar'] };
    const members = [
      file('a/layer.tar', tars[0]),
      symlink('b/layer.tar', '../d/layer.tar'),
      file('c/layer.tar', tars[2]),
      file('d/layer.tar', tars[1]),
      file(configName, config),
    ];
    change(manifest, members);
    return tarball([...members, file('manifest.json', JSON.stringify([manifest])), file('repositories', '{}')]);
  }
  const write = (tar: Buffer) => {
    writeFileSync(`${directory}/saved.tar`, tar);
    return `docker-archive:${directory}/saved.tar`;
  };

  test.each(['plain', 'gzip', 'zstd'] as const)('is an image of its layers (%s)', async (packing) => {
    const name = write(PACKINGS[packing](saved(['os/base:v1', 'registry.example:5000/os:v2'])));
    const image = await open(name);
    expect(await contents(image)).toEqual(tars.map((tar) => digestOf(tar)));
    // The same digest each time, however it is named.
    for (const tag of ['os/base:v1', 'docker.io/os/base:v1', 'registry.example:5000/os:v2']) {
      const again = await open(`${name}:${tag}`);
      expect(again.digest).toBe(image.digest);
      expect(again.source).toBe(`${name}:${tag}@${image.digest}`);
    }
    expect((await open(`${name}@${image.digest}`)).digest).toBe(image.digest);
    await expect(open(`${name}:os/base:v3`)).rejects.toMatchObject({
      hint: 'tags in it: docker.io/os/base:v1, registry.example:5000/os:v2',
    });
  });

  test('may have no name, and packed layers', async () => {
    const name = write(
      saved([], (manifest, members) => {
        manifest['RepoTags'] = null;
        members[0] = file('a/layer.tar', gzipSync(tars[0] ?? ''));
      }),
    );
    const image = await open(name);
    expect(image.layers.map(({ mediaType }) => mediaType.split('.').at(-1))).toEqual(['tar+gzip', 'tar', 'tar']);
    expect(await contents(image)).toEqual(tars.map((tar) => digestOf(tar)));
  });

  test.each<[string, (manifest: Record<string, unknown>, members: Member[]) => void, string, string]>([
    [
      'without its configuration',
      (manifest) => void Object.assign(manifest, { Config: 'gone.json' }),
      'HF-IMAGE',
      'the configuration gone.json is missing',
    ],
    [
      'with another configuration',
      (_, members) => void members.splice(4, 1, file(configName, `${config} `)),
      'HF-DIGEST',
      'is not what its name says',
    ],
    ['without a layer', (_, members) => void members.shift(), 'HF-IMAGE', 'the layer a/layer.tar is missing'],
    [
      'with a link that leads nowhere',
      (_, members) => void members.splice(3, 1),
      'HF-IMAGE',
      'the layer b/layer.tar is missing',
    ],
    [
      'with a link to itself',
      (_, members) => void members.splice(1, 1, symlink('b/layer.tar', 'layer.tar')),
      'HF-IMAGE',
      'the layer b/layer.tar is missing',
    ],
    [
      'with a layer too many',
      (manifest) => void Object.assign(manifest, { Layers: ['a/layer.tar'] }),
      'HF-IMAGE',
      'its configuration lists 3',
    ],
    [
      'with a list that is none',
      (manifest) => void Object.assign(manifest, { Layers: 'a/layer.tar' }),
      'HF-IMAGE',
      'is not what docker save writes, at 0.Layers',
    ],
    [
      'with a configuration without end',
      (_, members) => void members.splice(4, 1, file(configName, Buffer.alloc((4 << 20) + 1))),
      'HF-IMAGE',
      'is too large',
    ],
  ])('is refused %s', async (_, change, code, message) => {
    await expect(open(write(saved(['os:v1'], change)))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });

  test('with other layers than its configuration says is found out when they are read', async () => {
    const image = await open(
      write(saved(['os:v1'], (_, members) => void members.splice(0, 1, file('a/layer.tar', tars[2])))),
    );
    await expect(contents(image)).rejects.toMatchObject({ code: 'HF-DIGEST' });
  });
});

describe('what is no archive of an image', () => {
  const pax = paxRecord('path', 'oci-layout');
  test.each<[string, Buffer, string]>([
    ['nothing', Buffer.alloc(0), 'is not a tar archive'],
    ['a text', Buffer.from('hello\n'), 'is not a tar archive'],
    [
      'a root file system',
      tarball([file('etc/os-release', 'ID=x')]),
      'holds no image: neither index.json nor manifest.json is in it',
    ],
    ['packed nonsense', gzipSync('hello'), 'holds no image'],
    [
      'half an archive',
      tarball([file('index.json', Buffer.alloc(5000)), file('oci-layout')]).subarray(0, 2000),
      'it ends in the middle of a file',
    ],
    ['an endless header', header({ name: 'x', flag: 'x', size: 2 ** 40 }), 'an extended header is too large'],
    [
      'a header without its rest',
      Buffer.concat([header({ name: 'x', flag: 'x', size: pax.length * 100 })]),
      'it ends in the middle of a header',
    ],
  ])('%s', async (_, bytes, message) => {
    writeFileSync(`${directory}/x.tar`, bytes);
    await expect(open(`oci-archive:${directory}/x.tar`)).rejects.toMatchObject({
      code: 'HF-IMAGE',
      message: expect.stringContaining(message),
      hint: expect.any(String),
    });
  });

  test.each(['oci-archive', 'docker-archive'])('%s: a directory, or nothing at all', async (kind) => {
    for (const path of [directory, `${directory}/gone.tar`]) {
      await expect(open(`${kind}:${path}`)).rejects.toMatchObject({
        code: 'HF-NO-SOURCE',
        message: `${path} is not a file`,
      });
    }
  });

  test('a layout whose blobs are not all there', async () => {
    await writeLayers(`${directory}/layout`, 'v1', LAYERS, 'none');
    const { layers } = await openLayout(`${directory}/layout`);
    const gone = hexOf(layers[1]?.digest ?? digestOf(''));
    const members = readdirSync(`${directory}/layout`, { recursive: true, encoding: 'utf8' })
      .filter((name) => statSync(join(directory, 'layout', name)).isFile() && !name.endsWith(gone))
      .map((name) => file(name, readFileSync(join(directory, 'layout', name))));
    writeFileSync(`${directory}/x.tar`, tarball(members));
    await expect(open(`${directory}/x.tar`)).rejects.toMatchObject({
      code: 'HF-IMAGE',
      message: `${directory}/x.tar: a layer is missing: sha256:${gone}`,
    });
  });
});
