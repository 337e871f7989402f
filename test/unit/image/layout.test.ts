import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { digestOf } from '../../../src/image/digest.ts';
import { type OpenLayoutOptions, openLayout } from '../../../src/image/layout.ts';
import type { LayerDescriptor } from '../../../src/image/layout-writer.ts';
import { temporaryDirectory, writeLayers } from './fixture.ts';
import { dir, file } from './tarball.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests bend documents in ways that no type describes
type Json = any;

const ARCH = process.arch === 'arm64' ? 'arm64' : 'amd64';
const OTHER = ARCH === 'amd64' ? 'arm64' : 'amd64';

let layout: string;
let image: { digest: string; layers: LayerDescriptor[] };

beforeEach(async () => {
  layout = `${temporaryDirectory()}/layout`;
  image = await writeLayers(layout, 'v1', [
    [dir('etc'), file('etc/os-release', 'VERSION=1')],
    [file('etc/motd', 'hello')],
  ]);
});

const blob = (digest: string) => `${layout}/blobs/${digest.replace(':', '/')}`;
const readJson = (path: string): Json => JSON.parse(readFileSync(path, 'utf8'));
const put = (value: Json) => {
  const bytes = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
  const digest = digestOf(bytes);
  writeFileSync(blob(digest), bytes);
  return { digest, size: bytes.length };
};
const editIndex = (edit: (index: Json) => void) => {
  const index = readJson(`${layout}/index.json`);
  edit(index);
  writeFileSync(`${layout}/index.json`, JSON.stringify(index));
};
/** Bends manifest and configuration; digests along the way are made to fit again. */
const editImage = (edit: (manifest: Json, config: Json) => void) =>
  editIndex((index) => {
    const manifest = readJson(blob(index.manifests[0].digest));
    const config = readJson(blob(manifest.config.digest));
    const before = JSON.stringify(manifest.config);
    edit(manifest, config);
    if (JSON.stringify(manifest.config) === before) Object.assign(manifest.config, put(config));
    Object.assign(index.manifests[0], put(manifest));
  });
const open = (options: OpenLayoutOptions = {}) => openLayout(layout, options);
const readAll = async (options: OpenLayoutOptions = {}) => {
  const opened = await open(options);
  let bytes = 0;
  for (const layer of opened.layers) for await (const chunk of opened.readLayer(layer)) bytes += chunk.length;
  return bytes;
};

