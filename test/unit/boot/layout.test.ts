// The plan of the mount layout: order, fallbacks and fstab lines.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readLayoutArguments } from '../../../src/boot/command-line.ts';
import { comparePaths, renderFstab } from '../../../src/boot/fstab.ts';
import { type LayoutFound, planLayout } from '../../../src/boot/layout.ts';
import { readLayoutSettings } from '../../../src/boot/layout-settings.ts';

const OEM = { path: '/dev/vda2', stableName: '/dev/disk/by-label/COS_OEM' };
const PERSISTENT = { path: '/dev/vda5', stableName: '/dev/disk/by-label/COS_PERSISTENT' };
const COMMAND_LINE = 'rd.cos.mount=LABEL=COS_OEM:/oem rd.cos.mount=LABEL=COS_PERSISTENT:/usr/local';
const IMAGE = ['/etc', '/root', '/home', '/opt', '/srv', '/usr/local', '/var', '/oem', '/tmp'];

/** A healthy machine, with one thing changed by each test. */
const found = (changes: Partial<LayoutFound> = {}): LayoutFound => ({
  rootSource: '/dev/loop0',
  rootType: 'ext4',
  devices: new Map([
    ['LABEL=COS_OEM', OEM],
    ['LABEL=COS_PERSISTENT', PERSISTENT],
  ]),
  directories: new Set(IMAGE),
  mounted: new Set(),
  overlayDirectory: '/run/overlay',
  ...changes,
});
const plan = (env: string | undefined, changes: Partial<LayoutFound> = {}, commandLine = COMMAND_LINE) => {
  const { actions, notices } = planLayout(readLayoutSettings(env, readLayoutArguments(commandLine)), found(changes));
  return { steps: actions.map(({ summary }) => summary), actions, notices };
};

test('the default layout of an active slot', () => {
  const { steps, notices } = plan('OVERLAY=tmpfs:25%');
  expect(steps).toEqual([
    'Mount a tmpfs of 25% for ephemeral changes',
    'Mount LABEL=COS_PERSISTENT (/dev/vda5) at /usr/local',
    'Make /etc writable with an overlay on /run/overlay',
    'Make /home writable with an overlay on /run/overlay',
    'Mount LABEL=COS_OEM (/dev/vda2) at /oem',
    'Make /opt writable with an overlay on /run/overlay',
    'Make /root writable with an overlay on /run/overlay',
    'Make /srv writable with an overlay on /run/overlay',
    'Make /var writable with an overlay on /run/overlay',
    'Mount a tmpfs at /tmp',
    'Write /etc/fstab',
  ]);
  expect(notices).toEqual([]);
});

describe('fallbacks', () => {
  test('a missing volume leaves its place writable until the next boot', () => {
    const { steps, notices } = plan('', { devices: new Map([['LABEL=COS_OEM', OEM]]) });
    expect(steps).toContain(
      'Make /usr/local writable with an overlay on /run/overlay in place of LABEL=COS_PERSISTENT',
    );
    expect(notices).toEqual(['LABEL=COS_PERSISTENT was not found; /usr/local is not kept over a reboot']);
  });

  test('persistent paths without their volume are ephemeral', () => {
    const { steps, notices } = plan('PERSISTENT_STATE_PATHS="/var /etc/ssh"', { devices: new Map() });
    expect(steps.filter((step) => step.includes('/var '))).toEqual([
      'Make /var writable with an overlay on /run/overlay',
    ]);
    expect(notices).toContain('/var is not persistent: no volume is mounted for /usr/local/.state');
  });

  test('a missing device for ephemeral changes is replaced by memory', () => {
    const { steps, notices } = plan('OVERLAY=LABEL=SCRATCH');
    expect(steps[0]).toBe('Mount a tmpfs of 20% for ephemeral changes');
    expect(notices).toEqual(['LABEL=SCRATCH was not found; ephemeral changes are kept in memory']);
  });

  test('a place that the image lacks can’t be made on a read-only root', () => {
    const { steps, notices } = plan('RW_PATHS="/etc /data /etc/deep/er"');
    expect(notices).toEqual(['/data is not mounted: the image has no such directory']);
    expect(steps).toContain('Make /etc/deep/er writable with an overlay on /run/overlay');
  });
});

