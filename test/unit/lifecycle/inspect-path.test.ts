// Paths that were brought to the running system without a reboot: which of them the slot explains that they came from.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  differencesBelow,
  type InspectPathOptions,
  inspectLive,
  isUnchanged,
  keptBelowOf,
} from '../../../src/lifecycle/inspect-path.ts';
import { showsLive } from '../../../src/lifecycle/live-record.ts';
import { withLive } from '../../../src/lifecycle/running-differences.ts';
import { objectAt } from '../../../src/lifecycle/slot-facts.ts';
import type { SlotView } from '../../../src/lifecycle/slot-view.ts';
import { DEFAULT_LABELS } from '../../../src/slots/names.ts';
import { UndoStack } from '../../../src/system/plan.ts';

let directory: string;
const at = (path: string) => join(directory, path);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'live-'));
  for (const tree of ['live', 'now']) {
    mkdirSync(at(`${tree}/usr/bin`), { recursive: true });
    writeFileSync(at(`${tree}/usr/bin/strace`), 'program');
  }
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function look(path: string) {
  const view: SlotView = { name: 'live', uuid: 'u', directory: at('live'), stateDirectory: at('state'), notes: [] };
  const options: InspectPathOptions = {
    undo: new UndoStack(),
    labels: DEFAULT_LABELS,
    workDirectory: at('work'),
    views: new Map([['live', view]]),
    warn: (text) => {
      throw new Error(text);
    },
  };
  const date = '2026-11-20T11:00:00.000Z';
  const live = { uuid: 'u', date, mountPoint: at('live'), directories: ['/usr'], added: 1, copied: 0 };
  return inspectLive(live, path, await objectAt(at('now'), path), options);
}

test('a file that is as the live slot has it is that slot’s, and stays over the reboot', async () => {
  const found = await look('usr/bin/strace');
  expect(found?.view.name).toBe('live');
  expect(found?.facts).toMatchObject({
    slot: 'live',
    liveSince: '2026-11-20T11:00:00.000Z',
    running: { isSameAsSlot: true },
    inSlot: { type: 'file', sizeBytes: 7 },
  });
});

test('what somebody has written, and what is gone, isn’t', async () => {
  writeFileSync(at('now/usr/bin/strace'), 'changed');
  expect(await look('usr/bin/strace')).toBeUndefined();
  rmSync(at('now/usr/bin/strace'));
  expect(await look('usr/bin/strace')).toBeUndefined();
});

test('what the next system has there is another thing also by its owner, its type or the target of a link', async () => {
  symlinkSync('strace', at('live/usr/bin/link'));
  const [file, link] = [await objectAt(at('live'), 'usr/bin/strace'), await objectAt(at('live'), 'usr/bin/link')];
  if (file === undefined || link === undefined) throw new Error('a path that was made is missing');
  expect(isUnchanged(file, { ...file, mtimeNs: 1n, inode: 1n })).toBe(true);
  expect(isUnchanged(file, { ...file, uid: 7 })).toBe(false);
  expect(isUnchanged(file, link)).toBe(false);
  expect(isUnchanged(link, { ...link, linkTarget: 'other' })).toBe(false);
  expect(isUnchanged(file, undefined)).toBe(false);
});

test('below a directory what differs is found, also where the other tree hasn’t got it or has a link there', async () => {
  expect(await differencesBelow(at('live'), at('now'), 'usr')).toEqual([]);
  writeFileSync(at('now/usr/bin/strace'), 'another');
  mkdirSync(at('now/usr/lib'));
  writeFileSync(at('now/usr/lib/own'), '');
  rmSync(at('live/usr/bin'), { recursive: true });
  writeFileSync(at('live/usr/gone'), '');
  const expected = ['/usr/bin', '/usr/bin/strace', '/usr/gone', '/usr/lib', '/usr/lib/own'];
  expect((await differencesBelow(at('live'), at('now'), 'usr')).sort()).toEqual(expected);
  symlinkSync(at('now/usr'), at('live/elsewhere'));
  mkdirSync(at('now/elsewhere/bin'), { recursive: true });
  writeFileSync(at('now/elsewhere/bin/strace'), 'another');
  expect(await differencesBelow(at('live'), at('now'), 'elsewhere/bin')).toEqual(['/elsewhere/bin/strace']);
  expect(await differencesBelow(at('live'), at('now'), 'usr/lib')).toEqual(['/usr/lib/own']);
  writeFileSync(at('live/usr/lib'), '');
  expect(await differencesBelow(at('live'), at('now'), 'usr/lib')).toEqual(['/usr/lib/own']);
});

test('what the owner keeps below a directory is found, by file and by command', () => {
  const file = { kind: 'file' as const, content: { kind: 'link' as const, target: 'x' }, mode: 0o777, atBoot: false };
  const owner = { owner: 'root', group: 'root' };
  const command = (text: string) => ({ kind: 'command' as const, text });
  const requests = [
    { ...file, ...owner, path: '/etc/app/a' },
    { ...file, ...owner, path: '/etc/apple' },
    command('rm -rf -- /etc/app/b'),
    command('rm -rf -- /etc/app'),
    command('true /etc/app/c'),
  ];
  expect(keptBelowOf(requests, '/etc/app')).toEqual([
    { path: '/etc/app/a' },
    { path: '/etc/app/b', command: 'rm -rf -- /etc/app/b' },
  ]);
});

test('a difference that is as --apply-live brought it isn’t anybody’s hand', async () => {
  const after = await objectAt(at('now'), 'usr/bin/strace');
  if (after === undefined) throw new Error('a path that was made is missing');
  const one = { path: 'usr/bin/strace', kind: 'added' as const, after, fields: [], earlier: [] };
  const hand = { ...one, cause: { by: 'hand' as const } };
  const other = { ...hand, after: { ...after, digest: 'sha256:00' } };
  const unknown = { ...hand, path: 'usr/bin/nothing' };
  const causes = (await withLive([hand, other, unknown], at('live'))).map(({ cause }) => cause.by);
  expect(causes).toEqual(['live', 'hand', 'hand']);
});

test.each([
  ['/usr', true],
  ['/usr/bin/strace', true],
  ['/usrlocal', false],
  ['/etc/motd', false],
])('%s shows what was brought live: %s', (path, expected) => {
  expect(showsLive({ directories: ['/usr'] }, path)).toBe(expected);
  expect(showsLive(undefined, path)).toBe(false);
});
