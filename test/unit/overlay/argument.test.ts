// The kernel arguments of root overlays, in every form that dracut knows and some that nobody should write.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readOverlayArguments, splitOverlayPlace } from '../../../src/overlay/argument.ts';

const request = (line: string) => readOverlayArguments(line).request;

describe('the device and the path', () => {
  test.each([
    ['/dev/sdb:/persist-hda.img', '/dev/sdb', '/persist-hda.img'],
    ['LABEL=KEEP:/a/b.img', 'LABEL=KEEP', '/a/b.img'],
    ['UUID=1234-ABCD:/p', 'UUID=1234-ABCD', '/p'],
    ['PARTUUID=00-01:/p', 'PARTUUID=00-01', '/p'],
    ['PARTLABEL=x y:/p', 'PARTLABEL=x y', '/p'],
    ['/dev/disk/by-path/pci-0000:00:04.0-ata-1:/p.img', '/dev/disk/by-path/pci-0000:00:04.0-ata-1', '/p.img'],
    ['/dev/sdb:/a:b.img', '/dev/sdb', '/a:b.img'],
    ['/dev/sdb://double//slash', '/dev/sdb', '/double/slash'],
    ['/dev/sdb', '/dev/sdb', undefined],
    ['/dev/sdb:auto', '/dev/sdb', undefined],
    ['/dev/disk/by-path/pci-0000:00:04.0:auto', '/dev/disk/by-path/pci-0000:00:04.0', undefined],
  ])('%s is split', (text, device, path) => {
    expect(splitOverlayPlace(text)).toEqual({ device, path });
    expect(request(`"rd.live.overlay=${text}"`)).toEqual({ kind: 'use', device, path });
  });

  test.each([
    ['', 'bad-argument', 'names no device'],
    ['sdb:/persist.img', 'bad-argument', 'names no device'],
    [':/persist.img', 'bad-argument', 'names no device'],
    ['/dev/../etc:/p', 'bad-argument', 'names no device'],
    ['/dev/sdb:persist.img', 'bad-path', 'persist.img after the colon is neither'],
    ['/dev/sdb:', 'bad-path', 'neither an absolute path'],
    ['/dev/sdb:autos', 'bad-path', 'neither an absolute path'],
    ['/dev/sdb:/', 'bad-path', 'must name a file'],
    ['/dev/sdb:/dir/', 'bad-path', 'must name a file'],
    ['/dev/sdb:/a/../b', 'bad-path', '. or ..'],
    ['/dev/sdb:/./b', 'bad-path', '. or ..'],
    ['/dev/sdb:/a b', 'bad-path', 'blanks'],
    [`/dev/sdb:/${'x'.repeat(240)}`, 'bad-path', 'too long'],
    ['/dev/sdb:/a\u0007', 'bad-path', 'no file name'],
  ])('%s is refused', (text, reason, words) => {
    const place = splitOverlayPlace(text);
    expect(place).toMatchObject({ reason });
    expect('problem' in place && place.problem).toContain(words);
    expect(request(`"rd.live.overlay=${text}"`)).toMatchObject({ kind: 'refused', reason });
  });

  test('whatever stands there, the answer has a device and a clean path, or says why not', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (before, after) => {
        const place = splitOverlayPlace(`${before}:${after}`);
        if ('problem' in place) return place.problem.length > 10;
        return place.path === undefined || /^(\/[^/\s]+)+$/.test(place.path);
      }),
    );
  });
});

describe('which of several arguments counts', () => {
  test.each([
    ['rd.live.overlay=/dev/a:/1 rd.live.overlay=/dev/b:/2', '/dev/b', '/2'],
    ['overlay=/dev/a:/1 overlay=/dev/b:/2', '/dev/b', '/2'],
    ['rd.live.overlay=/dev/a:/1 overlay=/dev/b:/2', '/dev/a', '/1'],
    ['overlay=/dev/b:/2', '/dev/b', '/2'],
    ['rd.live.overlay=none rd.live.overlay=/dev/b:/2', '/dev/b', '/2'],
  ])('%s', (line, device, path) => {
    expect(request(line)).toEqual({ kind: 'use', device, path });
  });

  test.each([
    'rd.live.overlay=none',
    'rd.live.overlay=None',
    'rd.live.overlay=NONE',
    'rd.live.overlay=/dev/a:/1 rd.live.overlay=none',
    'rd.live.overlay=/dev/a:/1 rd.cos.rootoverlay=0',
    'rd.cos.rootoverlay=no overlay=/dev/a:/1',
    'rd.live.overlay=nonsense rd.cos.rootoverlay=off',
  ])('%s skips the overlay', (line) => {
    expect(request(line).kind).toBe('skipped');
  });

  test('without an argument nothing is asked for, whatever the switches say', () => {
    expect(request('root=LABEL=COS_STATE rd.cos.rootoverlay=0 rd.live.overlay.readonly')).toEqual({ kind: 'absent' });
    expect(request('rd.cos.overlay=tmpfs:20% overlayroot=tmpfs')).toEqual({ kind: 'absent' });
  });
});

test.each([
  ['', { mismatch: 'skip', waitSeconds: 30, require: false, adopt: false, readOnly: false, reset: false }],
  ['rd.cos.rootoverlay.mismatch=fail', { mismatch: 'fail' }],
  ['rd.cos.rootoverlay.mismatch=fail rd.cos.rootoverlay.mismatch=skip', { mismatch: 'skip' }],
  ['rd.cos.rootoverlay.wait=0', { waitSeconds: 0 }],
  ['rd.cos.rootoverlay.wait=120', { waitSeconds: 120 }],
  ['rd.cos.rootoverlay.wait=9999', { waitSeconds: 1800 }],
  ['rd.cos.rootoverlay.wait=-1', { waitSeconds: 30 }],
  ['rd.cos.rootoverlay.wait=99999', { waitSeconds: 30 }],
  ['rd.cos.rootoverlay.require', { require: true }],
  ['rd.cos.rootoverlay.require=1 rd.cos.rootoverlay.require=0', { require: false }],
  ['rd.cos.rootoverlay.adopt=1', { adopt: true }],
  ['rd.live.overlay.readonly', { readOnly: true }],
  ['readonly_overlay', { readOnly: true }],
  ['rd.live.overlay.readonly=0', { readOnly: false }],
  ['rd.live.overlay.reset=1', { reset: true }],
  ['reset_overlay', { reset: true }],
  ['ro', { rootReadOnly: true }],
  ['ro rw', { rootReadOnly: false }],
  ['rw ro', { rootReadOnly: true }],
  ['rd.live.dir=Other', { liveDirectory: 'Other' }],
])('the switches of %j', (line, expected) => {
  expect(readOverlayArguments(line)).toMatchObject(expected);
});
