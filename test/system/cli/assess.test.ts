// `holdfast assess` by hand, on a machine that nobody assesses: it looks, says what it found, and changes nothing.

import { existsSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { ensureExecutable } from '../../../lab/executable.ts';
import { run } from '../../../src/system/process.ts';

let executable: string;
beforeAll(async () => {
  executable = await ensureExecutable(() => {});
});

test('an option that there isn’t is refused', async () => {
  const result = await run([executable, 'assess', '--exprired']);
  expect(result.status).toBe(1);
  expect(result.stderr).toContain("unknown option '--exprired'");
});

test('a dry run says what would be looked at, and runs nothing', async () => {
  const result = await run([executable, 'assess', '--dry-run', '--json']);
  expect(result.status).toBe(0);
  const last = JSON.parse(result.stdout.trim().split('\n').at(-1) ?? '');
  expect(last).toMatchObject({ boot: 'none', outcome: 'planned' });
});

test('without a trial nothing is written', async () => {
  const result = await run([executable, 'assess', '--json']);
  const last = JSON.parse(result.stdout.trim().split('\n').at(-1) ?? '');
  expect(last.boot).toBe('none');
  expect(result.status).toBe(last.outcome === 'ok' ? 0 : 1);
  expect(['/run/holdfast/assessment.json', '/run/holdfast/assessed'].filter((file) => existsSync(file))).toEqual([]);
});

test('it needs root', async () => {
  const result = await run(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', executable, 'assess']);
  expect(result.status).toBe(58);
});