describe('a good layout', () => {
  test('gives the image, its configuration and its layers', async () => {
    const opened = await open();
    expect(opened).toMatchObject({
      kind: 'oci',
      digest: image.digest,
      source: `oci-layout:${layout}@${image.digest}`,
      config: { os: 'linux', architecture: ARCH, labels: {} },
      layers: image.layers.map(({ mediaType, digest, diffId, size }) => ({
        mediaType,
        digest,
        diffId,
        sizeBytes: size,
      })),
    });
    expect(opened.config.diffIds).toEqual(image.layers.map(({ diffId }) => diffId));
    expect(await readAll()).toBe(2560 + 2048);
  });

  test('counts packed bytes while they are read', async () => {
    const opened = await open();
    let counted = 0;
    for (const layer of opened.layers) {
      for await (const _ of opened.readLayer(layer, { onBytes: (count) => (counted += count) }));
    }
    expect(counted).toBe(image.layers.reduce((sum, { size }) => sum + size, 0));
  });

  test.each(['none', 'gzip', 'zstd'] as const)(
    'with layers packed by %s unpacks to the same bytes',
    async (packing) => {
      await writeLayers(layout, packing, [[dir('etc'), file('etc/os-release', 'VERSION=1')]], packing);
      const opened = await open({ tag: packing });
      expect(opened.layers[0]?.diffId).toBe(image.layers[0]?.diffId);
      expect(await readAll({ tag: packing })).toBe(2560);
    },
  );

  test("is understood with docker's media types and without optional fields", async () => {
    editImage((manifest, config) => {
      manifest.mediaType = 'application/vnd.docker.distribution.manifest.v2+json';
      manifest.config.mediaType = 'application/vnd.docker.container.image.v1+json';
      for (const layer of manifest.layers) layer.mediaType = 'application/vnd.docker.image.rootfs.diff.tar.gzip';
      Object.assign(manifest.config, put(config));
      config.history = null;
      config.config = null;
    });
    editIndex((index) => {
      index.manifests[0].mediaType = 'application/vnd.docker.distribution.manifest.v2+json';
      delete index.manifests[0].platform;
      delete index.mediaType;
    });
    expect(await readAll()).toBe(2560 + 2048);
  });

  test('gives the image for the architecture, also out of an index inside the index', async () => {
    await writeLayers(layout, 'other', [[file('etc/other')]], 'gzip', OTHER);
    editIndex((index) => {
      const inner = { ...index, manifests: index.manifests.map(({ annotations: _, ...entry }: Json) => entry) };
      inner.manifests.push({
        ...put('{}'),
        mediaType: index.manifests[0].mediaType,
        platform: { os: 'unknown', architecture: 'unknown' },
      });
      index.manifests = [
        { mediaType: index.mediaType, ...put(inner), annotations: { 'org.opencontainers.image.ref.name': 'all' } },
      ];
    });
    expect((await open({ tag: 'all' })).digest).toBe(image.digest);
    expect((await open({ tag: 'all', architecture: OTHER })).config.architecture).toBe(OTHER);
    expect((await open()).digest).toBe(image.digest);
    await expect(open({ architecture: 'riscv64' })).rejects.toEqual(
      expect.objectContaining({ code: 'HF-IMAGE', hint: `it has: linux/amd64, linux/arm64` }),
    );
    // The inner image by its digest alone.
    expect((await open({ digest: digestOf(readFileSync(blob(image.digest))) })).digest).toBe(image.digest);
  });

  test('gives the image with the tag, where a tool wrote the whole reference too', async () => {
    const second = await writeLayers(layout, 'v2', [[file('etc/motd', 'two')]]);
    editIndex((index) => {
      index.manifests[0].annotations['org.opencontainers.image.ref.name'] = 'docker.io/library/os:v1';
    });
    expect((await open({ tag: 'v1' })).digest).toBe(image.digest);
    expect((await open({ tag: 'v2' })).digest).toBe(second.digest);
  });

  test('needs no tag when all tags name the same image', async () => {
    editIndex((index) => {
      index.manifests.push({ ...index.manifests[0], annotations: { 'org.opencontainers.image.ref.name': 'latest' } });
    });
    expect((await open()).digest).toBe(image.digest);
  });
});

describe('the wrong image', () => {
  test('several images and no tag: the tags are listed', async () => {
    await writeLayers(layout, 'v2', [[file('etc/motd', 'two')]]);
    await expect(open()).rejects.toEqual(
      expect.objectContaining({
        code: 'HF-IMAGE',
        message: `${layout} holds several images, and none was chosen`,
        hint: 'tags in it: v1, v2',
      }),
    );
  });

  test.each<[string, OpenLayoutOptions, string]>([
    ['a tag that is not there', { tag: 'v9' }, 'does not hold an image with the tag v9'],
    ['a digest that is not there', { digest: digestOf('nothing') }, `does not hold the image ${digestOf('nothing')}`],
    [
      'a tag with the digest of another image',
      { tag: 'v1', digest: digestOf('nothing') },
      'does not hold an image with the tag v1',
    ],
    ['another architecture', { architecture: OTHER }, `is for linux/${ARCH}, not for linux/${OTHER}`],
  ])('%s', async (_, options, message) => {
    await expect(open(options)).rejects.toEqual(
      expect.objectContaining({
        code: 'HF-IMAGE',
        message: expect.stringContaining(message),
        hint: expect.any(String),
      }),
    );
  });
});

