// Layers that real tools made seekable, and an index that the program published, in Debian's docker-registry: every
// content comes by ranges under both runtimes, and is what the plain layer holds. Takes about five seconds.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bunProgram } from '../../../lab/executable.ts';
import { type LabRegistry, pushImage, startRegistry } from '../../../lab/registry/registry.ts';
import { type Digest, digestOf } from '../../../src/image/digest.ts';
import { openLayout } from '../../../src/image/layout.ts';
import { openRegistryImage } from '../../../src/image/registry/image.ts';
import { openSeekableLayers } from '../../../src/image/seekable/open-seekable.ts';
import { machinePlatform } from '../../../src/image/selection.ts';
import { TarReader } from '../../../src/image/tarreader.ts';
import { run, runChecked } from '../../../src/system/process.ts';
import { writeLayers } from '../../unit/image/fixture.ts';
import { noise } from '../../unit/image/seekable/members.ts';
import { dir, file, hardlink, type Member, symlink, whiteout } from '../../unit/image/tarball.ts';
import { type Sought, seekAll } from './seek-all.ts';

const LARGE = noise(1, 3_000_000);
const more = { uid: 0, gid: 0 };
const base: Member[] = [
  dir('.', more),
  dir('usr', more),
  file('usr/large', LARGE, more),
  file('usr/zeros', Buffer.alloc(2_000_000), more),
  file('usr/su', noise(2, 50_000), {
    ...more,
    mode: 0o4755,
    pax: { 'SCHILY.xattr.user.from': 'base', mtime: '1600000000.5' },
  }),
  hardlink('usr/su2', 'usr/su', more),
  symlink('link', 'usr/su', more),
  ...Array.from({ length: 50 }, (_, index) => file(`usr/${index}`, noise(100 + index, 2000), more)),
];
const OLD = [base, [whiteout('usr/.wh.0')]];
const NEW = [
  [
    ...base.filter(({ name }) => name !== 'usr/large'),
    file('usr/large', Buffer.concat([LARGE, Buffer.from('more')]), more),
    file('usr/new', noise(9, 70_000), more),
  ],
  [whiteout('usr/.wh.1'), file('top', 'top of it all', more)],
];

let directory: string;
let registry: LabRegistry;
/** Digests of contents, as `seekAll` adds them up, by the layer's diffId. */
let expected: Map<Digest, { entries: number; contents: Digest }>;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-seekable-'));
  registry = await startRegistry(join(directory, 'registry'));
  await writeLayers(`${directory}/layout`, 'v1', OLD);
  await writeLayers(`${directory}/layout`, 'v2', NEW);
  expected = new Map();
  for (const tag of ['v1', 'v2']) {
    const image = await openLayout(`${directory}/layout`, { tag });
    for (const layer of image.layers) {
      const reader = new TarReader();
      const contents: Digest[] = [];
      let entries = 0;
      let parts: Buffer[] = [];
      let isFile = false;
      for await (const bytes of image.readLayer(layer)) {
        for (const event of reader.push(bytes)) {
          if (event.kind === 'entry') {
            entries += 1;
            isFile = event.entry.type === 'file';
            parts = [];
          } else if (event.kind === 'data') parts.push(Buffer.from(event.bytes));
          else if (isFile) contents.push(digestOf(Buffer.concat(parts)));
        }
      }
      expected.set(layer.diffId, { entries, contents: digestOf(contents.join()) });
    }
  }
});
afterAll(async () => {
  await registry?.close();
  rmSync(directory, { recursive: true, force: true });
});

/** With the runtime of the tests, and with that of the executable. */
async function seekWithBoth(name: string): Promise<Sought[]> {
  const image = await openRegistryImage(name, machinePlatform(), {});
  const notices: string[] = [];
  const found: Sought[] = [];
  for (const layer of (await openSeekableLayers(image, { notice: (text) => notices.push(text) })).values()) {
    found.push(await seekAll(layer));
  }
  expect(notices).toEqual([]);
  const program = fileURLToPath(new URL('seekable-program.ts', import.meta.url));
  const { stdout, stderr } = await run([bunProgram(), program, name]);
  expect(stderr).toBe('');
  expect(stdout.trim().split('\n')).toEqual(found.map((sought) => JSON.stringify(sought)));
  return found;
}

const holdfast = (...args: string[]) =>
  run([bunProgram(), fileURLToPath(new URL('../../../src/main.ts', import.meta.url)), ...args], {
    env: { ...process.env, DOCKER_CONFIG: '/nowhere' },
  });

