// A rebase on real trees: what a user changed is on the new tree afterwards, with every attribute, or it is a conflict whose
// loser was kept. Needs root.

import { createHash } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forgetConflicts, listConflicts, markDone, saveLosers } from '../../../src/overlay/rebase/losers.ts';
import type { RebaseTrees } from '../../../src/overlay/rebase/model.ts';
import { type PlanRebaseOptions, planRebase } from '../../../src/overlay/rebase/plan-rebase.ts';
import { replay } from '../../../src/overlay/rebase/replay.ts';
import { parseRules, takeRule } from '../../../src/overlay/rebase/rules.ts';
import { takeConflict } from '../../../src/overlay/rebase/take-conflict.ts';
import { runChecked } from '../../../src/system/process.ts';
import { wholeSnapshot } from '../image/whole-snapshot.ts';
import { type NodeSpec, type TreeSpec, writeTree } from './tree-spec.ts';

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

  it('adds what both added, differently, by class', async () => {
    const beside = { 'etc/y': file(''), 'usr/y': file('') };
    const done = await rebase(
      beside,
      {
        ...beside,
        'etc/x': file('mine'),
        'usr/x': file('mine'),
        'usr/same': file('s'),
        'etc/d': { directory: true, mode: 0o700 },
      },
      { ...beside, 'etc/x': file('theirs'), 'usr/x': file('theirs'), 'usr/same': file('s'), 'etc/d/in': file('i') },
    );
    expect(done.outcomes).toEqual({
      'etc/d': 'add/add user',
      'etc/x': 'add/add user',
      'usr/same': 'converged',
      'usr/x': 'add/add new',
    });
    expect([shown(done, 'etc/x'), shown(done, 'usr/x'), shown(done, 'etc/d/in')]).toEqual(['mine', 'theirs', 'i']);
    expect(done.tree['etc/d']?.mode).toBe('700');
  });

  it('puts a mode and an attribute set by hand on new content, and takes a capability from the content that has it', async () => {
    const capability = { 'security.capability': '0100000200040000000000000000000000000000' };
    const done = await rebase(
      {
        'usr/a': file('1'),
        'usr/b': file('1'),
        'usr/c': { ...file('1'), xattrs: { 'user.old': '01' } },
        'srv/d': file('1'),
      },
      {
        'usr/a': { ...file('1'), mode: 0o4755, uid: 5 },
        'usr/b': { ...file('1'), xattrs: { 'user.note': '01', ...capability } },
        'usr/c': file('1'),
        'srv/d': file('mine'),
      },
      {
        'usr/a': { ...file('2'), gid: 9 },
        'usr/b': file('2'),
        'usr/c': { ...file('2'), xattrs: { 'user.old': '01', 'user.new': '02' } },
        'srv/d': { ...file('1'), xattrs: capability },
      },
    );
    expect(done.outcomes).toEqual({
      'usr/a': 'metadata',
      'usr/b': 'metadata',
      'usr/c': 'metadata',
      'srv/d': 'changed',
    });
    expect(done.tree['usr/a']).toMatchObject({ mode: '4755', owner: '5:9', size: 1 });
    expect(shown(done, 'usr/a') + shown(done, 'usr/b') + shown(done, 'usr/c')).toBe('222');
    expect(done.tree['usr/b']?.xattrs).toEqual([
      'security.capability=0x0100000200040000000000000000000000000000',
      'user.note=0x01',
    ]);
    expect(done.tree['usr/c']?.xattrs).toEqual(['user.new=0x02']);
    expect([shown(done, 'srv/d'), done.tree['srv/d']?.xattrs]).toEqual(['mine', []]);
  });

  it('keeps a directory that the new image put files into, and removes one that it did not', async () => {
    const base = { 'opt/a/x': file('1'), 'opt/a/sub/y': file('1'), 'opt/b/x': file('1'), 'opt/keep': file('') };
    const done = await rebase(base, { 'opt/keep': file('') }, { ...base, 'opt/a/sub/new': file('2') });
    expect(done.outcomes).toEqual({
      'opt/a': 'delete/grow new',
      'opt/a/sub': 'delete/grow new',
      'opt/a/sub/y': 'deleted',
      'opt/a/x': 'deleted',
      'opt/b': 'deleted',
      'opt/b/x': 'deleted',
    });
    expect(Object.keys(done.tree).filter((path) => path.startsWith('opt'))).toEqual([
      'opt',
      'opt/a',
      'opt/a/sub',
      'opt/a/sub/new',
      'opt/keep',
    ]);
  });

  it('removes a directory with what the new image put into it, when that is asked for', async () => {
    const base = { 'opt/a/x': file('1'), 'opt/keep': file('') };
    const rules = [takeRule('opt/a', 'user')];
    const done = await rebase(base, { 'opt/keep': file('') }, { ...base, 'opt/a/b/new': file('2') }, { rules });
    expect(done.outcomes).toEqual({ 'opt/a': 'delete/grow user', 'opt/a/x': 'deleted' });
    expect(Object.keys(done.tree)).toEqual(['.', 'opt', 'opt/keep']);
    expect(listConflicts(done.losers).map(({ path }) => path)).toEqual(['opt/a', 'opt/a/b', 'opt/a/b/new']);
  });

  it('puts a file in the place of a directory, with what the new image had in it kept aside', async () => {
    const base = { 'opt/a/x': file('1'), 'usr/a/x': file('1') };
    const done = await rebase(
      base,
      { 'opt/a': file('mine'), 'usr/a': file('mine') },
      { ...base, 'opt/a/new': file('2'), 'opt/a/deep/er': { link: 'z' }, 'usr/a/new': file('2') },
    );
    expect(shown(done, 'opt/a')).toBe('mine');
    expect(shown(done, 'usr/a/new')).toBe('2');
    expect(listConflicts(done.losers).map(({ path, winner, object }) => [path, winner, object?.type])).toEqual([
      ['opt/a', 'user', 'directory'],
      ['opt/a/deep', 'user', 'directory'],
      ['opt/a/deep/er', 'user', 'symlink'],
      ['opt/a/new', 'user', 'file'],
      ['usr/a', 'new', 'file'],
    ]);
  });

  it('has a place for what lay in a directory that is none any more', async () => {
    const base = { 'opt/a/x': file('1'), 'usr/a/x': file('1'), 'srv/a/x': file('1') };
    const view = {
      'opt/a/x': file('1'),
      'opt/a/mine': file('m'),
      'usr/a/x': file('1'),
      'usr/a/mine': file('m'),
      'srv/a/x': file('1'),
      'srv/a/mine': { ...file('m'), mode: 0o600 },
    };
    const done = await rebase(base, view, {
      'opt/a': file('now a file'),
      'usr/a': file('now a file'),
      srv: { directory: true },
    });
    expect(done.outcomes).toEqual({
      'opt/a': 'type user',
      'opt/a/mine': 'added',
      'srv/a/mine': 'added',
      'usr/a': 'type new',
      'usr/a/mine': 'type new',
    });
    expect([shown(done, 'opt/a/mine'), shown(done, 'usr/a'), shown(done, 'srv/a/mine')]).toEqual([
      'm',
      'now a file',
      'm',
    ]);
    const kept = listConflicts(done.losers);
    expect(kept.map(({ path, winner }) => [path, winner])).toEqual([
      ['opt/a', 'user'],
      ['usr/a', 'new'],
      ['usr/a/mine', 'new'],
    ]);
  });

  it('follows a directory that became a link, but never out of the tree', async () => {
    const base = { 'lib/a/x': file('1'), 'srv/out/x': file('1') };
    const done = await rebase(
      base,
      { ...base, 'lib/a/x': file('mine'), 'lib/a/added': file('m'), 'srv/out/added': file('m') },
      {
        lib: { link: 'usr/lib' },
        'usr/lib/a/x': file('1'),
        'srv/out': { link: '../../../../../../../../../../outside' },
      },
    );
    expect(shown(done, 'usr/lib/a/x')).toBe('mine');
    expect(shown(done, 'usr/lib/a/added')).toBe('m');
    expect(shown(done, 'lib')).toBe('-> usr/lib');
    expect(shown(done, 'srv/out/added')).toBe('m');
    expect(done.outcomes['srv/out']).toBe('type user');
  });

  it('takes what a rule says, and what was taken by hand', async () => {
    const base = { 'usr/a': file('1'), 'usr/b': file('1'), 'etc/c': file('1'), 'srv/d': file('1') };
    const view = { 'usr/a': file('2'), 'usr/b': file('2'), 'etc/c': file('2'), 'srv/d': file('2') };
    const next = { 'usr/a': file('3'), 'usr/b': file('3'), 'etc/c': file('3'), 'srv/d': file('1') };
    const rules = [
      takeRule('etc/c', 'new'),
      ...parseRules('rules:\n- {path: /usr/a, winner: mine}\n- {path: /srv/**, carry: false}\n', 'r.yaml'),
    ];
    const done = await rebase(base, view, next, { rules });
    expect(done.outcomes).toEqual({
      'etc/c': 'both-changed new',
      'srv/d': 'skipped',
      'usr/a': 'both-changed user',
      'usr/b': 'both-changed new',
    });
    expect(done.plan.decisions.map(({ rule }) => rule)).toEqual(['--take', 'r.yaml#2', 'r.yaml#1', 'class:vendor']);
  });

  it('leaves out what packages bring and what a stage wrote, unless it was changed since', async () => {
    const beside = { 'etc/y': file('') };
    const digest = (content: string) => createHash('sha256').update(content).digest('hex');
    const done = await rebase(
      beside,
      {
        ...beside,
        'usr/bin/vim': file('v'),
        'etc/stage': file('s'),
        'etc/stage-edited': file('edited'),
        'etc/link': { link: 'to' },
      },
      beside,
      {
        packaged: new Set(['usr/bin/vim', 'usr', 'usr/bin']),
        stageWrites: new Map([
          ['etc/stage', digest('s')],
          ['etc/stage-edited', digest('s')],
          ['etc/link', digest('to')],
        ]),
      },
    );
    expect(done.outcomes).toEqual({
      'etc/link': 'skipped',
      'etc/stage': 'skipped',
      'etc/stage-edited': 'added',
      usr: 'package',
      'usr/bin': 'package',
      'usr/bin/vim': 'package',
    });
    expect(Object.keys(done.tree)).toEqual(['.', 'etc', 'etc/stage-edited', 'etc/y']);
  });

  it('gives owners the numbers that their names have in the new image', async () => {
    const done = await rebase(
      { 'etc/passwd': file('root:x:0:0::/:\nchrony:x:103:103::/:\n'), 'etc/group': file('root:x:0:\nchrony:x:103:\n') },
      {
        'etc/passwd': file('root:x:0:0::/:\nchrony:x:103:103::/:\nlisa:x:1000:1000::/home/lisa:\n'),
        'etc/group': file('root:x:0:\nchrony:x:103:\nlisa:x:1000:\n'),
        'srv/keys': { ...file('k'), uid: 103, gid: 103, mode: 0o2640, xattrs: { 'system.posix_acl_access': ACL } },
        'home/lisa': { directory: true, uid: 1000, gid: 1000 },
      },
      {
        'etc/passwd': file('root:x:0:0::/:\nchrony:x:105:106::/:\n'),
        'etc/group': file('root:x:0:\nchrony:x:106:\n'),
      },
    );
    expect(shown(done, 'etc/passwd')).toBe('root:x:0:0::/:\nchrony:x:105:106::/:\nlisa:x:1000:1000::/home/lisa:\n');
    expect(done.tree['srv/keys']?.owner).toBe('105:106');
    expect(done.tree['srv/keys']?.xattrs).toEqual([`system.posix_acl_access=0x${ACL}`]);
    expect(done.tree['home/lisa']?.owner).toBe('1000:1000');
  });

  it('is a conflict when a text can be merged and its mode can not', async () => {
    const lines = (one: string, five: string) => `${one}\n2\n3\n4\n${five}\n`;
    const done = await rebase(
      { 'etc/a': file(lines('1', '5')) },
      { 'etc/a': { ...file(lines('one', '5')), mode: 0o666 } },
      { 'etc/a': { ...file(lines('1', 'five')), mode: 0o600 } },
    );
    expect(done.outcomes).toEqual({ 'etc/a': 'both-changed user' });
    expect(shown(done, 'etc/a')).toBe(lines('one', 'five'));
    expect(listConflicts(done.losers)[0]?.object?.mode).toBe(0o600);
  });

  it('leaves identity and logs to a view that has its own', async () => {
    const trees = [
      { 'etc/machine-id': file('') },
      { 'etc/machine-id': file('mine'), 'var/log/syslog': file('mine') },
      { 'etc/machine-id': file('its'), 'var/log/syslog': file('its') },
    ] as const;
    const done = await rebase(...trees, { ontoView: true });
    expect(done.outcomes).toMatchObject({ 'etc/machine-id': 'skipped', 'var/log/syslog': 'skipped' });
    expect([shown(done, 'etc/machine-id'), shown(done, 'var/log/syslog')]).toEqual(['its', 'its']);
  });

  it('never reads what a link leads to that came in the way since it was decided', async () => {
    const { target, ...trees } = await treesOf(
      { 'home/u': { directory: true } },
      { 'home/u/d/shadow': { ...file('mine'), uid: 1000 }, 'home/u/own': { ...file('mine'), uid: 1000 } },
      { 'home/u': { directory: true } },
    );
    await writeTree(join(target, '../secret'), { shadow: { ...file('secret'), mode: 0o600 } });
    const plan = await planRebase(trees);
    renameSync(join(trees.oldView, 'home/u/d'), join(trees.oldView, 'home/u/away'));
    symlinkSync(join(target, '../secret'), join(trees.oldView, 'home/u/d'));
    // The same name, and a file that others may not read.
    rmSync(join(trees.oldView, 'home/u/own'));
    writeFileSync(join(trees.oldView, 'home/u/own'), 'secret', { mode: 0o600 });
    const warnings: string[] = [];
    await replay(plan, { target, warn: (line) => warnings.push(line) });
    expect(warnings).toEqual([
      '/home/u/d/shadow went away while it was carried',
      '/home/u/own went away while it was carried',
    ]);
    expect([shownIn(target, 'home/u/d/shadow'), shownIn(target, 'home/u/own')]).toEqual(['nothing', 'nothing']);
  });

  it('works below what is immutable, and leaves nothing of a try that was cut off', async () => {
    const { target, ...trees } = await treesOf(
      { 'etc/d/a': file('1'), 'etc/d/b': file('1') },
      { 'etc/d/a': file('2') },
      { 'etc/d/a': file('1'), 'etc/d/b': file('1') },
    );
    const plan = await planRebase(trees);
    await writeTree(join(target, '.holdfast-replay'), { '1': file('left') });
    chmodSync(join(target, '.holdfast-replay'), 0o700);
    await runChecked(['chattr', '+i', join(target, 'etc/d'), join(target, 'etc/d/a')]);
    await replay(plan, { target, warn: (line) => expect.unreachable(line) });
    const flags = await runChecked(['lsattr', '-d', join(target, 'etc/d'), join(target, 'etc/d/a')]);
    await runChecked(['chattr', '-i', join(target, 'etc/d')]);
    expect(flags.split('\n').map((line) => line.split(' ')[0]?.includes('i'))).toEqual([true, false, false]);
    expect([shownIn(target, 'etc/d/a'), shownIn(target, 'etc/d/b')]).toEqual(['2', 'nothing']);
    expect(shownIn(target, '.holdfast-replay')).toBe('nothing');
  });

  it('keeps what lost in the last try only, and what the owner has looked at', async () => {
    const done = await rebase(
      { 'usr/a': file('1'), 'usr/b': file('1') },
      { 'usr/a': file('mine'), 'usr/b': file('mine') },
      { 'usr/a': file('2'), 'usr/b': file('2') },
    );
    markDone(done.losers, new Set([2]));
    const [, ...rest] = done.plan.decisions;
    await saveLosers({ ...done.plan, decisions: rest }, done.losers);
    const [only, ...others] = listConflicts(done.losers);
    expect([only?.path, only?.number, only?.isDone, others]).toEqual(['usr/b', 1, true, []]);
    expect(readFileSync(join(done.losers, only?.content ?? ''), 'utf8')).toBe('mine');
    expect(readdirSync(done.losers).sort()).toEqual([only?.content, 'conflicts.json']);
    await saveLosers({ ...done.plan, decisions: [] }, done.losers);
    expect([listConflicts(done.losers), readdirSync(done.losers)]).toEqual([[], ['conflicts.json']]);
    forgetConflicts(done.losers);
    expect(listConflicts(done.losers)).toEqual([]);
  });

  it('can be turned around afterwards, conflict by conflict, and back', async () => {
    const mine = { ...file('mine'), mode: 0o4711, uid: 7, xattrs: { 'user.note': '01' } };
    const done = await rebase(
      { 'usr/a': file('1'), 'usr/gone': file('1'), 'etc/c': file('1') },
      { 'usr/a': mine, 'usr/link': { link: 'mine' }, 'etc/c': file('mine') },
      { 'usr/a': file('theirs'), 'usr/gone': file('2'), 'usr/link': { link: 'theirs' }, 'etc/c': file('theirs') },
    );
    const now = () => ['etc/c', 'usr/a', 'usr/gone', 'usr/link'].map((path) => shownIn(done.target, path));
    expect(listConflicts(done.losers).map(({ number, path }) => `${number} ${path}`)).toEqual([
      '1 etc/c',
      '2 usr/a',
      '3 usr/gone',
      '4 usr/link',
    ]);
    const { '.': _, ...before } = await wholeSnapshot(done.target);
    expect(now()).toEqual(['mine', 'theirs', '2', '-> theirs']);
    const options = { root: done.target, warn: (text: string) => expect.unreachable(text) };
    for (const number of [1, 2, 3, 4]) await takeConflict(done.losers, number, options);
    expect(now()).toEqual(['theirs', 'mine', 'nothing', '-> mine']);
    expect((await wholeSnapshot(done.target))['usr/a']).toEqual((await wholeSnapshot(done.trees.oldView))['usr/a']);
    expect(listConflicts(done.losers).map(({ winner, isDone }) => [winner, isDone])).toEqual([
      ['new', true],
      ['user', true],
      ['user', true],
      ['user', true],
    ]);
    for (const number of [1, 2, 3, 4]) await takeConflict(done.losers, number, options);
    expect(await wholeSnapshot(done.target)).toMatchObject(before);
    await expect(takeConflict(done.losers, 5, options)).rejects.toThrow('there is no conflict 5');
  });

  it('leaves conflicts alone that have no place any more', async () => {
    const done = await rebase({ 'usr/d/a': file('1') }, { 'usr/d/a': file('mine') }, { 'usr/d/a': file('theirs') });
    rmSync(join(done.target, 'usr/d'), { recursive: true });
    symlinkSync('/', join(done.target, 'usr/d'));
    const taken = takeConflict(done.losers, 1, { root: done.target, warn: () => {} });
    await expect(taken).rejects.toThrow('/usr/d is no directory of the system');
    rmSync(join(done.target, 'usr/d'));
    mkdirSync(join(done.target, 'usr/d/a/in'), { recursive: true });
    const again = takeConflict(done.losers, 1, { root: done.target, warn: () => {} });
    await expect(again).rejects.toThrow('/usr/d/a is a directory with files in it');
    expect(listConflicts(done.losers)).toHaveLength(1);
  });

  it('can be done on the tree that it was planned against, and again', async () => {
    const base = { 'etc/a': file('1\n2\n3\n4\n'), 'usr/m': file('x'), 'srv/gone': file('') };
    const view = { 'etc/a': file('one\n2\n3\n4\n'), 'usr/m': { ...file('x'), mode: 0o600 } };
    const next = { 'etc/a': file('1\n2\n3\nfour\n'), 'usr/m': file('y'), 'srv/gone': file('') };
    const { target, ...trees } = await treesOf(base, view, next);
    const plan = await planRebase({ ...trees, newBase: target });
    await replay(plan, { target, warn: (text) => expect.unreachable(text) });
    const tree = await wholeSnapshot(target);
    expect(text(target, 'etc/a')).toBe('one\n2\n3\nfour\n');
    expect(tree['usr/m']).toMatchObject({ mode: '600', size: 1 });
    await replay(await planRebase({ ...trees, newBase: trees.newBase }), {
      target,
      warn: (text) => expect.unreachable(text),
    });
    expect(await wholeSnapshot(target)).toEqual(tree);
  });
});