describe('persistent paths', () => {
  test('come after the volume that keeps them', () => {
    const { actions } = plan('PERSISTENT_STATE_PATHS="/var/lib/x /etc/ssh"', {
      directories: new Set([...IMAGE, '/etc/ssh', '/var/lib/x']),
    });
    const order = actions.map((action) =>
      action.kind === 'mount-overlay' ? `${action.path} on ${action.base}` : action.kind,
    );
    expect(order.slice(0, 2)).toEqual(['mount-base', 'mount-volume']);
    expect(order.slice(-4)).toEqual([
      '/etc/ssh on /usr/local/.state',
      '/var/lib/x on /usr/local/.state',
      'mount-tmp',
      'write-fstab',
    ]);
  });

  test('win over the same path among the ephemeral ones (the original leaves it ephemeral)', () => {
    const { steps } = plan('PERSISTENT_STATE_PATHS=/home');
    expect(steps.filter((step) => step.includes('/home '))).toEqual([
      'Make /home writable with an overlay on /usr/local/.state',
    ]);
  });

  test('can’t contain the place where they would be kept', () => {
    const { notices } = plan('PERSISTENT_STATE_PATHS=/usr', { directories: new Set([...IMAGE, '/usr']) });
    expect(notices).toEqual(['/usr is not persistent: it contains /usr/local/.state, where it would be kept']);
  });

  test('may be bind mounts', () => {
    const { actions } = plan('PERSISTENT_STATE_PATHS=/etc/ssh\nPERSISTENT_STATE_BIND=true');
    expect(actions).toContainEqual({
      kind: 'bind-state',
      summary: 'Keep /etc/ssh in /usr/local/.state/etc-ssh.bind',
      path: '/etc/ssh',
      directory: '/usr/local/.state/etc-ssh.bind',
    });
  });
});

test('live media are writable already: only volumes are mounted', () => {
  const { steps } = plan('', { rootType: 'overlay' });
  expect(steps).toEqual([
    'Mount LABEL=COS_PERSISTENT (/dev/vda5) at /usr/local',
    'Mount LABEL=COS_OEM (/dev/vda2) at /oem',
    'Write /etc/fstab',
  ]);
});

test('what is mounted already is left alone', () => {
  const { steps } = plan('RW_PATHS=', { mounted: new Set(['/oem', '/tmp']) });
  expect(steps).toEqual([
    'Mount a tmpfs of 20% for ephemeral changes',
    'Mount LABEL=COS_PERSISTENT (/dev/vda5) at /usr/local',
    'Write /etc/fstab',
  ]);
});

test('no mount comes before the one that it lies in, whatever is asked for', () => {
  const name = fc.constantFrom('a', 'b', 'c-d', 'e');
  const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join('/')}`);
  fc.assert(
    fc.property(fc.array(path), fc.array(path), fc.array(path), (rw, volumes, state) => {
      const env = [
        `RW_PATHS="${rw.join(' ')}"`,
        `VOLUMES="${volumes.map((at) => `LABEL=X:${at}`).join(' ')} LABEL=P:/usr/local"`,
        `PERSISTENT_STATE_PATHS="${state.join(' ')}"`,
      ].join('\n');
      const all = new Set([...rw, ...volumes, ...state, '/usr/local']);
      const device = { path: '/dev/x', stableName: '/dev/x' };
      const devices = new Map([['LABEL=X', device] as const, ['LABEL=P', device] as const]);
      const { actions, notices } = plan(env, { directories: all, devices }, '');
      const places = actions.flatMap((action) =>
        'path' in action ? action.path : action.kind === 'mount-volume' ? action.entry.mountPoint : [],
      );
      expect(notices).toEqual([]);
      expect(new Set(places)).toEqual(all);
      expect(places.length).toBe(all.size);
      for (const [index, at] of places.entries()) {
        for (const later of places.slice(index + 1)) expect(at.startsWith(`${later}/`)).toBe(false);
      }
    }),
  );
});

test('fstab has six fields in each line, parents first, blanks escaped', () => {
  const text = renderFstab([
    { source: '/dev/disk/by-label/A\\x20B', mountPoint: '/a/b c', type: 'auto', options: ['defaults'] },
    { source: '/dev/loop0', mountPoint: '/', type: 'auto', options: ['ro'] },
    { source: 'tmpfs', mountPoint: '/tmp', type: 'tmpfs', options: [] },
  ]);
  expect(text.split('\n')).toEqual([
    '# Written at each boot by holdfast mount.',
    '/dev/loop0 / auto ro 0 0',
    'tmpfs /tmp tmpfs defaults 0 0',
    '/dev/disk/by-label/A\\134x20B /a/b\\040c auto defaults 0 0',
    '',
  ]);
});

test('paths are ordered by depth, then by text', () => {
  expect(['/usr/local', '/usr-x', '/a/b', '/', '/a-b'].sort(comparePaths)).toEqual([
    '/',
    '/a-b',
    '/usr-x',
    '/a/b',
    '/usr/local',
  ]);
});