test('a zstd:chunked image that skopeo pushed', async () => {
  const name = `${registry.host}/os/chunked:v1`;
  await runChecked([
    ...(['skopeo', '--insecure-policy', 'copy', '--quiet', '--dest-tls-verify=false'] as const),
    ...['--dest-compress-format', 'zstd:chunked', `oci:${directory}/layout:v1`, `docker://${name}`],
  ]);
  const found = await seekWithBoth(name);
  expect(found.map(({ source }) => source)).toEqual(['zstd:chunked', 'zstd:chunked']);
  for (const { diffId, entries, contents } of found) expect({ entries, contents }).toEqual(expected.get(diffId));
  // Two million zeros were not fetched.
  expect(found[0]?.fetchBytes).toBeLessThan(3_300_000);
});

describe('an index that the program publishes', () => {
  let name: (tag: string) => string;
  beforeAll(async () => {
    name = (tag) => `${registry.host}/os/plain:${tag}`;
    for (const tag of ['v1', 'v2']) await pushImage(`${directory}/layout`, tag, name(tag));
  });

  test('is not there before, and a dry run stores nothing', async () => {
    const image = await openRegistryImage(name('v2'), machinePlatform(), {});
    expect(await openSeekableLayers(image, { notice: (text) => expect.unreachable(text) })).toEqual(new Map());
    const dry = await holdfast(
      'image',
      'index',
      '--dry-run',
      `docker:${name('v2')}`,
      '--since',
      `docker:${name('v1')}`,
    );
    expect(dry).toMatchObject({ status: 0, stderr: '' });
    expect(dry.stdout).toMatch(/Read the layers and pack what sha256:[0-9a-f]{12} has not/);
    expect(await image.repository.referrers(image.digest)).toEqual([]);
  });

  test('gives all contents, proven, to a machine that has none', async () => {
    const published = await holdfast('image', 'index', '--json', `docker:${name('v2')}`);
    expect(published).toMatchObject({ status: 0, stderr: '' });
    const result = JSON.parse(published.stdout.trim().split('\n').at(-1) ?? '');
    expect(result).toMatchObject({
      outcome: 'ok',
      since: [],
      index: { layers: 2, digest: expect.stringMatching(/^sha256:/) },
    });
    const found = await seekWithBoth(name('v2'));
    expect(found.map(({ source, proven }) => [source, proven])).toEqual([
      ['chunk index', true],
      ['chunk index', true],
    ]);
    for (const { diffId, entries, contents } of found) expect({ entries, contents }).toEqual(expected.get(diffId));
    // Seen by another tool: the tag that stands in for the referrers API of newer registries.
    const { digest } = await openRegistryImage(name('v2'), machinePlatform(), {});
    const tag = `docker://${registry.host}/os/plain:${digest.replace(':', '-')}`;
    expect(JSON.parse(await runChecked(['skopeo', 'inspect', '--raw', '--tls-verify=false', tag]))).toMatchObject({
      manifests: [{ artifactType: 'application/vnd.holdfast.index.v1', digest: result.index.digest }],
    });
  });

  test('since an older image is a fraction of the image', async () => {
    const published = await holdfast(
      'image',
      'index',
      '--json',
      `docker:${name('v2')}`,
      '--since',
      `docker:${name('v1')}`,
    );
    const result = JSON.parse(published.stdout.trim().split('\n').at(-1) ?? '');
    const old = await openRegistryImage(name('v1'), machinePlatform(), {});
    expect(result.since).toEqual([old.digest]);
    // The end of the large file, the new file, and the file that v1 hides.
    expect(result.index.packBytes).toBeLessThan(70_000 + 520_000 + 5000);
    expect(result.index.packBytes).toBeGreaterThan(70_000);
    const image = await openRegistryImage(name('v2'), machinePlatform(), {});
    const [layer] = (await openSeekableLayers(image, { base: old })).values();
    const large = layer?.entries.find(({ header }) => header.name === 'usr/large')?.content?.chunks ?? [];
    expect(large.length).toBeGreaterThan(10);
    expect(large.filter(({ digest }) => layer?.source.has(digest))).toHaveLength(1);
  });

  test.each([
    [['image', 'index', 'dir:/'], 95, /dir:\/ is a tree: it has no layers and no place for an index/],
    [['image', 'index', 'a', 'b'], 1, /one image is indexed at a time, not 2/],
    [['image', 'sign', 'a'], 1, /there is no "image sign"/],
  ])('%j is refused', async (args, status, message) => {
    const refused = await holdfast(...args);
    expect(refused.status).toBe(status);
    expect(refused.stderr).toMatch(message);
  });
});
