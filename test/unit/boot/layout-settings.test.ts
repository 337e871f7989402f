// What the layout's variables and kernel arguments mean together, against what cOS documents.

import { describe, expect, test } from 'vitest';
import { readLayoutArguments } from '../../../src/boot/command-line.ts';
import { DEFAULT_RW_PATHS, readLayoutSettings } from '../../../src/boot/layout-settings.ts';
import { parseVolume } from '../../../src/boot/layout-words.ts';

const settings = (env: string | undefined, commandLine = '') => {
  const environments = env === undefined ? [] : [{ name: 'cos-layout.env', text: env }];
  return readLayoutSettings({ environments }, readLayoutArguments(commandLine));
};
const mountPoints = (env: string, commandLine: string) =>
  settings(env, commandLine).volumes.map(({ device, mountPoint }) => `${device}:${mountPoint}`);

test('without any file or argument cOS’s defaults hold', () => {
  expect(settings(undefined)).toEqual({
    debugRw: false,
    volumes: [],
    overlayBase: { type: 'tmpfs', size: '20%' },
    rwPaths: DEFAULT_RW_PATHS,
    rwPathsAsked: false,
    statePaths: [],
    stateTarget: '/usr/local/.state',
    writeFstab: true,
    relabel: true,
    problems: [],
  });
});

describe('MERGE', () => {
  const env = 'VOLUMES="LABEL=COS_OEM:/oem"';
  const commandLine = 'rd.cos.mount=LABEL=OTHER:/oem rd.cos.mount=LABEL=A:/a rd.cos.mount=LABEL=B:/b';
  test.each([
    [
      'unset adds mounts of the command line whose place is free',
      '',
      ['LABEL=COS_OEM:/oem', 'LABEL=A:/a', 'LABEL=B:/b'],
    ],
    ['true does the same', 'MERGE=true', ['LABEL=COS_OEM:/oem', 'LABEL=A:/a', 'LABEL=B:/b']],
    ['false drops them', 'MERGE=false', ['LABEL=COS_OEM:/oem']],
    ['anything else drops them', 'MERGE=yes', ['LABEL=COS_OEM:/oem']],
  ])('%s', (_, merge, expected) => {
    expect(mountPoints(`${env}\n${merge}`, commandLine)).toEqual(expected);
  });

  test('without VOLUMES both mounts of the command line are kept (the original loses one)', () => {
    expect(mountPoints('', 'rd.cos.mount=LABEL=A:/a rd.cos.mount=LABEL=B:/b')).toEqual(['LABEL=A:/a', 'LABEL=B:/b']);
  });
});

test.each([
  ['RW_PATHS=', []],
  ['RW_PATHS="/etc  /var/ /etc"', ['/etc', '/var']],
  ['', DEFAULT_RW_PATHS],
])('%j: writable paths', (env, expected) => {
  expect(settings(env).rwPaths).toEqual(expected);
});

test.each([
  ['DEBUG_RW=true', '', true],
  ['DEBUGRW=true', '', true],
  ['DEBUGRW=yes', '', false],
  ['', 'rd.cos.debugrw', true],
])('%j and %j: debugRw is %s', (env, commandLine, expected) => {
  expect(settings(env, commandLine).debugRw).toBe(expected);
});

test.each([
  ['', 'rd.cos.overlay=tmpfs:5%', { type: 'tmpfs', size: '5%' }],
  ['OVERLAY=tmpfs:512m', 'rd.cos.overlay=tmpfs:5%', { type: 'tmpfs', size: '512m' }],
  ['OVERLAY=LABEL=SCRATCH', '', { type: 'device', device: 'LABEL=SCRATCH' }],
  ['OVERLAY=UUID=1-2', '', { type: 'device', device: 'UUID=1-2' }],
])('%j and %j: base of ephemeral changes', (env, commandLine, expected) => {
  expect(settings(env, commandLine).overlayBase).toEqual(expected);
});

