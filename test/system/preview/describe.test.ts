// The plan of a real upgrade, from what was really built: what changes in packages, units, arguments and /etc, and who makes
// it so; and that it is the whole difference, compared with another program's eyes.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { applyPlanned, planAhead } from '../../../src/lifecycle/planned-upgrade.ts';
import { describePlan } from '../../../src/preview/describe.ts';
import { type PlanDocument, planDocumentSchema } from '../../../src/preview/document.ts';
import { planPage } from '../../../src/preview/page.ts';
import { planText } from '../../../src/preview/text.ts';
import { SLOT_FILES } from '../../../src/slots/names.ts';
import { attachLoop } from '../../../src/system/loopdevices.ts';
import { mount, unmount } from '../../../src/system/mounts.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import type { DiskImage } from '../lifecycle/disk-image.ts';
import { ALL_LABELS, InstalledDisk, LATER, NOW } from '../lifecycle/installed-disk.ts';

let installed: InstalledDisk;
let disk: DiskImage;
let document: PlanDocument;

const dpkg = (packages: Readonly<Record<string, string>>) =>
  Object.entries(packages)
    .map(
      ([name, version]) => `Package: ${name}\nStatus: install ok installed\nArchitecture: all\nVersion: ${version}\n`,
    )
    .join('\n');
const UNIT = '[Service]\nExecStart=/bin/true\n';

const V1 = {
  'var/lib/dpkg/status': dpkg({ alpha: '1:1.0-1', beta: '2.0~rc1', gone: '5' }),
  'usr/lib/systemd/system/app.service': UNIT,
  'usr/lib/systemd/system/old.service': UNIT,
  'etc/systemd/system/multi-user.target.wants/old.service': { link: '/usr/lib/systemd/system/old.service' },
  'etc/app.conf': 'one\ntwo\nthree\n',
  'etc/both.conf': 'image 1\n',
  'etc/quiet.conf': 'same\n',
  'etc/secret.key': 'first key\n',
};
const V2 = {
  'var/lib/dpkg/status': dpkg({ alpha: '1:1.0-2', beta: '2.0', fresh: '1' }),
  'usr/lib/systemd/system/app.service': `${UNIT}Restart=always\n`,
  'usr/lib/systemd/system/old.service': undefined,
  'etc/systemd/system/multi-user.target.wants/old.service': undefined,
  'usr/lib/systemd/system/new.service': UNIT,
  'etc/systemd/system/multi-user.target.wants/new.service': { link: '/usr/lib/systemd/system/new.service' },
  'etc/app.conf': 'one\n2\nthree\n',
  'etc/both.conf': 'image 2\n',
  'etc/secret.key': 'second key\n',
  'etc/cos/bootargs.cfg':
    'set kernel=/boot/vmlinuz\nset initramfs=/boot/initrd\nset kernelcmd="root=LABEL=COS_STATE quiet"\n',
  'boot/vmlinuz': 'another kernel',
  'lib/modules/6.1.0/modules.dep': '',
};
const OWN = `stages:
  after-upgrade-chroot:
    - name: ours
      files:
        - path: /etc/both.conf
          content: ours
          permissions: 0644
    - name: by command
      commands:
        - "echo 3 > /etc/by-command; echo x > /usr/local/of-hook"
    - name: not here
      if: "[ -e /no/such/file ]"
      commands: ["false"]
  post-upgrade:
    - name: later
      commands: ["true"]
`;

beforeAll(async () => {
  installed = await InstalledDisk.create({ v1: V1, v2: V2 });
  disk = installed.original;
  await disk.withMounted('COS_OEM', (oem) => writeFileSync(join(oem, '90_own.yaml'), OWN), { writable: true });
  const image = await installed.open('v2');
  const result = await disk.withPartitions(ALL_LABELS, () =>
    planAhead({ image, strictness: 'chroot', force: false }, { command: 'test', now: NOW }, describePlan),
  );
  document = planDocumentSchema.parse(result.document);
  if (process.env.HOLDFAST_TEST_PAGE !== undefined) {
    writeFileSync(process.env.HOLDFAST_TEST_PAGE, planPage(document));
    writeFileSync(`${process.env.HOLDFAST_TEST_PAGE}.json`, JSON.stringify(document));
    process.stdout.write(`${planText(document).join('\n')}\n\n${planText(document, { verbose: true }).join('\n')}\n`);
  }
});
afterAll(() => installed?.remove());

test('packages go up, come and go by the rules of their manager', () => {
  expect(document.packages).toEqual({
    manager: 'dpkg',
    changes: [
      { name: 'alpha', from: '1:1.0-1', to: '1:1.0-2', change: 'upgraded' },
      { name: 'beta', from: '2.0~rc1', to: '2.0', change: 'upgraded' },
      { name: 'fresh', to: '1', change: 'added' },
      { name: 'gone', from: '5', change: 'removed' },
    ],
  });
});

test('kernel, arguments and units are told', () => {
  expect(document.kernel).toMatchObject({
    from: [],
    to: ['6.1.0'],
    imageChanged: true,
    initramfsChanged: false,
    arguments: { added: ['quiet'], removed: [] },
  });
  expect(document.units.map(({ name, change, wantedBy }) => [name, change, wantedBy])).toEqual([
    ['app.service', 'changed', undefined],
    ['new.service', 'added', undefined],
    ['new.service', 'enabled', 'multi-user.target'],
    ['old.service', 'disabled', 'multi-user.target'],
    ['old.service', 'removed', undefined],
  ]);
});

