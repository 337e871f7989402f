// `overlay conflicts` on a disk that isn't in use: what lost is listed and shown without anything that a terminal would obey,
// nothing is put into a system that it doesn't belong to, and what is done goes.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { runCli } from '../../../src/cli/program.ts';
import type { Reporter } from '../../../src/cli/reporter.ts';
import { type Loser, writeConflicts } from '../../../src/overlay/rebase/losers.ts';
import { messageOf } from '../../../src/system/errors.ts';
import { PLAIN } from '../../../src/system/paint.ts';
import { anObject } from '../overlay/rebase/objects.ts';

const disk = mkdtempSync(join(tmpdir(), 'holdfast-conflicts-'));
const kept = join(disk, 'p.img.conflicts/20260101T000000Z');
const loser = (number: number, given: Partial<Loser>): Loser => ({
  number,
  path: `etc/none-${number}`,
  kind: 'both-changed',
  winner: 'user',
  object: anObject({}),
  isDone: false,
  ...given,
});

beforeAll(() => {
  vi.spyOn(process, 'getuid').mockReturnValue(0);
  mkdirSync(kept, { recursive: true });
  const link = anObject({ type: 'symlink', linkTarget: 'a\x1b[2J' });
  writeConflicts(kept, {
    to: 'a'.repeat(64),
    losers: [
      loser(1, { content: '1' }),
      loser(2, { path: 'etc/\x1b]0;x\x07', winner: 'new', object: link }),
      loser(3, { kind: 'delete/modify', object: undefined }),
    ],
  });
  writeFileSync(join(kept, '1'), 'lost\n');
});

afterAll(() => rmSync(disk, { recursive: true, force: true }));

async function conflicts(...args: string[]): Promise<unknown> {
  const said: unknown[] = [];
  const reporter: Reporter = {
    events: () => {},
    result: (_, lines) => said.push(lines),
    error: (error) => {
      said.push(messageOf(error));
      return 1;
    },
    paint: PLAIN,
  };
  await runCli(['overlay', 'conflicts', ...args, '--set', join(disk, 'p.img')], () => reporter);
  return said[0];
}

it('are listed, shown, left alone where they do not belong, and removed when they are done', async () => {
  expect(await conflicts()).toEqual([
    '20260101T000000Z',
    '    1 both-changed   /etc/none-1   yours is in place, the image’s is kept',
    '    2 both-changed   /etc/\\u001b]0;x\\u0007   the image’s is in place, yours is kept',
    '    3 delete/modify  /etc/none-3   yours is in place, the image’s is kept',
  ]);
  expect(await conflicts('show', '1', '2', '3')).toEqual([
    '1 both-changed   /etc/none-1   yours is in place, the image’s is kept',
    '  what lost: file, mode 644, owner 0:0',
    '  there is nothing now',
    '2 both-changed   /etc/\\u001b]0;x\\u0007   the image’s is in place, yours is kept',
    '  what lost: symlink, mode 644, owner 0:0',
    '  it leads to a\\u001b[2J',
    '3 delete/modify  /etc/none-3   yours is in place, the image’s is kept',
    '  what lost is that it was deleted',
  ]);
  expect(await conflicts('take', '1')).toBe(
    '20260101T000000Z can not be taken: this system does not run from that overlay',
  );
  expect(await conflicts('show', '9')).toBe('there is no conflict 9 in 20260101T000000Z');
  expect(await conflicts('flip')).toBe('"flip" is none of list, show, take, done');
  expect(await conflicts('done', '--dry-run')).toEqual(['Would remove all that was kept of 20260101T000000Z.']);
  expect(await conflicts('done', '1')).toEqual(['2 of 20260101T000000Z are open.']);
  expect(await conflicts()).toContain('    1 both-changed   /etc/none-1   done');
  expect(readdirSync(kept)).toHaveLength(2);
  expect(await conflicts('done')).toEqual(['All of 20260101T000000Z is done; what lost is removed.']);
  expect(await conflicts()).toEqual(['No conflicts.']);
});
