// A kept plan on a real disk is rehearsed: the copy is made, started, asked and thrown away, and the disk is as before. The
// planned system is Debian's, put where a plan keeps it.

import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureGuestRoot } from '../../../lab/crash/guest-root.ts';
import { ensureExecutable } from '../../../lab/executable.ts';
import { writePlanned } from '../../../src/lifecycle/planned-record.ts';
import { readRecord } from '../../../src/record/record.ts';
import { type RehearsalResult, rehearse } from '../../../src/rehearsal/rehearse.ts';
import { PLANNED_FILE, PLANNED_RECORD, SLOT_FILES } from '../../../src/slots/names.ts';
import { probeFilesystem } from '../../../src/system/filesystems.ts';
import { mount, unmount } from '../../../src/system/mounts.ts';
import { runChecked } from '../../../src/system/process.ts';
import { Root } from '../../../src/system/root.ts';
import { machineTraces } from '../lifecycle/disk-image.ts';
import { ALL_LABELS, InstalledDisk, NOW } from '../lifecycle/installed-disk.ts';

const ID = '5f0c2a9be417';
let installed: InstalledDisk;
let executable = '';

beforeAll(async () => {
  const log = () => {};
  executable = await ensureExecutable(log);
  installed = await InstalledDisk.create();
  const { image } = await ensureGuestRoot({ log });
  await onState(async (state) => {
    const planned = join(state, PLANNED_FILE);
    await runChecked(['cp', '--sparse=always', image, planned]);
    await changePlanned(state, (root) => root.makeDirectory('/oem'));
    await note(state);
  });
});
afterAll(() => installed.remove());

const onState = (work: (state: string) => Promise<void>) =>
  installed.original.withMounted('COS_STATE', work, { writable: true });

async function changePlanned(state: string, change: (root: Root) => void): Promise<void> {
  const at = join(installed.images.directory, 'planned');
  mkdirSync(at, { recursive: true });
  await mount(join(state, PLANNED_FILE), at, { options: ['loop'] });
  try {
    change(new Root(at));
  } finally {
    await unmount(at);
  }
}

/** The note that a plan leaves, for the file that is there. */
async function note(state: string): Promise<void> {
  const { uuid = '' } = await probeFilesystem(join(state, PLANNED_FILE));
  writePlanned(state, {
    version: 1,
    id: ID,
    created: NOW,
    name: 'OS 2',
    deployment: { source: 'x', layers: [], uuid, date: NOW, fromAction: 'upgrade', verified: 'no' },
    request: { strictness: 'chroot', assess: true, allowDowngrade: false, overlay: 'carry', takes: [] },
    slot: { uuid, sizeBytes: 1, digest: 'a'.repeat(64) },
    inputs: { running: null, active: null, passive: null, files: {} },
    details: 'b'.repeat(64),
    heldBytes: 0,
    overlay: null,
  });
}

/** Rehearses as on live media, and looks at what COS_STATE has before and after. */
async function rehearseHere(id?: string): Promise<RehearsalResult> {
  const traces = machineTraces();
  const before = await listState();
  try {
    return await installed.original.withPartitions(ALL_LABELS, () =>
      rehearse({ id, executable }, { command: 'test', now: NOW }),
    );
  } finally {
    expect(await listState()).toEqual(before);
    expect(machineTraces()).toEqual(traces);
  }
}

async function listState(): Promise<string[]> {
  let names: string[] = [];
  await installed.original.withMounted('COS_STATE', async (state) => {
    names = readdirSync(join(state, 'cOS')).sort();
  });
  return names;
}

describe('a plan that is kept on a disk', () => {
  test('is rehearsed: the system works, and the plan stays', async () => {
    const result = await rehearseHere();
    expect([result.outcome, result.failed, result.record.id]).toEqual(['passed', [], ID]);
    expect(result.observation.verdict?.startup?.outcome).toBe('ok');
  });

  test('a system whose service fails does not', async () => {
    await onState((state) =>
      changePlanned(state, (root) => {
        const unit = '[Service]\nType=oneshot\nExecStart=/bin/false\n';
        root.writeFile('/etc/systemd/system/web.service', unit);
        root.link('/etc/systemd/system/multi-user.target.wants/web.service', '/etc/systemd/system/web.service');
      }),
    );
    const result = await rehearseHere(ID);
    expect([result.outcome, result.failed.map(({ name }) => name)]).toEqual(['failed', ['web.service']]);
    await onState(async (state) => {
      const { entries } = readRecord({ stateDirectory: state });
      expect(
        entries.filter(({ name }) => name === 'rehearse').map(({ outcome, message }) => [outcome, message]),
      ).toEqual([
        ['ok', 'Rehearse OS 2'],
        ['failed', 'OS 2 does not work: web.service: it has failed'],
      ]);
    });
  });

  test('another plan than the one that is asked for is refused', async () => {
    await expect(rehearseHere('000000000000')).rejects.toMatchObject({ code: 'HF-STATE' });
  });

  test('a system with another init is refused, and the plan stays', async () => {
    await onState(async (state) => {
      rmSync(join(state, PLANNED_FILE));
      await runChecked(['cp', '--reflink=auto', join(state, SLOT_FILES.active), join(state, PLANNED_FILE)]);
      await note(state);
    });
    await expect(rehearseHere()).rejects.toMatchObject({ code: 'HF-UNSUPPORTED' });
    await onState(async (state) => expect(existsSync(join(state, PLANNED_RECORD))).toBe(true));
  });

  test('without a plan there is nothing to rehearse', async () => {
    await onState(async (state) => {
      for (const name of [PLANNED_RECORD, PLANNED_FILE]) rmSync(join(state, name));
    });
    await expect(rehearseHere()).rejects.toThrow('there is no plan to rehearse');
  });
});