test('each file of /etc has its difference, and whose word counts', () => {
  const byPath = new Map(document.etc.files.map((file) => [file.path, file]));
  expect(byPath.get('/etc/app.conf')).toMatchObject({
    change: 'changed',
    winner: 'image',
    because: 'the image changed it',
    hunks: ['@@ -1,3 +1,3 @@', ' one', '-two', '+2', ' three'],
  });
  expect(byPath.get('/etc/both.conf')).toMatchObject({
    winner: 'stage-file',
    because: 'a stage file makes it so; the image changed it, too, and loses',
    step: { file: '/oem/90_own.yaml', line: 3, name: 'ours' },
  });
  expect(byPath.get('/etc/by-command')).toMatchObject({
    change: 'added',
    winner: 'stage-file',
    step: { name: 'by command' },
    hunks: ['@@ -0,0 +1 @@', '+3'],
  });
  expect(byPath.get('/etc/secret.key')).toMatchObject({ hidden: 'it holds secrets' });
  expect(byPath.get('/etc/secret.key')).not.toHaveProperty('hunks');
  expect(byPath.has('/etc/quiet.conf')).toBe(false);
  expect(JSON.stringify(document)).not.toContain('second key');
});

test('steps that ran, that were left out and that will run have their place', () => {
  const [inSystem, ...onMachine] = document.stages;
  expect(inSystem?.steps.map(({ name, outcome }) => [name, outcome])).toEqual([
    ['ours', 'ran'],
    ['by command', 'ran'],
    ['not here', 'skipped'],
  ]);
  expect(onMachine.map(({ hook }) => hook)).toEqual(['before-upgrade', 'after-upgrade', 'post-upgrade']);
  expect(document.writes).toEqual([
    { partition: 'persistent', path: '/usr/local/of-hook', what: 'written', own: false },
  ]);
});

test('costs are what was counted', () => {
  const { cost } = document;
  expect(cost.fetchedBytes).toBeGreaterThan(0);
  expect(cost.toFetchBytes).toBe(0);
  expect(cost.planning).toMatchObject({ basis: 'measured' });
  const [state] = cost.filesystems;
  expect(state?.name).toBe('COS_STATE');
  expect(state?.peakBytes).toBeGreaterThanOrEqual(state?.heldBytes ?? 0);
  expect((state?.freeBytes ?? 0) + (state?.heldBytes ?? 0)).toBeLessThanOrEqual(state?.sizeBytes ?? 0);
});

test('the list of paths is the difference of the trees as find and sha256sum see them, before and after it was applied', async () => {
  const before = await eyes(disk, 'active');
  const planned = await eyes(disk, 'planned');
  await disk.withPartitions(ALL_LABELS, () => applyPlanned({ id: document.id }, { command: 'test', now: LATER }));
  const after = await eyes(disk, 'active');
  expect(after).toEqual(planned);
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort();
  const seen = paths.filter((path) => before.get(path) !== after.get(path));
  expect(document.files.paths.map(({ path }) => path).sort()).toEqual(seen);
  expect(document.files.omitted).toBe(0);
  for (const { path, change, after: told } of document.files.paths) {
    expect([path, change]).toEqual([path, before.has(path) ? (after.has(path) ? 'changed' : 'removed') : 'added']);
    const [type, mode, owner, size, content] = after.get(path)?.split(' ') ?? [];
    if (told === undefined) continue;
    expect([path, told.mode, told.owner]).toEqual([path, mode?.padStart(4, '0'), owner]);
    if (type === 'f') expect([path, told.sizeBytes, told.sha256 ?? content]).toEqual([path, Number(size), content]);
    if (type === 'l') expect([path, told.link]).toEqual([path, content]);
  }
});

/** Path → type, mode, owner, size, content, time, without times of directories and links. */
function eyes(on: DiskImage, slot: 'active' | 'planned'): Promise<Map<string, string>> {
  return on.withMounted('COS_STATE', async (state) => {
    const undo = new UndoStack();
    const at = join(on.directory, slot);
    mkdirSync(at, { recursive: true });
    const file = join(state, slot === 'active' ? SLOT_FILES.active : 'cOS/planned.img');
    const { device } = await attachLoop(undo, file, { readOnly: true });
    await mount(device, at, { type: 'ext4', options: ['ro', 'noload'] });
    try {
      const list = execFileSync('find', ['.', '-printf', '/%P\\t%y %m %U:%G %s\\t%T@\\t%l\\n'], {
        cwd: at,
        encoding: 'utf8',
      });
      const sums = execFileSync('sh', ['-c', 'find . -type f -print0 | xargs -0 sha256sum'], {
        cwd: at,
        encoding: 'utf8',
      });
      const contents = new Map(
        sums
          .trim()
          .split('\n')
          .map((line) => [line.slice(67), line.slice(0, 64)]),
      );
      return new Map(
        list
          .trim()
          .split('\n')
          .map((line) => {
            const [path = '', head = '', time = '', link = ''] = line.split('\t');
            const [type] = head;
            if (type === 'd') return [path, head.replace(/ \d+$/, '')];
            return [path, `${head} ${type === 'l' ? link : contents.get(path)} ${time}`];
          }),
      );
    } finally {
      await unmount(at);
      await undo.unwind(false);
    }
  });
}
