import { expect, test } from 'vitest';
import { parseBuildManifest, squashCompression } from '../../../src/media/build-manifest.ts';

const none = { rootfs: [], uefi: [], iso: [] };

test('a manifest of Elemental says what the medium is', () => {
  const text = `name: my-os
date: true
output: /srv/media
label: OLD
squash-compression:
  - -comp
  - xz
iso:
  label: MY_OS
  rootfs:
    - quay.io/my/os:1.10
    - dir:/srv/more
  uefi:
    - live/grub2-efi-image
  image:
    - dir:///srv/iso
    - recovery/cos-img
`;
  expect(parseBuildManifest(text, 'manifest.yaml')).toEqual({
    name: 'my-os',
    output: '/srv/media',
    date: true,
    label: 'MY_OS',
    system: 'quay.io/my/os:1.10',
    overlays: { rootfs: ['/srv/more'], uefi: [], iso: ['/srv/iso'] },
    compression: 'xz',
    extraArguments: undefined,
    ignored: [
      'iso.uefi: live/grub2-efi-image is left out, the boot loader is the image’s own',
      'iso.image: recovery/cos-img is left out, only dir: can be laid over',
    ],
  });
});

test.each([
  ['', {}, []],
  ['label: A\nraw_disk:\n  x86_64: {}\n', { label: 'A' }, []],
  ['repositories:\n  - uri: quay.io/x\n', {}, ['repositories makes no difference']],
  ['name: 1.10\n', { name: '1.10' }, []],
])('%j is understood', (text, found, ignored) => {
  expect(parseBuildManifest(text, 'm')).toMatchObject({ ...found, overlays: none, ignored });
});

test.each([
  ['iso: [a', 'HF-CONFIG'],
  ['iso:\n  rootfs: one\n', 'm: iso.rootfs: '],
  ['date: sometimes\n', 'm: date: '],
  ['name: {}\n', 'm: name: '],
  ['- a\n', 'm: the manifest: '],
])('%j is refused, with Elemental’s status', (text, words) => {
  try {
    parseBuildManifest(text, 'm');
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({ code: 'HF-CONFIG', exitStatus: 26 });
    if (words !== 'HF-CONFIG') expect(String(error)).toContain(words);
  }
});

test.each([
  [['-comp xz -Xbcj x86'], 'xz'],
  [['-comp', 'zstd', '-b', '1M'], 'zstd'],
  [['-b', '1M'], undefined],
  [['-noD', '-noI'], 'none'],
  [[], undefined],
])('%j is %s', (options, expected) => {
  expect(squashCompression(options)).toBe(expected);
});
