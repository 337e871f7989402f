// The mount section of Elemental's configuration, as settings of ours.

import { expect, test } from 'vitest';
import { readLayoutArguments } from '../../../src/boot/command-line.ts';
import { readElementalLayout } from '../../../src/boot/elemental-layout.ts';
import { readLayoutSettings } from '../../../src/boot/layout-settings.ts';

/** Elemental's documented layout, with the volumes of its own installer. */
const CONFIG = `
mount:
  write-fstab: true
  selinux-relabel: false
  extra-volumes:
    - {mountpoint: /oem, device: PARTLABEL=oem, options: [rw, defaults]}
    - {mountpoint: /run/elemental/efi, device: PARTLABEL=efi, fs: vfat, options: ["ro,noatime"]}
  ephemeral: {type: tmpfs, size: 30%, paths: [/var, /etc, /srv]}
  persistent:
    mode: bind
    paths: [/etc/ssh, /home, ""]
    volume: {mountpoint: /run/elemental/persistent, device: PARTLABEL=persistent}
`;
const read = (...texts: string[]) => readElementalLayout(texts.map((text, index) => ({ name: `${index}.yaml`, text })));
const settings = (env: string, commandLine: string, texts: readonly string[], recovery = false) => {
  const elemental = read(...texts);
  const environments = [{ name: 'env', text: env }];
  return readLayoutSettings(
    { environments, recovery, ...(elemental && { elemental }) },
    readLayoutArguments(commandLine),
  );
};

test('everything that is written counts', () => {
  expect(settings('', '', [CONFIG])).toEqual({
    debugRw: false,
    volumes: [
      { device: 'PARTLABEL=persistent', mountPoint: '/run/elemental/persistent' },
      { device: 'PARTLABEL=oem', mountPoint: '/oem', options: ['rw', 'defaults'] },
      { device: 'PARTLABEL=efi', mountPoint: '/run/elemental/efi', type: 'vfat', options: ['ro', 'noatime'] },
    ],
    overlayBase: { type: 'tmpfs', size: '30%' },
    rwPaths: ['/var', '/etc', '/srv'],
    rwPathsAsked: true,
    statePaths: [
      { path: '/etc/ssh', mode: 'bind' },
      { path: '/home', mode: 'bind' },
    ],
    stateTarget: '/run/elemental/persistent/.state',
    writeFstab: true,
    relabel: false,
    problems: [],
  });
});

test('cOS’s variables and the command line say otherwise', () => {
  const env =
    'RW_PATHS=/opt\nOVERLAY=tmpfs:5m\nPERSISTENT_STATE_BIND=false\nVOLUMES=LABEL=A:/oem\nPERSISTENT_STATE_TARGET=/x';
  const found = settings(env, 'rd.cos.mount=LABEL=B:/run/elemental/efi', [CONFIG]);
  expect(found.rwPaths).toEqual(['/opt']);
  expect(found.overlayBase).toEqual({ type: 'tmpfs', size: '5m' });
  expect(found.statePaths.map(({ mode }) => mode)).toEqual(['overlay', 'overlay']);
  expect(found.stateTarget).toBe('/x');
  expect(found.volumes.map(({ device, mountPoint }) => `${device}:${mountPoint}`)).toEqual([
    'LABEL=A:/oem',
    'LABEL=B:/run/elemental/efi',
    'PARTLABEL=persistent:/run/elemental/persistent',
  ]);
});

test.each([
  ['a mode file', '', true],
  ['the command line', 'elemental.mode=recovery', false],
])('in the recovery system (%s) nothing is persistent', (_, commandLine, recovery) => {
  const found = settings('', commandLine, [CONFIG], recovery);
  expect(found.statePaths).toEqual([]);
  expect(found.volumes.map(({ mountPoint }) => mountPoint)).toEqual(['/oem', '/run/elemental/efi']);
});

test('elemental.oemlabel takes the place of the volume at /oem', () => {
  expect(settings('', 'elemental.oemlabel=MINE', [CONFIG]).volumes[0]).toEqual({
    device: 'LABEL=MINE',
    mountPoint: '/oem',
  });
});

test('later files win key by key, lists as a whole', () => {
  const found = settings('', '', [CONFIG, 'mount: {ephemeral: {paths: [/opt]}}', 'mount: {ephemeral: {size: 1g}}']);
  expect(found.rwPaths).toEqual(['/opt']);
  expect(found.overlayBase).toEqual({ type: 'tmpfs', size: '1g' });
  expect(found.statePaths.length).toBe(2);
});

test('a block device as base', () => {
  expect(settings('', '', ['mount: {ephemeral: {type: block, device: LABEL=S}}']).overlayBase).toEqual({
    type: 'device',
    device: 'LABEL=S',
  });
});

test.each(['', 'install: {target: /dev/sda}\n', 'mount:\n', '# nothing'])('%j has no layout', (text) => {
  expect(read(text)).toBeUndefined();
});

test('disable', () => {
  expect(read('mount: {disable: true}')?.disabled).toBe(true);
});

test.each([
  ['mount: [1]', '0.yaml: mount is not a mapping'],
  ['mount: {epehmeral: {}}', 'mount: epehmeral is no key of this section'],
  ['mount: {persistent: {volume: {mountpoint: /x}}}', 'mount.persistent.volume: a volume needs a device'],
  ['mount: {persistent: {mode: copy}}', 'mount.persistent.mode: copy is neither overlay nor bind'],
  ['mount: {ephemeral: {paths: /etc}}', 'mount.ephemeral: paths is not a list of texts'],
  ['mount: {ephemeral: {type: disk}}', 'mount.ephemeral: type disk is neither tmpfs nor block'],
  ['mount: {extra-volumes: {a: 1}}', 'mount: extra-volumes is not a list of mappings'],
  ['mount: {disable: maybe}', 'mount: disable is neither true nor false'],
  ['mount: {ephemeral: {paths: ["../x"]}}', 'mount.ephemeral.paths: ../x is not an absolute path'],
  [
    'mount: {extra-volumes: [{device: LABEL=A, mountpoint: /a, options: ["x y"]}]}',
    'mount.extra-volumes[0]: options with',
  ],
  ['mount: {', '0.yaml: '],
  ['a: &a [x]\nmount: {ephemeral: {paths: *a}}', '0.yaml: '],
])('%j is noticed: %s', (text, problem) => {
  const problems = read(text)?.problems ?? [];
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(problem);
});
