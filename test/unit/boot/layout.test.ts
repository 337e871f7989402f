// The plan of the mount layout: order, fallbacks and fstab lines.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readLayoutArguments } from '../../../src/boot/command-line.ts';
import { comparePaths, entryOfMount, renderFstab } from '../../../src/boot/fstab.ts';
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
  rootReadOnly: true,
  rootOverlay: undefined,
  devices: new Map([
    ['LABEL=COS_OEM', OEM],
    ['LABEL=COS_PERSISTENT', PERSISTENT],
  ]),
  realPaths: new Map(),
  directories: new Set(IMAGE),
  occupied: new Set(),
  mounted: new Map(),
  overlayDirectory: '/run/overlay',
  ...changes,
});
const plan = (env: string | undefined, changes: Partial<LayoutFound> = {}, commandLine = COMMAND_LINE) => {
  const environments = env === undefined ? [] : [{ name: 'cos-layout.env', text: env }];
  const settings = readLayoutSettings({ environments }, readLayoutArguments(commandLine));
  const { actions, notices } = planLayout(settings, found(changes));
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
    'List what systemd has to label for SELinux',
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
    // Inside of a writable place a directory is enough.
    expect(steps).toContain('Make the directory /etc/deep/er');
  });
});

describe('persistent paths', () => {
  test('come after the volume that keeps them', () => {
    const { actions } = plan('PERSISTENT_STATE_PATHS="/var/lib/x /etc/ssh"', {
      directories: new Set([...IMAGE, '/etc/ssh', '/var/lib/x']),
    });
    const order = actions.map((action) =>
      action.kind === 'mount-overlay' && action.persistent ? `${action.path} is kept` : action.kind,
    );
    expect(order.slice(0, 2)).toEqual(['mount-base', 'mount-volume']);
    expect(order.slice(-5)).toEqual([
      '/etc/ssh is kept',
      '/var/lib/x is kept',
      'mount-tmp',
      'write-fstab',
      'list-for-relabel',
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
      requires: '/usr/local',
      ephemeral: 'etc-ssh',
    });
  });
});

test('live media are writable already: only volumes are mounted', () => {
  const { steps } = plan('', { rootType: 'overlay' });
  expect(steps).toEqual([
    'Mount LABEL=COS_PERSISTENT (/dev/vda5) at /usr/local',
    'Mount LABEL=COS_OEM (/dev/vda2) at /oem',
    'Write /etc/fstab',
    'List what systemd has to label for SELinux',
  ]);
});

const there = (mountPoint: string) =>
  [mountPoint, { source: '/dev/x', mountPoint, type: 'ext4', options: ['rw'] }] as const;

test('what is mounted already is left alone', () => {
  const { steps } = plan('RW_PATHS=', { mounted: new Map([there('/oem'), there('/tmp')]) });
  expect(steps).toEqual([
    'Mount a tmpfs of 20% for ephemeral changes',
    'Mount LABEL=COS_PERSISTENT (/dev/vda5) at /usr/local',
    'Write /etc/fstab',
    'List what systemd has to label for SELinux',
  ]);
});

