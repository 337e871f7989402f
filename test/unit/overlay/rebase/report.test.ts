// What the report says, line by line, and what programs get.

import { describe, expect, it } from 'vitest';
import type { Decision, RebasePlan } from '../../../../src/overlay/rebase/model.ts';
import { countOutcomes, reportJson, reportLines } from '../../../../src/overlay/rebase/report.ts';
import { anObject } from './objects.ts';

function decision(given: Partial<Decision> & { path: string }): Decision {
  return {
    target: given.path,
    class: 'configuration',
    outcome: 'added',
    reason: 'you added it',
    rule: 'table',
    wish: { want: 'object', object: anObject({}), content: { from: 'view', path: given.path } },
    before: undefined,
    view: anObject({ digest: 'sha256:0a' }),
    base: undefined,
    ...given,
  };
}

function planOf(decisions: Decision[], given: Partial<RebasePlan> = {}): RebasePlan {
  return {
    trees: { oldBase: '/a', oldView: '/b', newBase: '/c' },
    changes: {
      changes: [],
      linked: [],
      entries: 9,
      changedBytes: 4096,
      addedEntries: 1,
      seen: new Map(),
      warnings: [],
    },
    decisions,
    implied: [],
    accountConflicts: [],
    owners: { uids: new Map(), gids: new Map() },
    regenerate: [],
    warnings: [],
    ...given,
  };
}

const PLAN = planOf(
  [
    decision({ path: 'etc/added' }),
    decision({ path: 'etc/changed', outcome: 'changed' }),
    decision({
      path: 'etc/chrony.conf',
      outcome: 'conflict',
      conflict: { kind: 'both-changed', winner: 'user' },
      reason: 'both changed its content',
      rule: 'class:configuration',
      before: anObject({}),
      base: anObject({ mode: 0o600 }),
    }),
    decision({ path: 'etc/gone', outcome: 'deleted', wish: { want: 'absent' }, view: undefined }),
    decision({ path: 'etc/mode', outcome: 'metadata' }),
    decision({ path: 'etc/ssh/sshd_config', outcome: 'merged' }),
    decision({ path: 'etc/\xff\x1b[2J', outcome: 'converged', wish: { want: 'base' } }),
    decision({
      path: 'opt/old',
      outcome: 'conflict',
      conflict: { kind: 'delete/grow', winner: 'new' },
      wish: { want: 'base' },
      view: undefined,
      base: anObject({ type: 'directory' }),
    }),
    decision({
      path: 'usr/libexec/foo.sh',
      class: 'vendor',
      outcome: 'conflict',
      conflict: { kind: 'modify/delete', winner: 'new' },
      wish: { want: 'base' },
    }),
    decision({
      path: 'var/cache/x',
      class: 'regenerated',
      outcome: 'skipped',
      rule: 'class:regenerated',
      reason: 'it is made again',
      wish: { want: 'base' },
    }),
    decision({
      path: 'var/x',
      outcome: 'skipped',
      rule: 'stage-log',
      reason: 'a stage wrote it',
      wish: { want: 'base' },
    }),
  ],
  {
    accountConflicts: [{ path: 'etc/passwd', record: 'lisa', winner: 'new', text: 'lisa is 1001 now' }],
    warnings: ['something to know'],
  },
);

describe('the report', () => {
  it('of a plan with everything', () => {
    const lines = reportLines(PLAN, {
      heading: 'overlay LABEL=DATA:/persist.img',
      packages: ['install vim 9.0 (archived file)', 'remove nano'],
      closing: ['new overlay: 3085 MiB, cannot overflow'],
    });
    expect(lines.map((line) => line.trimEnd())).toEqual([
      'overlay LABEL=DATA:/persist.img',
      '  apply         3   1 added, 1 changed, 1 deleted   metadata 1',
      '  merged        1   /etc/ssh/sshd_config',
      '  converged     1   already in the new image',
      '  packages      2   install vim 9.0 (archived file), remove nano',
      '  skipped       2   regenerated, stage-log (list: overlay plan --all)',
      '  CONFLICTS     4',
      '   1 both-changed   /etc/chrony.conf                         keeping yours (the new image’s saved) (--take new:1 to flip)',
      '   2 delete/grow    /opt/old                                 keeping the directory for the new image’s files (--take mine:2 to flip)',
      '   3 modify/delete  /usr/libexec/foo.sh                      following new image (yours saved) (--take mine:3 to flip)',
      '   - account        /etc/passwd: lisa                        lisa is 1001 now',
      '  note: something to know',
      'new overlay: 3085 MiB, cannot overflow',
    ]);
  });

  it('lists what is skipped when that is asked for', () => {
    expect(reportLines(PLAN, { all: true })).toEqual(
      expect.arrayContaining(['     /var/cache/x: it is made again', '     /var/x: a stage wrote it']),
    );
  });

  it('of nothing at all', () => {
    expect(reportLines(planOf([]))).toEqual(['  apply         0   0 added, 0 changed, 0 deleted']);
  });

  it('says the same to programs, with every side', () => {
    const json = reportJson(PLAN, { applied: 5, writtenBytes: 0 });
    expect(JSON.parse(JSON.stringify(json))).toEqual(json);
    expect(json.counts).toEqual(countOutcomes(PLAN));
    expect(json.applied).toBe(5);
    expect(json.paths[2]).toMatchObject({
      path: '/etc/chrony.conf',
      action: 'conflict',
      result: 'user',
      rule: 'class:configuration',
      conflict: { number: 1, kind: 'both-changed', winner: 'user' },
      before: { type: 'file', mode: '0644' },
      view: { digest: 'sha256:0a' },
      base: { mode: '0600' },
    });
    expect(json.paths[8]).toMatchObject({ result: 'new', conflict: { number: 3 }, base: null });
    expect(json.paths[3]).toMatchObject({ result: 'deleted', view: null });
    expect(json.paths[6]).toMatchObject({ pathBytes: Buffer.from('etc/\xff\x1b[2J', 'latin1').toString('hex') });
    expect(json.accounts).toEqual([{ path: '/etc/passwd', record: 'lisa', winner: 'new', text: 'lisa is 1001 now' }]);
  });
});
