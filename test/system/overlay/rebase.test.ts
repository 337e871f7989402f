// A rebase on real trees: what a user changed is on the new tree afterwards, with every attribute, or it is a conflict whose
// loser was kept. Needs root.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { RebaseTrees } from '../../../src/overlay/rebase/model.ts';
import { type PlanRebaseOptions, planRebase } from '../../../src/overlay/rebase/plan-rebase.ts';
import { replay } from '../../../src/overlay/rebase/replay.ts';
import { runChecked } from '../../../src/system/process.ts';
import { wholeSnapshot } from '../image/whole-snapshot.ts';
import { type TreeSpec, writeTree } from './tree-spec.ts';

const work = mkdtempSync(join(tmpdir(), 'holdfast-rebase-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));
let count = 0;

async function treesOf(
  oldBase: TreeSpec,
  oldView: TreeSpec,
  newBase: TreeSpec,
): Promise<RebaseTrees & { target: string }> {
  count += 1;
  const directory = join(work, String(count));
  const at = (name: string) => join(directory, name);
  await writeTree(at('old-base'), oldBase);
  await writeTree(at('old-view'), oldView);
  await writeTree(at('new-base'), newBase);
  await runChecked(['cp', '-a', at('new-base'), at('target')]);
  return { oldBase: at('old-base'), oldView: at('old-view'), newBase: at('new-base'), target: at('target') };
}

async function rebase(oldBase: TreeSpec, oldView: TreeSpec, newBase: TreeSpec, options: PlanRebaseOptions = {}) {
  const { target, ...trees } = await treesOf(oldBase, oldView, newBase);
  const plan = await planRebase(trees, options);
  const warnings: string[] = [];
  const losers = join(target, '../losers');
  const result = await replay(plan, { target, losers, warn: (text) => warnings.push(text) });
  const outcomes = Object.fromEntries(
    plan.decisions.map(({ path, outcome, conflict }) => [
      path,
      conflict === undefined ? outcome : `${conflict.kind} ${conflict.winner}`,
    ]),
  );
  return { plan, result, outcomes, warnings, losers, target, trees, tree: await wholeSnapshot(target) };
}

const text = (target: string, path: string) => readFileSync(Buffer.from(`${target}/${path}`, 'latin1'), 'latin1');

describe('a rebase', () => {
  it('carries every kind of object with all its attributes', async () => {
    const base: TreeSpec = {
      'etc/kept.conf': { file: 'old\n' },
      'etc/edited.conf': { file: 'old\n' },
      'etc/gone.conf': { file: 'old\n' },
      'etc/mode.conf': { file: 'old\n' },
      'usr/bin/tool': { file: 'v1' },
    };
    const added: TreeSpec = {
      'srv/file': { file: 'mine', mode: 0o4751, uid: 12, gid: 34, mtime: 1_500_000_000 },
      'srv/link': { link: '/nowhere/\xff' },
      'srv/fifo': { fifo: true, mode: 0o600 },
      'srv/device': { device: [10, 200], mode: 0o660, gid: 5 },
      'srv/one': { file: 'linked' },
      'srv/two': { hardLink: 'srv/one' },
      'srv/capable': {
        file: 'x',
        mode: 0o755,
        xattrs: { 'security.capability': '0100000200040000000000000000000000000000' },
      },
      'srv/noted': { file: 'x', xattrs: { 'user.note': '68690a', 'trusted.t': '01' } },
      'srv/acl': { file: 'x', mode: 0o664, xattrs: { 'system.posix_acl_access': ACL } },
      'srv/inheriting': { directory: true, mode: 0o2775, gid: 7, xattrs: { 'system.posix_acl_default': ACL } },
      'srv/inheriting/plain': { file: 'no list of its own', mode: 0o640 },
      'srv/\xff\xfe \\\n"odd"': { file: 'bytes', xattrs: { 'user.odd': '00' } },
      'srv/empty': { directory: true, mode: 0o700, mtime: 1_400_000_000 },
    };
    const { tree, trees, target, outcomes, warnings, result } = await rebase(
      base,
      {
        'etc/kept.conf': { file: 'old\n' },
        'etc/edited.conf': { file: 'edited\n', mode: 0o600 },
        'etc/mode.conf': { file: 'old\n', mode: 0o400, uid: 3 },
        'usr/bin/tool': { file: 'v1' },
        ...added,
      },
      {
        ...base,
        'etc/kept.conf': { file: 'new\n' },
        'usr/bin/tool': { file: 'v2' },
        'etc/mode.conf': { file: 'new\n' },
      },
    );
    expect(warnings).toEqual([]);
    const view = await wholeSnapshot(trees.oldView);
    for (const path of Object.keys(added)) expect(tree[path], path).toEqual(view[path]);
    expect(tree['etc/edited.conf']).toEqual(view['etc/edited.conf']);
    expect(tree['etc/gone.conf']).toBeUndefined();
    expect(text(target, 'etc/kept.conf')).toBe('new\n');
    expect(text(target, 'etc/mode.conf')).toBe('new\n');
    expect(tree['etc/mode.conf']).toMatchObject({ mode: '400', owner: '3:0' });
    expect(outcomes).toMatchObject({
      'etc/edited.conf': 'changed',
      'etc/gone.conf': 'deleted',
      'etc/mode.conf': 'metadata',
      'srv/two': 'added',
    });
    expect(outcomes['etc/kept.conf']).toBeUndefined();
    expect(result.applied).toBe(Object.keys(outcomes).length);
  });
});

/** user::rw-, user:1000:rw-, group::r--, mask::rw-, other::r-- */
const ACL = [
  '02000000',
  '01000600ffffffff',
  '02000600e8030000',
  '04000400ffffffff',
  '10000600ffffffff',
  '20000400ffffffff',
].join('');