describe('whatever is asked for', () => {
  const name = fc.constantFrom('a', 'b', 'c-d', 'c', 'd', 'e');
  const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join('/')}`);
  const paths = fc.uniqueArray(path, { maxLength: 8 });
  const asked = fc.record({
    rw: paths,
    volumes: paths,
    state: paths,
    /** What the image has. */
    directories: paths,
    /** Links of the image; they lead to one of its paths. */
    links: fc.array(fc.tuple(path, path), { maxLength: 3 }),
    mounted: fc.array(path, { maxLength: 2 }),
    bind: fc.boolean(),
    live: fc.boolean(),
    hasKeeper: fc.boolean(),
  });
  const planOf = (wish: typeof asked extends fc.Arbitrary<infer T> ? T : never) => {
    const env = [
      `RW_PATHS="${wish.rw.join(' ')}"`,
      `VOLUMES="${wish.volumes.map((at) => `LABEL=X:${at}`).join(' ')} LABEL=P:/usr/local"`,
      `PERSISTENT_STATE_PATHS="${wish.state.join(' ')}"`,
      `PERSISTENT_STATE_BIND=${wish.bind}`,
    ].join('\n');
    const device = { path: '/dev/x', stableName: '/dev/x' };
    const devices = new Map([['LABEL=X', device]]);
    if (wish.hasKeeper) devices.set('LABEL=P', device);
    return plan(
      env,
      {
        directories: new Set([...wish.directories, '/usr/local']),
        devices,
        realPaths: new Map(wish.links),
        mounted: new Map(wish.mounted.map(there)),
        ...(wish.live && { rootType: 'overlay' }),
      },
      '',
    );
  };
  const mountsOf = (actions: ReturnType<typeof plan>['actions']) =>
    actions.flatMap((action) => {
      if (action.kind === 'mount-overlay' || action.kind === 'bind-state') return action.path;
      return action.kind === 'mount-volume' || action.kind === 'mount-tmp' ? action.entry.mountPoint : [];
    });

  test('each place is mounted once, and after everything that it lies in', () => {
    fc.assert(
      fc.property(asked, (wish) => {
        const mounts = mountsOf(planOf(wish).actions);
        expect(new Set(mounts).size).toBe(mounts.length);
        for (const [index, at] of mounts.entries()) {
          expect(wish.mounted).not.toContain(at);
          for (const later of mounts.slice(index + 1)) expect(at.startsWith(`${later}/`)).toBe(false);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('each wish is mounted, inside of something writable, or has a notice', () => {
    fc.assert(
      fc.property(asked, (wish) => {
        const { actions, notices } = planOf(wish);
        const mounts = [...mountsOf(actions), ...wish.mounted];
        const real = new Map(wish.links);
        for (const at of [...wish.rw, ...wish.volumes, ...wish.state]) {
          const place = real.get(at) ?? at;
          const isThere = mounts.some((mount) => place === mount || place.startsWith(`${mount}/`));
          const isSaid = notices.some((text) => text.includes(at) || text.includes(place));
          expect(isThere || isSaid || wish.live).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('no two places share a directory on their base', () => {
    fc.assert(
      fc.property(asked, (wish) => {
        const kept = planOf(wish).actions.flatMap((action) => {
          if (action.kind === 'bind-state') return action.directory;
          return action.kind === 'mount-overlay' ? `${action.persistent} ${action.name}` : [];
        });
        expect(new Set(kept).size).toBe(kept.length);
      }),
      { numRuns: 1000 },
    );
  });

  test('a fallback never has the directory of another place', () => {
    fc.assert(
      fc.property(asked, (wish) => {
        const names = planOf(wish).actions.flatMap((action) => {
          if (action.kind === 'mount-overlay' && !action.persistent) return action.name;
          return 'ephemeral' in action && action.ephemeral !== undefined ? action.ephemeral : [];
        });
        expect(new Set(names).size).toBe(names.length);
      }),
      { numRuns: 1000 },
    );
  });
});

test('fstab has six fields and parents first, whatever the names hold', () => {
  const text = fc.string({ unit: fc.constantFrom('a', ' ', '\t', '\\', '#', '/', '\n', 'ä'), minLength: 1 });
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text)), (pairs) => {
      const entries = pairs.map(([source, at]) => {
        return { source, mountPoint: `/${at}`, type: 'auto', options: [] };
      });
      const lines = renderFstab(entries).trimEnd().split('\n').slice(1);
      expect(lines.length).toBe(entries.length);
      for (const line of lines) expect(line).toMatch(/^[^\s#]\S*( \S+){5}$/);
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

test('what is there already has a line that holds after the switch', () => {
  const common = { rootPath: '/', source: 'overlay', device: '0:1' };
  const overlay = {
    ...common,
    mountPoint: '/sysroot/etc',
    type: 'overlay',
    options: ['rw', 'relatime'],
    superOptions: ['rw', 'lowerdir=/sysroot/etc', 'upperdir=/sysroot/keep/u', 'workdir=/sysroot/keep/w'],
  };
  expect(entryOfMount(overlay, '/etc', '/sysroot').options).toEqual([
    'rw',
    'lowerdir=/etc',
    'upperdir=/keep/u',
    'workdir=/keep/w',
    'x-systemd.requires-mounts-for=/keep/u',
  ]);
  const disk = {
    ...common,
    mountPoint: '/sysroot/oem',
    source: '/dev/vda2',
    type: 'ext4',
    options: ['ro'],
    superOptions: [],
  };
  expect(renderFstab([entryOfMount(disk, '/oem', '/sysroot')])).toContain('\n/dev/vda2 /oem ext4 ro,nofail 0 0\n');
});

describe('names on the volume', () => {
  test('of two paths with one name the first is kept, and the other is ephemeral', () => {
    const { actions, notices } = plan('PERSISTENT_STATE_PATHS="/a-b /a/b"', {
      directories: new Set([...IMAGE, '/a-b', '/a/b']),
    });
    expect(notices).toEqual(['/a/b is not persistent: its place in /usr/local/.state is that of /a-b']);
    expect(actions.filter(({ kind }) => kind === 'mount-overlay').slice(-2)).toMatchObject([
      { path: '/var' },
      { path: '/a/b', name: 'a-b~', persistent: false },
    ]);
  });

  test('a path too long for a name is refused', () => {
    const long = `/${'x'.repeat(120)}/${'y'.repeat(120)}`;
    expect(plan(`RW_PATHS=${long}`).notices).toEqual([`${long} is not mounted: the path is too long`]);
  });
});

test('the innermost volume is the one that must be there for persistent paths', () => {
  const volumes = 'VOLUMES="LABEL=COS_PERSISTENT:/usr/local LABEL=INNER:/usr/local/.state"';
  const { notices } = plan(`${volumes}\nPERSISTENT_STATE_PATHS=/home`);
  expect(notices).toEqual([
    'LABEL=INNER was not found; /usr/local/.state is not kept over a reboot',
    '/home is not persistent: no volume is mounted for /usr/local/.state',
  ]);
});

test.each([
  ['DEBUG_RW=true', true, 'rw', 1],
  ['DEBUGRW=true', false, 'rw', 0],
  ['', true, 'ro', 0],
])('%j on a root that is read-only (%s): fstab says %s', (env, rootReadOnly, access, notices) => {
  const found = plan(env, { rootReadOnly });
  expect(found.notices.length).toBe(notices);
  expect(found.actions).toContainEqual(
    expect.objectContaining({
      kind: 'write-fstab',
      entries: [{ source: '/dev/loop0', mountPoint: '/', type: 'auto', options: [access] }],
    }),
  );
});

describe('a root that keeps its changes', () => {
  const OVERLAY = { rootSource: '/dev/mapper/live-rw', rootOverlay: 'kept' as const };

  test('becomes writable, and nothing is put over its directories but volumes and persistent paths', () => {
    const { steps, notices, actions } = plan('PERSISTENT_STATE_PATHS="/var/log"', OVERLAY);
    expect(steps).toEqual([
      'Make the root writable: an overlay keeps its changes',
      'Mount LABEL=COS_PERSISTENT (/dev/vda5) at /usr/local',
      'Mount LABEL=COS_OEM (/dev/vda2) at /oem',
      'Make /var/log writable with an overlay on /usr/local/.state',
      'Mount a tmpfs at /tmp',
      'Write /etc/fstab',
      'List what systemd has to label for SELinux',
    ]);
    expect(notices).toEqual([]);
    expect(actions).toContainEqual(
      expect.objectContaining({
        kind: 'write-fstab',
        entries: [{ source: '/dev/mapper/live-rw', mountPoint: '/', type: 'auto', options: ['rw'] }],
      }),
    );
  });

  test('or has them in memory, does not keep what a missing volume would have kept', () => {
    const { steps, notices } = plan('', {
      ...OVERLAY,
      rootOverlay: 'memory',
      devices: new Map([['LABEL=COS_OEM', OEM]]),
    });
    expect(steps[0]).toBe('Make the root writable: its changes go to memory');
    expect(notices).toEqual(['LABEL=COS_PERSISTENT was not found; /usr/local is not kept over a reboot']);
  });

  test('that is writable already is left so', () => {
    expect(plan('', { ...OVERLAY, rootReadOnly: false }).steps).not.toContain(
      'Make the root writable: an overlay keeps its changes',
    );
  });

  test('keeps what a missing volume would have kept', () => {
    const { steps, notices } = plan('PERSISTENT_STATE_PATHS=/home', { ...OVERLAY, devices: new Map() });
    expect(steps.join('\n')).not.toContain('/run/overlay');
    expect(notices).toEqual([
      'LABEL=COS_PERSISTENT was not found; /usr/local is kept in the root overlay',
      '/home is kept in the root overlay: no volume is mounted for /usr/local/.state',
      'LABEL=COS_OEM was not found; /oem is kept in the root overlay',
    ]);
  });
});
