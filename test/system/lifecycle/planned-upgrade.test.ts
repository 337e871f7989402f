// A plan on real disk images: what is built is kept and nothing else changes, not even what hooks write to /oem and
// /usr/local; applying switches to exactly that, without the image, or refuses and says why.

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rollback } from '../../../src/lifecycle/apply-rollback.ts';
import type { PlanMaterial } from '../../../src/lifecycle/planned-material.ts';
import { readPlanned } from '../../../src/lifecycle/planned-record.ts';
import { applyPlanned, discardPlan, planAhead } from '../../../src/lifecycle/planned-upgrade.ts';
import { slotId } from '../../../src/slots/identify.ts';
import { readState } from '../../../src/slots/state-file.ts';
import { runChecked } from '../../../src/system/process.ts';
import { type DiskImage, machineTraces, slotText } from './disk-image.ts';
import { ALL_LABELS, InstalledDisk, LATER, NOW, systemsIn } from './installed-disk.ts';

let installed: InstalledDisk;
/** With version 1 installed and a hook. */
let disk: DiskImage;

const HOOK = `stages:
  after-upgrade-chroot:
    - name: note
      commands:
        - "cat /etc/os-release > /etc/noted"
        - "echo made > /oem/made"
        - "mkdir -p /usr/local/sub; echo again > /usr/local/sub/made; echo kept > /usr/local/.holdfast/kept"
        - "[ -e /oem/going ] && exec 3>/oem/going; cat /dev/null > /oem/emptied"
`;

beforeAll(async () => {
  installed = await InstalledDisk.create();
  disk = installed.original;
  await disk.withMounted(
    'COS_OEM',
    (oem) => {
      writeFileSync(join(oem, '90_hook.yaml'), HOOK);
      writeFileSync(join(oem, 'emptied'), 'full\n');
    },
    { writable: true },
  );
});
afterAll(() => installed?.remove());

const plan = async (on: DiskImage, tag = 'v2') => {
  const image = await installed.open(tag);
  let material: PlanMaterial | undefined;
  const result = await on.withPartitions(ALL_LABELS, () =>
    planAhead({ image, strictness: 'chroot', force: false }, { command: 'test', now: NOW }, async (given) => {
      material = given;
      return {
        running: readFileSync(given.running?.root.resolve('/etc/os-release') ?? '', 'utf8'),
        next: readFileSync(given.next.root.resolve('/etc/noted'), 'utf8'),
        pristine: readdirSync(given.next.pristine?.resolve('/etc') ?? '').includes('noted'),
      };
    }),
  );
  return { result, material };
};

const apply = (on: DiskImage, wanted: Parameters<typeof applyPlanned>[0] = {}) =>
  on.withPartitions(ALL_LABELS, () => applyPlanned(wanted, { command: 'test', now: LATER }));

/** Everything of the partitions that a plan must leave alone, by content. */
const contentOf = async (on: DiskImage) => {
  const content: Record<string, string> = {};
  for (const label of ['COS_OEM', 'COS_PERSISTENT', 'COS_STATE', 'COS_RECOVERY']) {
    await on.withMounted(label, (directory) => {
      for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name);
        const name = `${label}${path.slice(directory.length)}`;
        if (!entry.isFile() || /planned|pristine|ledger|last-action|holdfast\/record|\/\.holdfast\//.test(name))
          continue;
        // Slots are too large for this; who writes to one changes its times.
        const stats = statSync(path);
        if (stats.size > 1 << 20) {
          content[name] = `${stats.ino} ${stats.ctimeMs}`;
          continue;
        }
        content[name] = createHash('sha256').update(readFileSync(path)).digest('hex');
      }
    });
  }
  return content;
};

