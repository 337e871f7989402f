import { expect, test } from 'vitest';
import { liveArguments, parseExtraArguments } from '../../../src/media/live-arguments.ts';

test('a medium is found by its label, and nothing of the machine’s own disks is touched', () => {
  const text = liveArguments({
    medium: 'CDLABEL=COS_LIVE',
    directory: '/',
    file: 'rootfs.squashfs',
    setup: '/run/initramfs/live/iso-config',
    extra: ['quiet'],
  }).join(' ');
  expect(text).toBe(
    'cdroot root=live:CDLABEL=COS_LIVE rd.live.dir=/ rd.live.squashimg=rootfs.squashfs rd.cos.disable cos.setup=/run/initramfs/live/iso-config quiet',
  );
});

test('a system that comes over the network needs an address first', () => {
  expect(liveArguments({ medium: 'http://server/root.squashfs' })).toEqual([
    'ip=dhcp',
    'root=live:http://server/root.squashfs',
    'rd.cos.disable',
  ]);
});

test('more arguments are words', () => {
  expect(parseExtraArguments('  quiet  a.b=c,d;e\t')).toEqual(['quiet', 'a.b=c,d;e']);
});

test.each(['a="b c"', "it's", 'a$b', 'a\\b', 'grün', 'a\u0007'])('%s is refused', (text) => {
  expect(() => parseExtraArguments(text)).toThrow(expect.objectContaining({ code: 'HF-USAGE' }));
});