test.each([
  ['PERSISTENT_STATE_BIND=true', 'bind'],
  ['PERSISTENT_STATE_BIND=false', 'overlay'],
  ['PERSISTENT_STATE_BIND=1', 'overlay'],
  ['', 'overlay'],
])('%j: persistent paths are kept by %s', (env, expected) => {
  expect(settings(`${env}\nPERSISTENT_STATE_PATHS=/a`).statePaths).toEqual([{ path: '/a', mode: expected }]);
});

test.each([
  ['LABEL=COS_OEM:/oem', { device: 'LABEL=COS_OEM', mountPoint: '/oem' }],
  ['PARTLABEL=oem:/oem/', { device: 'PARTLABEL=oem', mountPoint: '/oem' }],
  ['/dev/sda1://a//b', { device: '/dev/sda1', mountPoint: '/a/b' }],
  ['LABEL=X:/with:colon', { device: 'LABEL=X', mountPoint: '/with:colon' }],
  ['LABEL=X', undefined],
  ['LABEL=X:', undefined],
  ['LABEL=X:/', undefined],
  ['LABEL=X:oem', undefined],
  ['LABEL=X:/a/../..', undefined],
  ['sda1:/oem', undefined],
])('volume %j', (text, expected) => {
  expect(parseVolume(text)).toEqual(expected);
});

test('what isn’t understood is reported, and the rest holds', () => {
  const found = settings('VOLUMES="oem LABEL=A:/a"\nRW_PATHS="etc /var /a,b"\nOVERLAY=ramdisk', 'rd.cos.mount=x');
  expect(found.volumes).toEqual([{ device: 'LABEL=A', mountPoint: '/a' }]);
  expect(found.rwPaths).toEqual(['/var']);
  expect(found.problems).toEqual([
    'RW_PATHS: etc is not an absolute path below / without any of : , \\',
    'RW_PATHS: /a,b is not an absolute path below / without any of : , \\',
    'VOLUMES: oem is not DEVICE:/MOUNTPOINT',
    'rd.cos.mount: x is not DEVICE:/MOUNTPOINT',
    'OVERLAY: ramdisk is neither tmpfs:SIZE nor a device; tmpfs:20% is used',
  ]);
});

test('later files win variable by variable, and unknown variables are noticed', () => {
  const environments = [
    { name: 'cos', text: 'RW_PATHS=/etc\nPERSISTENT_STATE_PATHS=/a' },
    { name: 'elemental', text: 'RW_PATHS=/var\nRWPATHS=/x' },
    { name: 'extra', text: 'CUSTOM_BIND_MOUNTS="/b /a"' },
  ];
  const found = readLayoutSettings({ environments, problems: ['unreadable'] }, readLayoutArguments(''));
  expect(found.rwPaths).toEqual(['/var']);
  expect(found.statePaths).toEqual([
    { path: '/a', mode: 'overlay' },
    { path: '/b', mode: 'bind' },
  ]);
  expect(found.problems).toEqual(['unreadable', 'elemental: RWPATHS is no variable of the layout']);
});

test('two volumes for one place: the first is taken, and the other noticed', () => {
  const found = settings('VOLUMES="LABEL=A:/a LABEL=A:/a LABEL=B:/a"');
  expect(found.volumes).toEqual([{ device: 'LABEL=A', mountPoint: '/a' }]);
  expect(found.problems).toEqual(['VOLUMES: LABEL=B is left out, LABEL=A has /a']);
});

test.each(['tmpfs:0', 'tmpfs:0%', 'tmpfs:-1', 'tmpfs:5x', '/dev/../etc', 'LABEL=a\u0007'])(
  'OVERLAY=%j is refused',
  (text) => {
    const found = settings(`OVERLAY='${text}'`);
    expect(found.overlayBase).toEqual({ type: 'tmpfs', size: '20%' });
    expect(found.problems).toHaveLength(1);
  },
);
