// Running external programs: status, output, limits, interruption.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run, runChecked, tailOf } from '../../../src/system/process.ts';

test('status, standard output and standard error are kept apart', async () => {
  const result = await run(['sh', '-c', 'echo out; echo err >&2; exit 3']);
  expect(result).toMatchObject({ status: 3, signal: null, stdout: 'out\n', stderr: 'err\n' });
});

test('arguments reach the program as they are, whatever they contain', async () => {
  const odd = `$(touch x); 'a' "b" \n ü`;
  expect(await runChecked(['printf', '%s', odd])).toBe(odd);
});

test('a missing program is named with its package', async () => {
  await expect(run(['mkfs.xfs-not-here'])).rejects.toMatchObject({ code: 'HF-TOOL-MISSING' });
  await expect(run(['mcopy'], { env: { PATH: '/nonexistent' } })).rejects.toMatchObject({
    hint: 'install the package mtools',
  });
});

test('a failed program shows the end of what it printed', async () => {
  await expect(runChecked(['sh', '-c', 'seq 1 100 >&2; exit 1'])).rejects.toMatchObject({
    code: 'HF-COMMAND',
    message: 'sh -c seq 1 100 >&2; exit 1 failed with status 1',
    outputTail: tailOf(Array.from({ length: 100 }, (_, i) => String(i + 1)).join('\n')),
  });
});

test('output beyond the limit loses its oldest part', async () => {
  const { stdout } = await run(['sh', '-c', 'seq 1 20000'], { maxOutputBytes: 1000 });
  expect(stdout.length).toBe(1000);
  expect(stdout.endsWith('19999\n20000\n')).toBe(true);
});

test('lines arrive whole while the program runs', async () => {
  const lines: string[] = [];
  await run(['sh', '-c', 'printf one; printf "two\\nthree"; echo err >&2'], {
    onLine: (line, stream) => lines.push(`${stream}:${line}`),
  });
  expect(lines.sort()).toEqual(['stderr:err', 'stdout:onetwo', 'stdout:three']);
});

test('an interruption ends the program and everything that it started', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-process-'));
  const pidFile = join(directory, 'pid');
  const controller = new AbortController();
  const work = run(['sh', '-c', `sleep 1000 & echo $! > ${pidFile}; echo ready; wait`], {
    signal: controller.signal,
    onLine: () => controller.abort(),
  });
  await expect(work).rejects.toMatchObject({ code: 'HF-INTERRUPTED' });
  const pid = readFileSync(pidFile, 'utf8').trim();
  rmSync(directory, { recursive: true });
  // A zombie that nobody has waited for yet is ended too.
  const isRunning = () => existsSync(`/proc/${pid}`) && !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  await expect.poll(isRunning).toBe(false);
});

test('a program that ignores SIGTERM is killed after the grace time', async () => {
  const controller = new AbortController();
  const work = run(['sh', '-c', 'trap "" TERM; echo ready; while :; do sleep 0.05; done'], {
    signal: controller.signal,
    graceMs: 100,
    onLine: () => controller.abort(),
  });
  await expect(work).rejects.toMatchObject({ code: 'HF-INTERRUPTED' });
});

test('a time limit is an error that names it', async () => {
  await expect(run(['sleep', '1000'], { timeoutMs: 50 })).rejects.toThrow('did not finish within 50 ms');
});

test('standard input is what was given, and empty otherwise', async () => {
  expect(await runChecked(['cat'], { input: 'text' })).toBe('text');
  expect(await runChecked(['cat'])).toBe('');
});
