// One case of the corpus or the table of traps: a machine's files, stage files, the stages to run, and everything that
// must come of it: each path that differs afterwards, each warning, failure and skipped step, and nothing else.

import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished } from 'vitest';
import { z } from 'zod';
import { runStage, type StageResult } from '../../../src/stages/run.ts';
import { defaultSources } from '../../../src/stages/sources.ts';
import { silent } from '../../../src/system/events.ts';
import { Root } from '../../../src/system/root.ts';
import { installPrograms } from './small-root.ts';
import { differences, expectedEntry, plant, readTree, written } from './tree.ts';

export const stageCase = z.strictObject({
  /** What it shows. */
  about: z.string(),
  /** Run one after the other. */
  stages: z.array(z.string()),
  /** The machine before, over {@link PLAIN_SYSTEM}. */
  system: z.record(z.string(), written).default({}),
  /** Programs that only keep what they were called with, in /calls; with the lines of a script that they are. */
  stubs: z.record(z.string(), z.string()).default({}),
  /** Web pages by address; every other one is a 404. */
  http: z.record(z.string(), z.string()).default({}),
  /** The kernel command line. */
  commandLine: z.string().optional(),
  /** Stage files besides those that lie in the root. */
  documents: z.array(z.strictObject({ name: z.string(), text: z.string() })).default([]),
  tree: z.record(z.string(), written).default({}),
  warnings: z.array(z.string()).default([]),
  errors: z.array(z.string()).default([]),
  failures: z.array(z.string()).default([]),
  skipped: z.array(z.string()).default([]),
  /** What a second run changes again. */
  again: z.array(z.string()).default([]),
});
export type StageCase = z.infer<typeof stageCase>;

/** A machine that has been installed and not configured. */
const PLAIN_SYSTEM: StageCase['system'] = {
  '/etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n',
  '/etc/group': 'root:x:0:\nnogroup:x:65534:\n',
  '/etc/shadow': { content: 'root:*:19000:0:99999:7:::\nnobody:*:19000::::::\n', mode: '0600' },
  '/etc/gshadow': { content: 'root:*::\nnogroup:*::\n', mode: '0600' },
  '/etc/hosts': '127.0.0.1 localhost\n::1 localhost\n',
  '/etc/os-release':
    'ID="opensuse-leap"\nID_LIKE="suse opensuse"\nVERSION_ID="15.5"\nPRETTY_NAME="openSUSE Leap 15.5"\n',
  '/etc/machine-id': '3f1c9a7be04d4c0f8d9d2a6f5b8e7c61\n',
  '/etc/systemd/system': { dir: '0755' },
  '/oem': { dir: '0755' },
  '/system/oem': { dir: '0755' },
  '/usr/local': { dir: '0755' },
  '/var': { dir: '0755' },
  '/root': { dir: '0700' },
  '/home': { dir: '0755' },
  '/run': { dir: '0755' },
  '/tmp': { dir: '01777' },
  '/proc/sys/kernel/hostname': 'localhost\n',
};

const PROGRAMS = [
  'sh',
  'cat',
  'chmod',
  'chown',
  'cp',
  'cut',
  'grep',
  'ln',
  'ls',
  'mkdir',
  'mv',
  'rm',
  'sed',
  'sort',
  'sync',
  'touch',
  'tr',
];

let template: string | undefined;

afterAll(() => {
  if (template !== undefined) rmSync(template, { recursive: true, force: true });
});

/** Programs and libraries are copied once and linked into the roots of all cases; nothing writes to them. */
function programs(): string {
  if (template === undefined) {
    template = mkdtempSync(join(tmpdir(), 'holdfast-programs-'));
    installPrograms(template, PROGRAMS);
    mkdirSync(join(template, 'dev'));
    execFileSync('mknod', ['-m', '666', join(template, 'dev/null'), 'c', '1', '3']);
  }
  return template;
}