describe('a plan', () => {
  test('keeps the new system and what hooks wrote, and changes nothing that is in use', async () => {
    const on = await installed.copy();
    const [before, traces] = [await contentOf(on), machineTraces()];
    const { result, material } = await plan(on);
    expect(result.warnings).toEqual([]);
    expect(result.outcome).toBe('plan-kept');
    expect(machineTraces()).toEqual(traces);
    expect(await contentOf(on)).toEqual(before);
    expect(result.document).toEqual({
      running: expect.stringContaining('Tiny 1'),
      next: expect.stringContaining('Tiny 2'),
      pristine: false,
    });
    expect(material?.hooks.flatMap(({ steps }) => steps.map(({ name, outcome }) => [name, outcome]))).toEqual([
      ['note', 'ok'],
    ]);
    expect(material?.writes.map(({ partition, path, what }) => `${partition} ${path} ${what}`).sort()).toEqual([
      'oem emptied written',
      'oem made written',
      'persistent sub written',
      'persistent sub/made written',
    ]);
    await on.withMounted('COS_STATE', async (state) => {
      expect(await readPlanned(state)).toMatchObject({ state: 'kept', record: { id: result.id, name: 'Tiny 2' } });
      expect(await systemsIn(state)).toEqual(['Tiny 1', 'Tiny 1']);
    });
    await on.withMounted('COS_PERSISTENT', (persistent) => {
      // A cache is worth keeping whatever becomes of the plan.
      expect(readFileSync(join(persistent, '.holdfast/kept'), 'utf8')).toBe('kept\n');
    });
  });

  test('is applied without the image: the built slot becomes active, and what hooks wrote is written', async () => {
    const on = await installed.copy();
    const { result } = await plan(on);
    const uuid = await on.withMounted('COS_STATE', (state) => slotId(join(state, 'cOS/planned.img')));
    const traces = machineTraces();
    expect(await apply(on, { id: result.id })).toMatchObject({ outcome: 'ok', warnings: [], prettyName: 'Tiny 2' });
    expect(machineTraces()).toEqual(traces);
    await on.withMounted('COS_STATE', async (state) => {
      expect(await slotId(join(state, 'cOS/active.img'))).toBe(uuid);
      expect(await slotText(state, 'active', '/etc/noted')).toContain('Tiny 2');
      const { active } = readState(join(state, 'state.yaml')).state;
      expect(active).toMatchObject({ uuid, date: LATER, fromAction: 'upgrade' });
      expect(active?.source).toContain(':v2');
      expect(readdirSync(join(state, 'cOS')).filter((name) => name.startsWith('planned'))).toEqual([]);
    });
    await on.withMounted('COS_OEM', (oem) => {
      expect(readFileSync(join(oem, 'made'), 'utf8')).toBe('made\n');
      expect(readFileSync(join(oem, 'emptied'), 'utf8')).toBe('');
    });
    await on.withMounted('COS_PERSISTENT', (persistent) => {
      expect(readFileSync(join(persistent, 'sub/made'), 'utf8')).toBe('again\n');
    });
    await expect(apply(on)).rejects.toMatchObject({ code: 'HF-PLAN', message: 'no plan is kept' });
  });

  test('that was made again starts from what the first one built', async () => {
    const on = await installed.copy();
    const first = await plan(on);
    const second = await plan(on);
    expect(second.result.id).not.toBe(first.result.id);
    expect(second.material?.moved).toMatchObject({ fetchedBytes: 0 });
    await expect(apply(on, { id: first.result.id })).rejects.toMatchObject({
      message: expect.stringContaining(`is not the one that is kept: that one is ${second.result.id}`),
    });
  });
});

