// `unpack_images`: which texts are understood, what is done once only, and that one entry's failure is its own.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Root } from '../../../../src/system/root.ts';
import { writeLayers } from '../../image/fixture.ts';
import { serve, serveLayout } from '../../image/registry/local-registry.ts';
import { dir, file, type Member, whiteout } from '../../image/tarball.ts';
import { failuresOf, put, runSteps, temporaryRoot } from '../temporary-root.ts';

const RECORD = 'var/lib/holdfast/unpacked-images.json';

/** A root with a layout in /images. */
async function withImages(images: Record<string, Member[][]>, files: Record<string, string> = {}): Promise<Root> {
  const root = temporaryRoot(files);
  for (const [tag, layers] of Object.entries(images)) await writeLayers(join(root.directory, 'images'), tag, layers);
  return root;
}

const step = (...entries: string[]) => `- unpack_images:\n${entries.map((entry) => `    - {${entry}}`).join('\n')}`;
const changedOf = (result: Awaited<ReturnType<typeof runSteps>>) => result.steps.flatMap((one) => one.changedFiles);
const warningsOf = (result: Awaited<ReturnType<typeof runSteps>>) => result.problems.map(({ message }) => message);

describe('an image over a directory', () => {
  it('comes with its layers put together; whiteouts hide nothing that was there before', async () => {
    const layers = [
      [dir('d'), file('d/a', 'lower'), file('d/b', 'b')],
      [whiteout('d/.wh.a'), whiteout('d/.wh.mine'), file('d/c', 'c')],
      [dir('d'), whiteout('d/.wh..wh..opq'), file('d/e', 'e')],
    ];
    const root = await withImages({ v1: layers }, { 'opt/app/d/mine': 'kept', 'opt/app/d/b': 'kept' });
    const result = await runSteps(root, step('source: "oci-layout:/images:v1", target: /opt/app'));
    expect(failuresOf(result)).toEqual([]);
    expect(changedOf(result)).toEqual(['/opt/app']);
    expect(root.list('/opt/app')).toEqual(['d']);
    expect(root.list('/opt/app/d')).toEqual(['b', 'e', 'mine']);
    expect(root.readText('/opt/app/d/b')).toBe('kept');
  });

  it('makes the target with mode 0755, and its parents', async () => {
    const root = await withImages({ v1: [[file('a')]] });
    const result = await runSteps(root, step('source: "oci-layout:/images:v1", target: /srv/x/y'));
    expect(changedOf(result)).toEqual(['/srv', '/srv/x', '/srv/x/y']);
    expect(root.stat('/srv/x/y')?.mode).toBe(0o40755);
  });

  it('stays in the root, whatever links say', async () => {
    const root = await withImages({ v1: [[file('a')]] });
    root.link('/opt', '/../../../../tmp/elsewhere');
    await runSteps(root, step('source: "oci-layout:/images:v1", target: /opt/../../../x'));
    await runSteps(root, step('source: "oci-layout:/images:v1", target: /opt/in'));
    expect(root.exists('/x/a')).toBe(true);
    expect(root.exists('/tmp/elsewhere/in/a')).toBe(true);
    expect(existsSync('/tmp/elsewhere')).toBe(false);
  });

  it('a tree of the root may be one too', async () => {
    const root = temporaryRoot({ 'data/etc/x': 'x' });
    expect(failuresOf(await runSteps(root, step('source: "dir:/data", target: /opt')))).toEqual([]);
    expect(root.readText('/opt/etc/x')).toBe('x');
  });
});

describe('a second run', () => {
  const V1 = 'source: "oci-layout:/images:v1", target: /opt/app';
  const V2 = 'source: "oci-layout:/images:v2", target: /opt/app';
  const images = { v1: [[file('a', 'v1'), file('b', 'v1')]], v2: [[file('a', 'v2')]] };

  it('changes nothing', async () => {
    const root = await withImages(images);
    await runSteps(root, step(V1));
    writeFileSync(root.resolve('/opt/app/a'), 'edited');
    expect(changedOf(await runSteps(root, step(V1)))).toEqual([]);
    expect(root.readText('/opt/app/a')).toBe('edited');
  });

  it.each([
    ['the directory is another one', (root: Root) => rmSync(root.resolve('/opt/app'), { recursive: true })],
    ['what it brought is gone', (root: Root) => root.remove('/opt/app/b')],
    ['the record is gone', (root: Root) => root.remove(`/${RECORD}`)],
    ['the record is damaged', (root: Root) => put(root.directory, RECORD, '{"directories": []}')],
  ])('unpacks again when %s', async (_, change) => {
    const root = await withImages(images);
    await runSteps(root, step(V1));
    change(root);
    expect(changedOf(await runSteps(root, step(V1)))).toContain('/opt/app');
    expect(root.readText('/opt/app/b')).toBe('v1');
    expect(changedOf(await runSteps(root, step(V1)))).toEqual([]);
  });

  it('of two images over one directory does nothing, and when the lower one changes both come again', async () => {
    const root = await withImages(images);
    const both = step(V1, V2);
    expect(changedOf(await runSteps(root, both))).toContain('/opt/app');
    expect(root.readText('/opt/app/a')).toBe('v2');
    expect(changedOf(await runSteps(root, both))).toEqual([]);
    await writeLayers(join(root.directory, 'images'), 'v1', [[file('a', 'new'), file('b', 'new')]]);
    await runSteps(root, both);
    expect([root.readText('/opt/app/a'), root.readText('/opt/app/b')]).toEqual(['v2', 'new']);
    expect(changedOf(await runSteps(root, both))).toEqual([]);
  });
});

