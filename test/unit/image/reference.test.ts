import { mkdirSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openImage } from '../../../src/image/image.ts';
import { formatImageSource, parseImageSource } from '../../../src/image/reference.ts';
import { temporaryDirectory, writeLayers } from './fixture.ts';
import { dir, file } from './tarball.ts';

const DIGEST = `sha256:${'ab'.repeat(32)}`;

describe('the text that names an image', () => {
  test.each([
    ['docker:quay.io/os:v1', { kind: 'registry', reference: 'quay.io/os:v1' }],
    ['oci:quay.io/os:v1', { kind: 'registry', reference: 'quay.io/os:v1' }],
    ['docker://quay.io/os:v1', { kind: 'registry', reference: 'quay.io/os:v1' }],
    ['oci:localhost:5000/os@sha256:00', { kind: 'registry', reference: 'localhost:5000/os@sha256:00' }],
    ['quay.io/os:v1', { kind: 'registry', reference: 'quay.io/os:v1' }],
    ['localhost:5000/os', { kind: 'registry', reference: 'localhost:5000/os' }],
    ['registry:5000/os:v1', { kind: 'registry', reference: 'registry:5000/os:v1' }],
    ['localhost/os', { kind: 'registry', reference: 'localhost/os' }],
    ['dir:/srv/root', { kind: 'dir', path: '/srv/root' }],
    ['dir:///srv/root', { kind: 'dir', path: '/srv/root' }],
    ['dir:root', { kind: 'dir', path: 'root' }],
    ['dir:/srv/a:b', { kind: 'dir', path: '/srv/a:b' }],
    ['file:/run/initramfs/live/rootfs.squashfs', { kind: 'file', path: '/run/initramfs/live/rootfs.squashfs' }],
    ['oci-layout:/images', { kind: 'oci-layout', path: '/images' }],
    ['oci-layout:/images:v2', { kind: 'oci-layout', path: '/images', tag: 'v2' }],
    ['oci-layout:///images:v2', { kind: 'oci-layout', path: '/images', tag: 'v2' }],
    ['oci-layout:images:v2', { kind: 'oci-layout', path: 'images', tag: 'v2' }],
    ['oci-layout:/a:b/images', { kind: 'oci-layout', path: '/a:b/images' }],
    ['oci-layout:/a@b/images:v2', { kind: 'oci-layout', path: '/a@b/images', tag: 'v2' }],
    [`oci-layout:/images@${DIGEST}`, { kind: 'oci-layout', path: '/images', digest: DIGEST }],
    [`oci-layout:/images:v2@${DIGEST}`, { kind: 'oci-layout', path: '/images', tag: 'v2', digest: DIGEST }],
    ['oci-archive:/os.tar', { kind: 'oci-archive', path: '/os.tar' }],
    [`oci-archive:/os.tar:v2@${DIGEST}`, { kind: 'oci-archive', path: '/os.tar', tag: 'v2', digest: DIGEST }],
    ['docker-archive:/os.tar', { kind: 'docker-archive', path: '/os.tar' }],
    ['docker-archive:/os.tar:os/base:v1', { kind: 'docker-archive', path: '/os.tar', tag: 'os/base:v1' }],
    [`docker-archive:/os.tar@${DIGEST}`, { kind: 'docker-archive', path: '/os.tar', digest: DIGEST }],
    ['/images', { kind: 'path', path: '/images' }],
    ['/images/with:colon', { kind: 'path', path: '/images/with:colon' }],
    ['./images', { kind: 'path', path: './images' }],
    ['../images', { kind: 'path', path: '../images' }],
    ['..', { kind: 'path', path: '..' }],
    ['build/images', { kind: 'path', path: 'build/images' }],
    ['images', { kind: 'path', path: 'images' }],
  ])('%s is understood', (text, source) => {
    expect(parseImageSource(text)).toEqual(source);
  });

  test.each([
    ['', 'HF-USAGE', 'the name of the image is empty'],
    ['  ', 'HF-USAGE', 'the name of the image is empty'],
    ['dir:', 'HF-USAGE', 'dir: names no image'],
    ['docker://', 'HF-USAGE', 'docker:// names no image'],
    ['oci-layout::v2', 'HF-USAGE', 'oci-layout::v2 names no image'],
    ['oci-layout:/images:', 'HF-USAGE', 'oci-layout:/images:: "" is no tag'],
    ['oci-layout:/images:v 2', 'HF-USAGE', 'oci-layout:/images:v 2: "v 2" is no tag'],
    [
      'oci-layout:/images@sha256:00',
      'HF-IMAGE',
      'the image oci-layout:/images@sha256:00 has a digest that is none: "sha256:00"',
    ],
    ['/images\n', 'HF-USAGE', 'the name of the image contains a control character'],
    ['alpine:3', 'HF-USAGE', 'alpine:3 is neither a path nor an image with its kind'],
    ['channel:system/cos', 'HF-UNSUPPORTED', 'channel:system/cos: package channels are not supported'],
    ['docker-archive:', 'HF-USAGE', 'docker-archive: names no image'],
    ['docker-archive:x.tar:', 'HF-USAGE', 'docker-archive:x.tar: names no image'],
    ['oci-archive:x.tar:v 1', 'HF-USAGE', 'oci-archive:x.tar:v 1: "v 1" is no tag'],
    ['docker-daemon:os:v1', 'HF-UNSUPPORTED', 'docker-daemon:os:v1: docker-daemon: is not read directly'],
    ['https://example.org/os', 'HF-UNSUPPORTED', 'https://example.org/os: https: is not read directly'],
  ])('%j is refused with %s', (text, code, message) => {
    expect(() => parseImageSource(text)).toThrow(expect.objectContaining({ code, message, hint: expect.any(String) }));
  });

  test('whatever is understood is written so that it is understood again', () => {
    const word = fc.stringMatching(/^[a-z0-9._/-]{1,20}$/);
    const text = fc.oneof(
      fc.string(),
      fc
        .tuple(
          fc.constantFrom('docker:', 'oci:', 'dir:', 'file:', 'oci-layout:', 'oci-archive:', 'docker-archive:', ''),
          word,
          fc.constantFrom('', ':v1', `@${DIGEST}`),
        )
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, (given) => {
        let source: ReturnType<typeof parseImageSource>;
        try {
          source = parseImageSource(given);
        } catch {
          return;
        }
        expect(parseImageSource(formatImageSource(source))).toEqual(source);
      }),
    );
  });
});