describe('a plan no longer holds', () => {
  let planned: DiskImage;
  let id: string;
  beforeAll(async () => {
    planned = await installed.copy();
    id = (await plan(planned)).result.id ?? '';
  });

  const refused = async (reasons: readonly string[]) => {
    const error = await apply(planned).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'HF-PLAN', exitStatus: 99 });
    for (const reason of reasons) expect(String(error)).toContain(reason);
    await planned.withMounted('COS_STATE', async (state) => {
      expect(existsSync(join(state, 'cOS/transition.img'))).toBe(false);
      expect(await systemsIn(state)).toEqual(['Tiny 1', 'Tiny 1']);
    });
    await planned.withMounted('COS_OEM', (oem) => expect(existsSync(join(oem, 'made'))).toBe(false));
  };
  /** Changes a file for as long as `work` takes. */
  const without = async (label: string, name: string, change: (file: string) => unknown, work: () => Promise<void>) => {
    const writable = { writable: true };
    const kept = join(planned.directory, `kept-${label}`);
    await planned.withMounted(
      label,
      async (at) => {
        if (existsSync(join(at, name))) await runChecked(['cp', '-a', '--sparse=always', join(at, name), kept]);
        await change(join(at, name));
      },
      writable,
    );
    await work();
    await planned.withMounted(
      label,
      async (at) => {
        rmSync(join(at, name), { force: true });
        if (existsSync(kept)) await runChecked(['cp', '-a', '--sparse=always', kept, join(at, name)]);
        rmSync(kept, { force: true });
      },
      writable,
    );
  };

  test('when a stage file was changed, and what the plan writes was written by somebody else: both are told', () =>
    without(
      'COS_OEM',
      '90_hook.yaml',
      (file) => writeFileSync(file, 'stages: {}\n'),
      () =>
        without(
          'COS_PERSISTENT',
          'sub',
          (file) => writeFileSync(file, ''),
          () =>
            refused([
              '/oem/90_hook.yaml was changed since',
              '/usr/local/sub was changed since, and the plan writes it',
            ]),
        ),
    ));

  test.each<[what: string, name: string, change: (file: string) => unknown, reason: string]>([
    [
      'what it says is damaged',
      'planned.details.gz',
      (file) => writeFileSync(file, 'x'),
      'planned.details.gz of the plan',
    ],
    [
      'its note is damaged',
      'planned.json',
      (file) => writeFileSync(file, '{"version":1}'),
      "/cOS/planned.json can't be read",
    ],
    [
      'its slot is another file system',
      'planned.img',
      (file) => runChecked(['tune2fs', '-U', 'random', file]),
      'is not the system of the plan',
    ],
    [
      'its slot is damaged',
      'planned.img',
      (file) => runChecked(['debugfs', '-w', '-R', 'rm /etc/noted', file]),
      '/cOS/planned.img is damaged',
    ],
    ['its slot is gone', 'planned.img', (file) => rmSync(file), 'the system that was built is gone'],
  ])('when %s', (_, name, change, reason) => without('COS_STATE', `cOS/${name}`, change, () => refused([reason])));

  test('but when everything is as it was, it is', async () => {
    expect(
      await planned.withPartitions(ALL_LABELS, () => applyPlanned({}, { command: 'test', now: LATER, dryRun: true })),
    ).toMatchObject({ outcome: 'planned' });
  });

  test('when another image is asked for', async () => {
    await expect(apply(planned, { image: 'docker:example.org/os:v9' })).rejects.toMatchObject({
      message: expect.stringMatching(/^the plan \w+ is of another image: .* not of docker:example.org\/os:v9$/),
    });
  });

  test('it is removed with the copy of its image, by hand and by an action that changes slots', async () => {
    const on = await installed.copy(planned);
    const names = () =>
      on.withMounted(
        'COS_STATE',
        (state) => readdirSync(join(state, 'cOS')).filter((name) => /^planned|^pristine/.test(name)).length,
      );
    const before = await names();
    expect(await on.withPartitions(ALL_LABELS, () => discardPlan({ command: 'test', now: LATER }))).toMatchObject({
      outcome: 'ok',
      name: `${id}, Tiny 2`,
    });
    expect(await names()).toBeLessThan(before - 3);
    const other = await installed.copy(planned);
    await other.withPartitions(ALL_LABELS, () => rollback({ command: 'test', now: LATER }));
    await other.withMounted('COS_STATE', async (state) => {
      expect(await readPlanned(state)).toEqual({ state: 'none' });
      expect(readdirSync(join(state, 'cOS')).filter((name) => name.startsWith('planned'))).toEqual([]);
    });
  });
});

test('on a file system that can’t share blocks, a plan is kept and applied as well, and an interrupted one stays', async () => {
  const other = await InstalledDisk.create({ stateFilesystem: 'ext4' });
  try {
    const on = other.original;
    const image = await other.open('v2');
    const options = { command: 'test', now: NOW };
    const { id } = await on.withPartitions(ALL_LABELS, () =>
      planAhead({ image, strictness: 'chroot', force: false }, options, async () => ({})),
    );
    const interrupted = {
      ...options,
      beforeAction: (index: number) => (index > 5 ? Promise.reject(new Error('interrupted')) : undefined),
    };
    const applied = (how: Parameters<typeof applyPlanned>[1]) =>
      on.withPartitions(ALL_LABELS, () => applyPlanned({ id }, how));
    await expect(applied(interrupted)).rejects.toThrow('interrupted');
    expect(await applied(options)).toMatchObject({ outcome: 'ok', warnings: [] });
    await on.withMounted('COS_STATE', async (state) => expect(await systemsIn(state)).toEqual(['Tiny 2', 'Tiny 1']));
  } finally {
    other.remove();
  }
});