/**
 * Runs a case twice and compares everything.
 * @param files a directory with files of the machine, its stage files above all.
 */
export async function runCase(given: StageCase, files?: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-case-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  execFileSync('cp', ['-al', `${programs()}/.`, directory]);
  chmodSync(directory, 0o755);
  for (const [path, entry] of Object.entries({ ...PLAIN_SYSTEM, ...given.system })) plant(directory, path, entry);
  if (given.commandLine !== undefined) plant(directory, '/proc/cmdline', `${given.commandLine}\n`);
  for (const [name, script] of Object.entries(given.stubs)) {
    const path = join(directory, 'usr/bin', name);
    writeFileSync(path, `#!/bin/sh\necho "${name} $*" >>/calls\n${script}\n`);
    chmodSync(path, 0o755);
  }
  if (files !== undefined && existsSync(files)) {
    mkdirSync(directory, { recursive: true });
    cpSync(realpathSync(files), directory, { recursive: true, verbatimSymlinks: true });
    execFileSync('chown', ['-R', '0:0', directory]);
    for (const [path, entry] of Object.entries(given.system)) plant(directory, path, entry);
  }

  const before = readTree(directory, ['/dev']);
  const results = await runAll(given, directory);
  const after = readTree(directory, ['/dev']);
  expect({
    tree: differences(before, after),
    ...summarize(results),
  }).toEqual({
    tree: Object.fromEntries(Object.entries(given.tree).map(([path, entry]) => [path, expectedEntry(entry)])),
    warnings: given.warnings.map(text),
    errors: given.errors.map(text),
    failures: given.failures.map(text),
    skipped: given.skipped.map(text),
  });
  await runAll(given, directory);
  expect(Object.keys(differences(after, readTree(directory, ['/dev'])))).toEqual(given.again);
}

async function runAll(given: StageCase, directory: string): Promise<StageResult[]> {
  const commandLine = join(directory, 'proc/cmdline');
  const results: StageResult[] = [];
  for (const stage of given.stages) {
    const request = {
      stage,
      root: new Root(directory),
      sources: defaultSources,
      documents: given.documents,
      ...(given.commandLine === undefined ? {} : { commandLine }),
      events: silent,
      http: async (url: string) => {
        const body = given.http[url];
        return {
          url,
          status: body === undefined ? 404 : 200,
          headers: new Headers(),
          body: Buffer.from(body ?? 'not found'),
        };
      },
    };
    results.push(await runStage(request));
  }
  return results;
}

function summarize(results: readonly StageResult[]) {
  const problems = (severity: 'warning' | 'error') =>
    results.flatMap((result) =>
      result.problems
        .filter((problem) => problem.severity === severity)
        // Disks of the machine that runs the test are no part of a case.
        .filter(({ message }) => !/^datasource: [\w-]+: \/dev\//.test(message))
        .map(({ location, message }) => `${location.file}:${location.line}: ${message}`),
    );
  const steps = results.flatMap((result) => result.steps);
  const named = ({ name, file, line }: (typeof steps)[number]) => name ?? `${file}:${line}`;
  return {
    warnings: [...new Set(problems('warning'))],
    errors: [...new Set(problems('error'))],
    failures: steps.flatMap((step) => [
      ...step.keys.flatMap(({ key, error }) => (error === undefined ? [] : [`${named(step)}: ${key}: ${error}`])),
      ...(step.outcome === 'failed' && step.reason !== undefined ? [`${named(step)}: ${step.reason}`] : []),
    ]),
    skipped: steps.flatMap((step) => (step.outcome === 'skipped' ? [`${named(step)}: ${step.reason}`] : [])),
  };
}

/** A text as it is; one between slashes is a pattern. */
function text(expected: string): unknown {
  const pattern = expected.match(/^\/(.*)\/$/s)?.[1];
  return pattern === undefined ? expected : expect.stringMatching(new RegExp(pattern));
}