describe('opening what a text names', () => {
  const open = (text: string) => openImage(parseImageSource(text));

  test('a path is what is found there: a layout or a tree', async () => {
    const directory = temporaryDirectory();
    await writeLayers(`${directory}/layout`, 'v1', [[file('etc/os-release')]]);
    mkdirSync(`${directory}/tree/etc`, { recursive: true });
    const layout = await open(`${directory}/layout`);
    expect(layout).toMatchObject({ kind: 'oci', source: `oci-layout:${directory}/layout@${layout.digest}` });
    expect(await open(`${directory}/tree`)).toEqual({
      kind: 'tree',
      source: `dir:${directory}/tree`,
      digest: undefined,
      directory: `${directory}/tree`,
    });
  });

  test.each([
    ['docker:quay.io/OS:v1', 'HF-USAGE', 'for example registry.example/os/base:v2'],
    ['file:$/disk.img', 'HF-UNSUPPORTED', 'mount it and name the directory'],
    ['$/disk.img', 'HF-UNSUPPORTED', 'mount it and name the directory'],
    ['$/nothing', 'HF-NO-SOURCE', 'for an image in a registry write docker:'],
    ['$/layout:v1', 'HF-NO-SOURCE', 'for an image in a layout write oci-layout:'],
    ['dir:$/nothing', 'HF-NO-SOURCE', 'dir: wants a directory that holds etc, usr and so on'],
    ['dir:$/empty', 'HF-NO-SOURCE', 'dir: wants a directory that holds etc, usr and so on'],
    ['oci-layout:$/empty', 'HF-NO-SOURCE', 'make one with: skopeo copy'],
  ])('%s fails and says what to do', async (text, code, hint) => {
    const directory = temporaryDirectory();
    writeFileSync(`${directory}/disk.img`, '');
    mkdirSync(`${directory}/empty`);
    await writeLayers(`${directory}/layout`, 'v1', [[dir('etc')]]);
    await expect(open(text.replace('$', directory))).rejects.toMatchObject({
      code,
      hint: expect.stringContaining(hint),
    });
  });
});