describe('a layout with one thing broken', () => {
  const layer = (n: number) => image.layers[n]?.digest ?? '';
  const refusesToOpen: [string, () => void, string, string][] = [
    ['no index.json', () => rmSync(`${layout}/index.json`), 'HF-IMAGE', 'index.json is missing'],
    ['no oci-layout', () => rmSync(`${layout}/oci-layout`), 'HF-NO-SOURCE', 'is not an OCI image layout'],
    ['index.json is no JSON', () => writeFileSync(`${layout}/index.json`, '{'), 'HF-IMAGE', 'index.json is not JSON'],
    [
      'index.json lists nothing',
      () =>
        editIndex((i) => {
          i.manifests = [];
        }),
      'HF-IMAGE',
      'holds no image',
    ],
    [
      'index.json is too large',
      () => writeFileSync(`${layout}/index.json`, ' '.repeat((4 << 20) + 1)),
      'HF-IMAGE',
      'is too large',
    ],
    [
      'an index calls itself a manifest',
      () =>
        editIndex((i) => {
          i.mediaType = i.manifests[0].mediaType;
        }),
      'HF-IMAGE',
      'which it is not',
    ],
    [
      'an index has layers',
      () =>
        editIndex((i) => {
          i.layers = [];
        }),
      'HF-IMAGE',
      'an index can not have layers',
    ],
    [
      'a digest that climbs',
      () =>
        editIndex((i) => {
          i.manifests[0].digest = 'sha256:../../../../etc/passwd';
        }),
      'HF-IMAGE',
      'has a digest that is none',
    ],
    [
      'a digest in capitals',
      () =>
        editIndex((i) => {
          i.manifests[0].digest = i.manifests[0].digest.replace(/[0-9a-f]{2}$/, 'AB');
        }),
      'HF-IMAGE',
      'has a digest that is none',
    ],
    [
      'a digest by sha512',
      () =>
        editIndex((i) => {
          i.manifests[0].digest = `sha512:${'a'.repeat(128)}`;
        }),
      'HF-UNSUPPORTED',
      'is named by sha512',
    ],
    ['no manifest', () => rmSync(blob(image.digest)), 'HF-IMAGE', 'is missing'],
    [
      'a manifest of another size',
      () =>
        editIndex((i) => {
          i.manifests[0].size -= 1;
        }),
      'HF-DIGEST',
      'bytes instead of',
    ],
    [
      'a manifest that was changed',
      () => writeFileSync(blob(image.digest), readFileSync(blob(image.digest), 'utf8').replace('size', 'sIze')),
      'HF-DIGEST',
      'has the digest',
    ],
    [
      'a manifest without layers',
      () =>
        editImage((m) => {
          m.layers = [];
        }),
      'HF-IMAGE',
      'at layers',
    ],
    [
      'a manifest with too many layers',
      () =>
        editImage((m) => {
          m.layers = Array(513).fill(m.layers[0]);
        }),
      'HF-IMAGE',
      'at layers',
    ],
    [
      'a manifest of docker schema 1',
      () =>
        editImage((m) => {
          m.schemaVersion = 1;
        }),
      'HF-IMAGE',
      'at schemaVersion',
    ],
    [
      'a manifest that is an index too',
      () =>
        editImage((m) => {
          m.manifests = [];
        }),
      'HF-IMAGE',
      'a manifest can not have manifests',
    ],
    [
      'a manifest that calls itself an index',
      () =>
        editImage((m) => {
          m.mediaType = 'application/vnd.oci.image.index.v1+json';
        }),
      'HF-IMAGE',
      'which it is not',
    ],
    [
      'a negative layer size',
      () =>
        editImage((m) => {
          m.layers[0].size = -1;
        }),
      'HF-IMAGE',
      'at layers.0.size',
    ],
    [
      'a layer digest that climbs',
      () =>
        editImage((m) => {
          m.layers[1].digest = '../../x';
        }),
      'HF-IMAGE',
      'layer 2 of',
    ],
    ['a layer without a blob', () => rmSync(blob(layer(1))), 'HF-IMAGE', 'a layer is missing'],
    ['a layer of another size', () => truncateSync(blob(layer(1)), 10), 'HF-DIGEST', 'a layer has 10 bytes instead of'],
    [
      'a layer that is kept elsewhere',
      () =>
        editImage((m) => {
          m.layers[0].mediaType = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';
        }),
      'HF-UNSUPPORTED',
      'is kept elsewhere',
    ],
    [
      'a layer of an unknown type',
      () =>
        editImage((m) => {
          m.layers[0].mediaType = 'application/vnd.oci.image.layer.v1.tar+lzma';
        }),
      'HF-UNSUPPORTED',
      'has the unknown type',
    ],
    [
      'a layer type out of a prototype',
      () =>
        editImage((m) => {
          m.layers[0].mediaType = 'constructor';
        }),
      'HF-UNSUPPORTED',
      'has the unknown type constructor',
    ],
    [
      'an artifact that is no system',
      () =>
        editImage((m) => {
          m.config.mediaType = 'application/vnd.cncf.helm.config.v1+json';
        }),
      'HF-UNSUPPORTED',
      'holds no system but application/vnd.cncf.helm',
    ],
    [
      'a configuration that is too large',
      () =>
        editImage((m) => {
          m.config.size = 5 << 20;
        }),
      'HF-IMAGE',
      'is too large',
    ],
    [
      'a configuration with a layer less',
      () =>
        editImage((_, c) => {
          c.rootfs.diff_ids.pop();
        }),
      'HF-IMAGE',
      'has 2 layers, but its configuration lists 1',
    ],
    [
      'a configuration without architecture',
      () =>
        editImage((_, c) => {
          delete c.architecture;
        }),
      'HF-IMAGE',
      'at architecture',
    ],
    [
      'a system that is not Linux',
      () =>
        editImage((_, c) => {
          c.os = 'windows';
        }),
      'HF-IMAGE',
      'is for windows/',
    ],
  ];
  test.each(refusesToOpen)('%s', async (_, breakIt, code, message) => {
    breakIt();
    await expect(open()).rejects.toEqual(
      expect.objectContaining({ code, message: expect.stringContaining(message), hint: expect.any(String) }),
    );
  });

  test('indexes that nest for ever', async () => {
    editIndex((index) => {
      const { mediaType } = index;
      let entry = index.manifests[0];
      for (let depth = 0; depth < 6; depth++) {
        entry = {
          mediaType,
          ...put({ schemaVersion: 2, mediaType, manifests: [entry], annotations: { depth: `${depth}` } }),
        };
      }
      index.manifests = [entry];
    });
    await expect(open()).rejects.toEqual(
      expect.objectContaining({ message: expect.stringContaining('nests more than 4 indexes') }),
    );
  });

  const refusesToRead: [string, () => void, string, string][] = [
    ['a layer with a changed byte at its end', () => flip(layer(0), -1), 'HF-', ''],
    ['a layer with a changed byte in its middle', () => flip(layer(0), 40), 'HF-', ''],
    [
      'a layer that is not packed as its type says',
      () =>
        editImage((m) => {
          m.layers[0].mediaType += 'x';
          m.layers[0].mediaType = 'application/vnd.oci.image.layer.v1.tar+zstd';
        }),
      'HF-IMAGE',
      "can't be unpacked",
    ],
    [
      'a layer with a wrong digest',
      () =>
        editImage((m) => {
          const other = put(readFileSync(blob(layer(0)), 'latin1').slice(0, -8));
          m.layers[0].digest = other.digest;
          m.layers[0].size = other.size;
        }),
      'HF-IMAGE',
      "can't be unpacked",
    ],
    [
      'a layer that unpacks to something else',
      () =>
        editImage((_, c) => {
          c.rootfs.diff_ids[1] = digestOf('x');
        }),
      'HF-DIGEST',
      'the unpacked layer',
    ],
  ];
  test.each(refusesToRead)('%s', async (_, breakIt, code, message) => {
    breakIt();
    await expect(readAll()).rejects.toMatchObject({
      code: expect.stringContaining(code),
      message: expect.stringContaining(message),
      hint: expect.any(String),
    });
  });

  function flip(digest: string, at: number): void {
    const bytes = readFileSync(blob(digest));
    const index = at < 0 ? bytes.length + at : at;
    bytes[index] = (bytes[index] ?? 0) ^ 1;
    writeFileSync(blob(digest), bytes);
  }
});

describe('reading', () => {
  test('stops when it is interrupted', async () => {
    const controller = new AbortController();
    controller.abort();
    const opened = await open();
    const [first] = opened.layers;
    if (first === undefined) throw new Error('no layer');
    const read = async () => {
      for await (const _ of opened.readLayer(first, { signal: controller.signal }));
    };
    await expect(read()).rejects.toMatchObject({ code: 'HF-INTERRUPTED' });
  });
});
