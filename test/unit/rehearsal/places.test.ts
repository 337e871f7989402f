// What a rehearsed system may write to and what it sees of the machine, decided from the record of the machine's own boot.

import { describe, expect, test } from 'vitest';
import type { LayoutMount, LayoutRecord } from '../../../src/boot/layout-record.ts';
import { planPlaces, rehearsalCommandLine } from '../../../src/rehearsal/places.ts';

const layout = (mounts: readonly LayoutMount[]): LayoutRecord => ({
  version: 1,
  outcome: 'ok',
  notices: [],
  mounts,
  durationMs: 1,
});
const nothing = { layout: undefined, oem: undefined, persistent: undefined };

describe('places of a rehearsed system', () => {
  test('without a layout, the directories that are usually writable are', () => {
    const places = planPlaces(nothing);
    expect(places.map(({ path }) => path)).toEqual(['/etc', '/home', '/opt', '/root', '/srv', '/usr/local', '/var']);
    expect(new Set(places.map(({ kind }) => kind))).toEqual(new Set(['writable']));
  });

  test('what this machine keeps is shown as a copy, in place of an empty directory', () => {
    const places = planPlaces({ layout: undefined, oem: '/run/work/oem', persistent: '/usr/local' });
    expect(places.find(({ path }) => path === '/oem')).toEqual({ kind: 'copy', from: '/run/work/oem', path: '/oem' });
    expect(places.filter(({ path }) => path === '/usr/local')).toEqual([
      { kind: 'copy', from: '/usr/local', path: '/usr/local' },
    ]);
  });

  test('what hooks wrote for the new system lies over what this machine has', () => {
    const written = { oem: '/state/planned/oem/upper' };
    const places = planPlaces({ layout: undefined, oem: '/oem', persistent: '/usr/local', written });
    expect(places.filter(({ kind }) => kind === 'copy')).toEqual([
      { kind: 'copy', from: '/state/planned/oem/upper:/oem', path: '/oem' },
      { kind: 'copy', from: '/usr/local', path: '/usr/local' },
    ]);
  });

  test.each<[string, LayoutMount, unknown]>([
    [
      'an ephemeral overlay is the new system’s own directory',
      { path: '/etc', kind: 'overlay', source: 'overlay', persistent: false },
      { kind: 'writable', path: '/etc' },
    ],
    [
      'a volume is a copy',
      { path: '/data', kind: 'volume', source: '/dev/vdb1', persistent: true },
      { kind: 'copy', from: '/data', path: '/data' },
    ],
    [
      'a directory that is bound from a volume is bound from its copy',
      {
        path: '/etc/ssh',
        kind: 'state-bind',
        source: '/x',
        keptIn: '/usr/local/.state/etc-ssh.bind',
        persistent: true,
      },
      { kind: 'kept', from: '/usr/local/.state/etc-ssh.bind', path: '/etc/ssh' },
    ],
    [
      'changes that are kept lie over the new system’s directory',
      {
        path: '/var/log',
        kind: 'state-overlay',
        source: 'overlay',
        keptIn: '/usr/local/.state/var-log.overlay',
        persistent: true,
      },
      { kind: 'kept-changes', from: '/usr/local/.state/var-log.overlay/upper', path: '/var/log' },
    ],
  ])('%s', (_, mount, expected) => {
    const places = planPlaces({ ...nothing, layout: layout([mount]) });
    expect(places).toContainEqual(expected);
  });

  test('what a container has anew, the base of overlays and the root are left out', () => {
    const mounts: LayoutMount[] = [
      { path: '/run/overlay', kind: 'base', source: 'tmpfs', persistent: false },
      { path: '/tmp', kind: 'tmpfs', source: 'tmpfs', persistent: false },
      { path: '/', kind: 'found', source: '/dev/loop0', persistent: true },
      { path: '/etc', kind: 'overlay', source: 'overlay', persistent: false },
    ];
    expect(planPlaces({ ...nothing, layout: layout(mounts) })).toEqual([{ kind: 'writable', path: '/etc' }]);
  });

  test('a directory comes before what is mounted in it', () => {
    const mounts: LayoutMount[] = [
      { path: '/etc/ssh', kind: 'state-bind', source: 'x', keptIn: '/usr/local/.state/a.bind', persistent: true },
      { path: '/etc', kind: 'overlay', source: 'overlay', persistent: false },
    ];
    const paths = planPlaces({ ...nothing, layout: layout(mounts), persistent: '/usr/local' }).map(({ path }) => path);
    expect(paths.indexOf('/etc')).toBeLessThan(paths.indexOf('/etc/ssh'));
  });
});

test('the rehearsed system finds this machine’s kernel arguments, without those of a trial or an overlay', () => {
  const running =
    'BOOT_IMAGE=(loop0)/boot/vmlinuz root=LABEL=COS_STATE cos-img/filename=/cOS/passive.img console=ttyS0 holdfast.slot=old holdfast.assess=trial rd.live.overlay=/dev/sdb:/x upgrade_failure quiet\n';
  expect(rehearsalCommandLine(running, { uuid: 'new' })).toBe(
    'root=LABEL=COS_STATE console=ttyS0 quiet cos-img/filename=/cOS/active.img holdfast.slot=new',
  );
});
