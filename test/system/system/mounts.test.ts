// Mounts as the kernel knows them: a path that goes through a link is the same place, and nothing stays behind there.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listMounts, mount, mountAt, unmount } from '../../../src/system/mounts.ts';
import { run } from '../../../src/system/process.ts';
import { processesBelow } from '../../../src/system/processes.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-mounts-'));
  mkdirSync(join(directory, 'real'));
  symlinkSync('real', join(directory, 'link'));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

test('what is mounted through a link is found and unmounted through it', async () => {
  const place = join(directory, 'link/here');
  await mount('tmpfs', place, { type: 'tmpfs' });
  expect(mountAt(place)?.mountPoint).toBe(join(directory, 'real/here'));
  await unmount(place);
  expect(listMounts().filter(({ mountPoint }) => mountPoint.startsWith(directory))).toEqual([]);
});

test('a process that lives below a link is found by it', async () => {
  const seen: string[] = [];
  const ended = run(['sh', '-c', 'echo there; sleep 60'], {
    cwd: join(directory, 'link'),
    timeoutMs: 20_000,
    onLine: () => {
      seen.push(...processesBelow(join(directory, 'link')).map(({ command }) => command));
      for (const { pid } of processesBelow(join(directory, 'link'))) process.kill(pid, 'SIGKILL');
    },
  });
  await ended.catch(() => {});
  expect(seen).toContain('sh');
});