interface Case {
  title: string;
  base: NodeSpec;
  view?: NodeSpec;
  next?: NodeSpec;
  at: string;
  outcome: string;
  result: string;
}

/** One path each, all in one tree. */
const CASES: readonly Case[] = [
  {
    title: 'only the image changed it',
    base: file('a'),
    view: file('a'),
    next: file('b'),
    at: 'etc/x1',
    outcome: '-',
    result: 'b',
  },
  {
    title: 'only the user changed it',
    base: file('a'),
    view: file('b'),
    next: file('a'),
    at: 'usr/x2',
    outcome: 'changed',
    result: 'b',
  },
  {
    title: 'both made the same change',
    base: file('a'),
    view: file('b'),
    next: file('b'),
    at: 'etc/x3',
    outcome: 'converged',
    result: 'b',
  },
  { title: 'both deleted it', base: file('a'), at: 'etc/x4', outcome: 'converged', result: 'nothing' },
  {
    title: 'only the user deleted it',
    base: file('a'),
    next: file('a'),
    at: 'usr/x5',
    outcome: 'deleted',
    result: 'nothing',
  },
  {
    title: 'only the image deleted it',
    base: file('a'),
    view: file('a'),
    at: 'etc/x6',
    outcome: '-',
    result: 'nothing',
  },
  {
    title: 'both changed other lines of a text',
    base: file('1\n2\n3\n4\n5\n'),
    view: file('one\n2\n3\n4\n5\n'),
    next: file('1\n2\n3\n4\nfive\n'),
    at: 'etc/x7',
    outcome: 'merged',
    result: 'one\n2\n3\n4\nfive\n',
  },
  {
    title: 'the same outside /etc',
    base: file('1\n2\n3\n4\n5\n'),
    view: file('one\n2\n3\n4\n5\n'),
    next: file('1\n2\n3\n4\nfive\n'),
    at: 'opt/x8',
    outcome: 'both-changed user',
    result: 'one\n2\n3\n4\n5\n',
  },
  {
    title: 'both changed the same line',
    base: file('a\n'),
    view: file('b\n'),
    next: file('c\n'),
    at: 'etc/x9',
    outcome: 'both-changed user',
    result: 'b\n',
  },
  {
    title: 'the same below /usr',
    base: file('a\n'),
    view: file('b\n'),
    next: file('c\n'),
    at: 'usr/x10',
    outcome: 'both-changed new',
    result: 'c\n',
  },
  {
    title: 'changed and deleted',
    base: file('a'),
    view: file('b'),
    at: 'etc/x11',
    outcome: 'modify/delete user',
    result: 'b',
  },
  {
    title: 'changed and deleted below /usr',
    base: file('a'),
    view: file('b'),
    at: 'usr/libexec/x12',
    outcome: 'modify/delete new',
    result: 'nothing',
  },
  {
    title: 'deleted and changed',
    base: file('a'),
    next: file('b'),
    at: 'etc/x13',
    outcome: 'delete/modify user',
    result: 'nothing',
  },
  {
    title: 'deleted and changed below /usr',
    base: file('a'),
    next: file('b'),
    at: 'usr/x14',
    outcome: 'delete/modify new',
    result: 'b',
  },
  {
    title: 'a link and another file',
    base: file('a'),
    view: { link: 'y' },
    next: file('b'),
    at: 'etc/x15',
    outcome: 'type user',
    result: '-> y',
  },
  {
    title: 'a link and another file below /usr',
    base: file('a'),
    view: { link: 'y' },
    next: file('b'),
    at: 'usr/x16',
    outcome: 'type new',
    result: 'b',
  },
  {
    title: 'two links',
    base: file('a'),
    view: { link: 'y' },
    next: { link: 'z' },
    at: 'etc/x17',
    outcome: 'both-changed user',
    result: '-> y',
  },
  {
    title: 'a file that became a link',
    base: file('a'),
    view: { link: 'y' },
    next: file('a'),
    at: 'usr/x18',
    outcome: 'changed',
    result: '-> y',
  },
  {
    title: 'a link led elsewhere',
    base: { link: 'a' },
    view: { link: 'b' },
    next: { link: 'a' },
    at: 'usr/x19',
    outcome: 'changed',
    result: '-> b',
  },
  {
    title: 'identity',
    base: file('a'),
    view: file('b'),
    next: file('c'),
    at: 'etc/machine-id',
    outcome: 'changed',
    result: 'b',
  },
  {
    title: 'a log',
    base: file('a'),
    view: file('b'),
    next: file('c'),
    at: 'var/log/dpkg.log',
    outcome: 'changed',
    result: 'b',
  },
  {
    title: 'a cache',
    base: file('a'),
    view: file('bb'),
    next: file('c'),
    at: 'var/cache/x20',
    outcome: 'skipped',
    result: 'c',
  },
  {
    title: 'a kernel module',
    base: file('a'),
    view: file('bb'),
    next: file('a'),
    at: 'usr/lib/modules/6/x.ko',
    outcome: 'skipped',
    result: 'a',
  },
  {
    title: 'fstab',
    base: file('a'),
    view: file('bb'),
    next: file('c'),
    at: 'etc/fstab',
    outcome: 'skipped',
    result: 'c',
  },
  {
    title: 'the record of packages',
    base: file('a'),
    view: file('bb'),
    next: file('c'),
    at: 'var/lib/dpkg/status',
    outcome: 'skipped',
    result: 'c',
  },
];

