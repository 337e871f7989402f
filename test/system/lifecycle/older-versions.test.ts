// Images that are older than what is installed, on real disk images, by every way that a system is replaced: an install writes
// down which version it is, and from then on nothing older comes in unless somebody says so.

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Image } from '../../../src/image/image.ts';
import { rebuild } from '../../../src/lifecycle/apply-rebuild.ts';
import { upgradeRecovery } from '../../../src/lifecycle/apply-upgrade-recovery.ts';
import type { RebuildRequest } from '../../../src/lifecycle/rebuild.ts';
import type { RecoveryRequest } from '../../../src/lifecycle/upgrade-recovery.ts';
import { readState } from '../../../src/slots/state-file.ts';
import { ALL_LABELS, InstalledDisk, LATER, NOW, systemsIn } from './installed-disk.ts';
import type { Files } from './tiny-image.ts';

const release = (name: string, version: string): Files => ({
  'etc/os-release': `NAME="Tiny"\nPRETTY_NAME="${name}"\nID=tiny\nVERSION_ID=${version}\n`,
});
/** Installed is 2.0, what comes later is 1.0. */
let installed: InstalledDisk;
let older: Image;
const REFUSED = { code: 'HF-TRUST', message: 'the image is version 1.0, and 2.0 is installed' };
const ALLOWED = 'version 1.0 is older than 2.0, which is installed; --allow-downgrade takes it';

beforeAll(async () => {
  installed = await InstalledDisk.create({ v1: release('Tiny 1', '2.0'), v2: release('Tiny 2', '1.0') });
  older = await installed.open('v2');
});
afterAll(() => installed?.remove());

const disk = () => installed.original;
const records = (label: string) => disk().withMounted(label, (at) => readState(join(at, 'state.yaml')).state);
const systems = () => disk().withMounted('COS_STATE', (state) => systemsIn(state));
const recovery = (options: Partial<RecoveryRequest> = {}) =>
  disk().withPartitions(ALL_LABELS, () =>
    upgradeRecovery({ image: older, strictness: 'chroot', force: false, ...options }, { command: 'test', now: LATER }),
  );
const build = (action: RebuildRequest['action'], image: Image | undefined, options: Partial<RebuildRequest> = {}) =>
  disk().withPartitions(ALL_LABELS, () =>
    rebuild(
      { action, strictness: 'chroot', force: true, formatState: false, wipe: [], cloudInit: [], ...options },
      image,
      { command: 'test', now: LATER },
    ),
  );

test('an install writes down which version it put into each slot', async () => {
  for (const label of ['COS_STATE', 'COS_RECOVERY']) {
    const state = await records(label);
    for (const slot of ['active', 'passive', 'recovery'] as const) {
      expect(state[slot], `${slot} on ${label}`).toMatchObject({
        ...{ os: 'tiny', version: '2.0', versionFrom: 'VERSION_ID', fromAction: 'install', date: NOW },
      });
    }
  }
});

describe('an older image', () => {
  test('is refused by a deploy, and by a reset that names it; both slots stay', async () => {
    for (const action of ['deploy', 'reset'] as const) {
      await expect(build(action, older)).rejects.toMatchObject(REFUSED);
    }
    expect(await systems()).toEqual(['Tiny 1', 'Tiny 1']);
  });

  test('is refused by an upgrade of the recovery system, and taken when it is told to', async () => {
    await expect(recovery()).rejects.toMatchObject(REFUSED);
    expect((await records('COS_RECOVERY')).recovery).toMatchObject({ version: '2.0' });
    expect(await recovery({ allowDowngrade: true })).toMatchObject({ prettyName: 'Tiny 2', warnings: [ALLOWED] });
    expect((await records('COS_RECOVERY')).recovery).toMatchObject({ version: '1.0' });
  });

  test('that is the recovery system may follow any system, without a word', async () => {
    expect(await build('reset', undefined)).toMatchObject({ outcome: 'ok', warnings: [], prettyName: 'Tiny 2' });
    expect(await systems()).toEqual(['Tiny 2', 'Tiny 2']);
    expect((await records('COS_STATE')).active).toMatchObject({ os: 'tiny', version: '1.0' });
  });

  test('is taken by a deploy when it is told to', async () => {
    expect(await build('deploy', await installed.open('v1'))).toMatchObject({ outcome: 'ok', warnings: [] });
    const result = await build('deploy', older, { allowDowngrade: true });
    expect(result).toMatchObject({ prettyName: 'Tiny 2', warnings: [ALLOWED] });
  });
});
