import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ipxeScript, type NetbootOptions, netbootArguments } from '../../../src/media/netboot-script.ts';

const OPTIONS: NetbootOptions = {
  way: 'initrd',
  base: undefined,
  cloudConfig: undefined,
  install: false,
  extra: [],
  rootDigest: undefined,
};
const FACTS = { name: 'Example 1', memoryMiB: 1024 };
const script = (options: Partial<NetbootOptions>) => ipxeScript({ ...OPTIONS, ...options }, FACTS);
const kernelLine = (text: string) => text.split('\n').find((line) => line.startsWith('kernel '));

test('a root that the boot loader brings needs no address', () => {
  const text = script({});
  expect(kernelLine(text)).toBe(
    'kernel kernel initrd=initrd initrd=rootfs.cpio root=live:/rootfs.img rd.cos.disable console=tty1 console=ttyS0,115200 || goto failed',
  );
  expect(text).toContain('\ninitrd initrd || goto failed\ninitrd rootfs.cpio || goto failed\nboot || goto failed\n');
  expect(text).not.toContain('holdfast-base');
});

test('a root that is fetched needs one, which iPXE tells', () => {
  const text = script({ way: 'http', rootDigest: `sha256:${'a'.repeat(64)}` });
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: settings of iPXE
  expect(kernelLine(text)).toContain(
    `kernel kernel initrd=initrd root=live:\${holdfast-base}rootfs.squashfs ip=dhcp rd.cos.disable rd.holdfast.rootdigest=sha256:${'a'.repeat(64)} `,
  );
  expect(text).toContain('\nisset ${holdfast-base} || isset ${cwduri} || goto nowhere\n');
  expect(text).toContain('\nisset ${holdfast-base} || set holdfast-base ${cwduri}/\n');
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: settings of iPXE
  expect(text).toContain('\n:nowhere\n');
  expect(text).not.toContain('rootfs.cpio');
});

test('an address that is given is in the script', () => {
  const text = script({ way: 'http', base: 'http://10.0.0.1/os/' });
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a setting of iPXE
  expect(text).toContain('\nisset ${holdfast-base} || set holdfast-base http://10.0.0.1/os/\n');
  expect(text).not.toContain('nowhere');
});

test('the machine is told about stage file, installer and further words, in this order', () => {
  const options = { ...OPTIONS, cloudConfig: 'beside' as const, install: true, extra: ['quiet', 'a=b'] };
  expect(netbootArguments(options, 'http://10.0.0.1/').slice(-4)).toEqual([
    'cos.setup=http://10.0.0.1/cloud-config.yaml',
    'holdfast.install',
    'quiet',
    'a=b',
  ]);
  const elsewhere = { ...OPTIONS, cloudConfig: { address: 'http://x/y' } };
  expect(netbootArguments(elsewhere, '').at(-1)).toBe('cos.setup=http://x/y');
});

test('TLS is never left unchecked', () => {
  expect(script({ way: 'http', base: 'https://boot.example/' })).not.toContain('noverifyssl');
});

test('an image’s name can’t become a line of the script', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      const expected = ipxeScript(OPTIONS, FACTS).split('\n');
      const lines = ipxeScript(OPTIONS, { ...FACTS, name }).split('\n');
      expect(lines[1]).toMatch(/^# [ -~]*$/);
      expect(lines.toSpliced(1, 1)).toEqual(expected.toSpliced(1, 1));
    }),
  );
});
