import { expect, test } from 'vitest';
import { chooseRootWay, type RootWay, requiredMemoryMiB } from '../../../src/media/netboot-root.ts';

const having = (...modules: string[]) => ({ dracutModules: new Set(modules) });

test.each<[string[], RootWay | undefined, RootWay]>([
  [['dmsquash-live', 'livenet', 'network-legacy'], undefined, 'http'],
  [['dmsquash-live', 'livenet', 'network-manager'], 'http', 'http'],
  [['dmsquash-live', 'livenet', 'network-legacy'], 'initrd', 'initrd'],
  // It would wait for ever (dracut 059).
  [['dmsquash-live', 'livenet', 'systemd-networkd'], undefined, 'initrd'],
  [['dmsquash-live'], undefined, 'initrd'],
  [['dmsquash-live'], 'initrd', 'initrd'],
])('an initramfs with %j, asked for %s: %s', (modules, asked, way) => {
  expect(chooseRootWay(having(...modules), asked)).toBe(way);
});

test.each<[string[], RootWay | undefined, string, string]>([
  [['dmsquash-live'], 'http', 'livenet', 'dracut-network'],
  [['dmsquash-live', 'livenet', 'systemd-networkd'], 'http', 'network-legacy or network-manager', 'dracut-network'],
  [['livenet'], undefined, 'dmsquash-live', 'dracut-live'],
  [[], 'initrd', 'dmsquash-live', 'dracut-live'],
])('an initramfs with %j, asked for %s, lacks %s', (modules, asked, missing, packages) => {
  expect(() => chooseRootWay(having(...modules), asked)).toThrow(
    expect.objectContaining({
      code: 'HF-NOT-BOOTABLE',
      message: expect.stringContaining(`module ${missing} `),
      hint: expect.stringContaining(packages),
    }),
  );
});

test('a root that comes as an initramfs is in memory twice while it is unpacked', () => {
  const MIB = 2 ** 20;
  const sizes = { rootBytes: 700 * MIB, initramfsBytes: 14 * MIB, initramfsUnpackedBytes: 50 * MIB };
  expect(requiredMemoryMiB('http', sizes)).toBe(1280);
  expect(requiredMemoryMiB('initrd', sizes)).toBe(2048);
});
