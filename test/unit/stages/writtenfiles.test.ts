// What of a stage's output counts as the stage's own: whole files, links and removals, not files that it only edits.

import { createHash } from 'node:crypto';
import { lstatSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ProblemList } from '../../../src/cloudconfig/problem.ts';
import { Facts } from '../../../src/stages/facts.ts';
import { visitSteps } from '../../../src/stages/run.ts';
import { runStep } from '../../../src/stages/runstep.ts';
import { noteWritten } from '../../../src/stages/writtenfiles.ts';
import { WrittenPaths } from '../../../src/stages/writtenpaths.ts';
import { silent } from '../../../src/system/events.ts';
import type { Root } from '../../../src/system/root.ts';
import { REMOVED, readWrittenFiles, WRITTEN_FILES } from '../../../src/system/written-files.ts';
import { self, temporaryRoot } from './temporary-root.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** Runs steps and notes what they wrote. */
async function runAndNote(root: Root, steps: string): Promise<WrittenPaths> {
  const text = `stages:\n  s:\n${steps.replace(/^/gm, '    ')}\n`;
  const request = { stage: 's', root, sources: [], documents: [{ name: 'test.yaml', text }], events: silent };
  const written = new WrittenPaths();
  const facts = new Facts(root);
  await visitSteps(request, new ProblemList(), async (step) => {
    const { outcome } = await runStep(step, request, facts, () => {}, written);
    expect(outcome).toBe('ok');
  });
  noteWritten(root, written);
  return written;
}

/** The list, without mode and owner. */
const digests = (root: Root) => new Map([...readWrittenFiles(root)].map(([path, { digest }]) => [path, digest]));

const owner = `owner: ${self.uid}, group: ${self.gid}`;

it('whole files are the stage’s, also when it edits them afterwards; files that it only edits are not', async () => {
  const root = temporaryRoot({
    '/etc/mine': 'mine\n',
    '/etc/hosts': '127.0.0.1 localhost\n',
    '/etc/environment': 'A=1\n',
  });
  await runAndNote(
    root,
    `- files:
  - {path: /etc/whole, content: "whole\\n", ${owner}}
  - {path: /etc/whole, content: "and more\\n", append: true}
  - {path: /etc/mine, content: "theirs\\n", append: true}
  hostname: box
  environment: {B: "2"}`,
  );
  expect([...digests(root)]).toEqual([
    ['/etc/hostname', sha256('box\n')],
    ['/etc/whole', sha256('whole\nand more\n')],
  ]);
  expect(readWrittenFiles(root).get('/etc/whole')?.attributes).toBe(`644:${self.uid}:${self.gid}`);
  expect((lstatSync(root.resolve(WRITTEN_FILES)).mode & 0o777).toString(8)).toBe('600');
});

it('keeps what earlier stages wrote, and what was written through a link counts for the file', async () => {
  const root = temporaryRoot({ '/etc/target': 'old\n' });
  symlinkSync('target', join(root.directory, 'etc/link'));
  await runAndNote(root, `- files: [{path: /etc/first, content: "1\\n", ${owner}}]`);
  await runAndNote(root, `- files: [{path: /etc/link, content: "2\\n", ${owner}}]`);
  expect(digests(root)).toEqual(
    new Map([
      ['/etc/first', sha256('1\n')],
      ['/etc/target', sha256('2\n')],
    ]),
  );
});

it('what is in memory isn’t noted; removed paths and links are', () => {
  const root = temporaryRoot({ '/run/x': 'x', '/etc/gone': 'x' });
  const written = new WrittenPaths();
  rmSync(root.resolve('/etc/gone'));
  symlinkSync('../unit', join(root.directory, 'etc/enabled'));
  written.add('/run/x', 'whole');
  for (const path of ['/etc/gone', '/etc/enabled']) written.add(path, 'link');
  noteWritten(root, written);
  expect(digests(root)).toEqual(
    new Map([
      ['/etc/gone', REMOVED],
      ['/etc/enabled', sha256('../unit')],
    ]),
  );
});

it('a list that wouldn’t change isn’t written again', async () => {
  const root = temporaryRoot();
  const step = `- files: [{path: /etc/first, content: "1\\n", ${owner}}]`;
  await runAndNote(root, step);
  const before = lstatSync(root.resolve(WRITTEN_FILES), { bigint: true });
  await runAndNote(root, step);
  expect(lstatSync(root.resolve(WRITTEN_FILES), { bigint: true }).ctimeNs).toBe(before.ctimeNs);
});
