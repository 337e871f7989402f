// What is known of a path of a slot, with the unchanged copy of its image and with a ledger alone, in directories that stand
// for the trees.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Ledger, LedgerEntry } from '../../../src/ledger/entry.ts';
import { planRevert } from '../../../src/ledger/plan-revert.ts';
import { explainPath } from '../../../src/ledger/why.ts';
import { endOf, factsOfSlot, objectAt } from '../../../src/lifecycle/slot-facts.ts';

let directory: string;
const at = (path: string) => join(directory, path);
const unexpected = (text: string) => {
  throw new Error(text);
};

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'facts-'));
  mkdirSync(at('slot/etc'), { recursive: true });
  writeFileSync(at('slot/etc/motd'), 'slot\n');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function look(path: string, ledger?: Partial<Ledger>) {
  const origin = { uuid: 'u', source: 'docker:os:v2', action: 'upgrade', command: '', at: '2026-11-20T10:00:00.000Z' };
  const whole = ledger && { origin, basis: 'before-hooks' as const, entries: [], omitted: 0, ...ledger };
  const view = { name: 'active' as const, uuid: 'u', directory: at('slot'), stateDirectory: at('state'), notes: [] };
  return factsOfSlot({ ...view, ...(whole && { ledger: whole }) }, path, { warn: unexpected });
}

async function entry(kind: LedgerEntry['kind']): Promise<LedgerEntry> {
  const object = await objectAt(at('slot'), 'etc/motd');
  const before = kind === 'added' || object === undefined ? {} : { before: { ...object, sizeBytes: 77 } };
  const after = kind === 'removed' || object === undefined ? {} : { after: object };
  return { path: 'etc/motd', kind, ...before, ...after, fields: [], cause: { by: 'unknown' }, earlier: [] };
}

test('without a copy of the image a ledger says that the image has what no entry speaks of', async () => {
  const facts = await look('etc/motd', {});
  expect(facts.inImage).toEqual(facts.inSlot);
  expect(facts).toMatchObject({ inImage: { type: 'file', sizeBytes: 5 }, imageIsNotKept: true });
  expect(facts.imageUnknown).toBeUndefined();
  expect(explainPath({ ...facts, path: '/etc/motd', place: 'slot' }).answer).toBe('image');
});

test('a file that its owner keeps and the image has is never removed for want of a copy of the image', async () => {
  const running = { object: await objectAt(at('slot'), 'etc/motd'), isSameAsSlot: true };
  for (const ledger of [{}, { entries: [await entry('changed')] }, { omitted: 3 }, undefined]) {
    const facts = await look('etc/motd', ledger);
    const plan = planRevert({ ...facts, path: '/etc/motd', place: 'ephemeral', running, isKeptFile: true }, 'own.yaml');
    expect(plan.actions.map(({ kind }) => kind)).toEqual(['forget']);
  }
});

test('what an entry says of the image counts, and only what was added isn’t there', async () => {
  expect((await look('etc/motd', { entries: [await entry('changed')] })).inImage).toMatchObject({ sizeBytes: 77 });
  const added = await look('etc/motd', { entries: [await entry('added')] });
  expect([added.inImage, added.imageUnknown]).toEqual([undefined, undefined]);
});

test('with neither, or with a ledger that had no room for all, the image isn’t known', async () => {
  for (const ledger of [undefined, { omitted: 1 }]) {
    expect(await look('etc/motd', ledger)).toMatchObject({ inImage: undefined, imageUnknown: true });
  }
});

test('a link that leads in a circle leads nowhere, and is no error', async () => {
  symlinkSync('circle', at('slot/etc/circle'));
  expect(await endOf(at('slot'), 'etc/circle', unexpected)).toBeUndefined();
  expect((await look('etc/circle', {})).leadsTo).toBeUndefined();
});