describe('an image of a registry', () => {
  it('is a reference as docker has it, and is said to be without a signature', async () => {
    const root = await withImages({ v1: [[file('a', 'a')]] });
    const server = await serveLayout(join(root.directory, 'images'));
    const notices: string[] = [];
    const result = await runSteps(root, step(`source: "${server.host}/os/app:v1", target: /opt`), (event) => {
      if (event.type === 'notice') notices.push(event.text);
    });
    expect(failuresOf(result)).toEqual([]);
    expect(root.readText('/opt/a')).toBe('a');
    expect(notices).toContainEqual(
      expect.stringMatching(
        /^unpacking docker:127\.0\.0\.1:\d+\/os\/app:v1@sha256:\w+ over \/opt; no signature was verified$/,
      ),
    );
  });

  it('is asked for what its tag says now, but nobody is asked where the digest is named', async () => {
    const root = await withImages({ v1: [[file('a', 'a')]] });
    const server = await serveLayout(join(root.directory, 'images'));
    const tagged = step(`source: "${server.host}/os/app:v1", target: /opt/tagged`);
    await runSteps(root, tagged);
    const { length } = server.requests;
    expect(changedOf(await runSteps(root, tagged))).toEqual([]);
    // Manifest and configuration, no layer.
    expect(server.requests).toHaveLength(length + 2);
    const digest = JSON.parse(readFileSync(join(root.directory, 'images/index.json'), 'utf8')).manifests[0].digest;
    const pinned = step(`source: "docker:${server.host}/os/app@${digest}", target: /opt/pinned`);
    expect(changedOf(await runSteps(root, pinned))).toContain('/opt/pinned');
    const before = server.requests.length;
    expect(changedOf(await runSteps(root, pinned))).toEqual([]);
    expect(server.requests).toHaveLength(before);
  });

  it('that breaks leaves the target as it was', async () => {
    const layers = [[file('a', 'new'), file('b', 'new')], [file('c', 'c')]];
    const root = await withImages({ v1: layers }, { 'opt/a': 'old' });
    const manifests = await serveLayout(join(root.directory, 'images'), (request, response) => {
      const isLast = request.path.endsWith(last);
      if (isLast) response.writeHead(200).end('x'.repeat(100));
      return isLast;
    });
    const { openLayout } = await import('../../../../src/image/layout.ts');
    const last = (await openLayout(join(root.directory, 'images'))).layers.at(-1)?.digest ?? '';
    const result = await runSteps(root, step(`source: "${manifests.host}/os/app:v1", target: /opt`));
    expect(failuresOf(result)).toEqual([expect.stringContaining('unpack_images: layer sha256:')]);
    expect(readdirSync(root.resolve('/opt'))).toEqual(['a']);
    expect(root.readText('/opt/a')).toBe('old');
  });
});

describe('what can not be done', () => {
  it('without source or target is a warning', async () => {
    const result = await runSteps(temporaryRoot(), step('source: "quay.io/x"', 'target: /x'));
    expect(failuresOf(result)).toEqual([]);
    expect(warningsOf(result)).toEqual([
      'unpack_images: an entry without target is skipped',
      'unpack_images: an entry without source is skipped',
    ]);
  });

  it('fails for each entry by itself', async () => {
    const root = await withImages({ v1: [[file('a')]] }, { file: '' });
    const nobody = await serve((_, response) => response.writeHead(404).end());
    const result = await runSteps(
      root,
      step(
        'source: "oci-layout:/nothing", target: /opt',
        'source: "oci-layout:/images:v1", target: /opt, platform: windows/amd64',
        'source: "oci-layout:/images:v1", target: /opt, platform: linux/riscv64',
        `source: "${nobody.host}/os:v1", target: /opt`,
        'source: "quay.io/OS", target: /opt',
        'source: "oci-layout:/images:v1", target: /file',
        'source: "oci-layout:/images:v1", target: /opt/last',
      ),
    );
    const [failures = ''] = failuresOf(result);
    expect(failures.split('; ')).toHaveLength(6);
    for (const part of [
      '/nothing is not an OCI image layout',
      'is no platform',
      'riscv64',
      'does not have the tag v1',
      'OS',
    ]) {
      expect(failures).toContain(part);
    }
    expect(root.exists('/opt/last/a')).toBe(true);
  });
});

it.each([
  ['alpine', 'docker.io/library/alpine'],
  ['alpine:3.19', 'docker.io/library/alpine:3.19'],
  ['docker:24-dind', 'docker.io/library/docker:24-dind'],
  ['docker:quay.io/os:v1', 'quay.io/os:v1'],
  ['docker://quay.io/os:v1', 'quay.io/os:v1'],
  ['localhost:5000/os', 'localhost:5000/os'],
  ['user/app:v1', 'docker.io/user/app:v1'],
])('%s is the image %s', async (source, name) => {
  const { sourceOf } = await import('../../../../src/stages/steps/unpackimages.ts');
  const { formatRegistryName, parseRegistryName } = await import('../../../../src/image/registry/name.ts');
  const found = await sourceOf(source, temporaryRoot());
  expect(found.kind).toBe('registry');
  const { tag, ...rest } = parseRegistryName(found.kind === 'registry' ? found.reference : '');
  expect(formatRegistryName({ ...rest, tag: tag === 'latest' ? undefined : tag })).toBe(name);
});

it('leftovers of a killed process are removed', async () => {
  const root = await withImages({ v1: [[file('a')]] });
  mkdirSync(join(root.directory, 'opt/.holdfast-unpack-4194305/x'), { recursive: true });
  await runSteps(root, step('source: "oci-layout:/images:v1", target: /opt'));
  expect(readdirSync(root.resolve('/opt'))).toEqual(['a']);
});