describe('the decision table', () => {
  const beside = { 'etc/beside': file('x'), 'usr/libexec/beside': file('x'), 'opt/beside': file('x') };
  let done: Awaited<ReturnType<typeof rebase>>;
  beforeAll(async () => {
    const tree = (side: 'base' | 'view' | 'next') => {
      const nodes = CASES.flatMap((one) => (one[side] === undefined ? [] : [[one.at, one[side]] as const]));
      return { ...beside, ...Object.fromEntries(nodes) };
    };
    done = await rebase(tree('base'), tree('view'), tree('next'));
  });

  it.each(CASES)('$title', ({ view, next, at, outcome, result }) => {
    expect(done.outcomes[at] ?? '-').toBe(outcome);
    expect(shown(done, at)).toBe(result);
    // Who lost is kept; a deletion leaves nothing to keep.
    const winner = outcome.split(' ')[1];
    const kept = listConflicts(done.losers).find(({ path }) => path === at);
    expect(kept?.winner).toBe(winner);
    const lost = winner === 'user' ? next : view;
    if (winner !== undefined && lost !== undefined && 'file' in lost) {
      expect(readFileSync(join(done.losers, kept?.content ?? ''), 'latin1')).toBe(lost.file);
    }
  });
});

function file(content: string) {
  return { file: content };
}

/** What is at a path afterwards. */
function shown({ target }: { target: string }, path: string): string {
  return shownIn(target, path);
}

function shownIn(directory: string, path: string): string {
  const at = `${directory}/${path}`;
  const stats = lstatSync(at, { throwIfNoEntry: false });
  if (stats === undefined) return 'nothing';
  return stats.isSymbolicLink() ? `-> ${readlinkSync(at)}` : text(directory, path);
}

/** user::rw-, user:1000:rw-, group::r--, mask::rw-, other::r-- */
const ACL = [
  '02000000',
  '01000600ffffffff',
  '02000600e8030000',
  '04000400ffffffff',
  '10000600ffffffff',
  '20000400ffffffff',
].join('');
