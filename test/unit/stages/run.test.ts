// A stage as a whole: which steps run in which order, and that nothing which fails stops or hides anything else.

import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { planStage } from '../../../src/stages/plan.ts';
import { runStage, type StageRequest } from '../../../src/stages/run.ts';
import { defaultSources } from '../../../src/stages/sources.ts';
import type { Event } from '../../../src/system/events.ts';
import { silent } from '../../../src/system/events.ts';
import { Root } from '../../../src/system/root.ts';
import { failuresOf, runSteps, self, temporaryRoot } from './temporary-root.ts';

const host = new Root('/');

/** A step whose name is its mark, and that runs without any program. */
const mark = (name: string) =>
  `{name: ${name}, directories: [{path: /d, permissions: 0755, owner: ${self.uid}, group: ${self.gid}}]}`;
const request = (root: Root, sources: readonly string[], stage = 'boot'): StageRequest => ({
  stage,
  root,
  sources,
  events: silent,
});
const namesOf = async (stageRequest: StageRequest) =>
  (await runStage(stageRequest)).steps.map(({ name, subStage }) => `${subStage} ${name}`);

it('the default sources are the image, the OEM partition and the persistent partition, in this order', () => {
  expect(defaultSources).toEqual(['/system/oem', '/oem', '/usr/local/cloud-config']);
});

it('all before steps of all sources come first, then the stage, then all after steps', async () => {
  const root = temporaryRoot({
    'oem/a.yaml': `stages: {boot.after: [${mark('a3')}], boot: [${mark('a2')}], boot.before: [${mark('a1')}]}`,
    'usr/local/cloud-config/b.yaml': `stages: {boot.after: [${mark('b3')}], boot: [${mark('b2')}], boot.before: [${mark('b1')}]}`,
  });
  const documents = [{ name: '<cmdline>', text: `stages: {boot: [${mark('c')}]}` }];
  expect(await namesOf({ ...request(root, defaultSources), documents })).toEqual([
    'boot.before a1',
    'boot.before b1',
    'boot a2',
    'boot b2',
    'boot c',
    'boot.after a3',
    'boot.after b3',
  ]);
});

it('files of a directory come by byte value of their names, deep ones in between, by extension only', async () => {
  const root = temporaryRoot();
  const file = (path: string) => {
    mkdirSync(join(root.directory, 'oem', path, '..'), { recursive: true });
    writeFileSync(join(root.directory, 'oem', path), `stages: {boot: [${mark(path)}]}`);
  };
  for (const path of ['b.yaml', 'b/x.yaml', 'a.yaml', 'B.yaml', '.hid/z.yaml', '.h.yaml', '.yaml', 'd.yaml/in.yml'])
    file(path);
  for (const path of ['x.YAML', 'x.yaml~', 'x.yaml.bak', 'x.json', 'yaml']) file(path);
  expect(await namesOf(request(root, ['/oem/']))).toEqual(
    ['.h.yaml', '.hid/z.yaml', '.yaml', 'B.yaml', 'a.yaml', 'b/x.yaml', 'b.yaml', 'd.yaml/in.yml'].map(
      (p) => `boot ${p}`,
    ),
  );
});

it('a source may be a link to a directory or a file of any name; links inside are judged by their own name', async () => {
  const root = temporaryRoot({
    'data/one.yaml': `stages: {boot: [${mark('one')}]}`,
    'data/two.txt': `stages: {boot: [${mark('two')}]}`,
  });
  // Absolute inside of the root, as it would be after a chroot.
  symlinkSync('/data', join(root.directory, 'oem'));
  symlinkSync('/data/two.txt', join(root.directory, 'data/three.yaml'));
  symlinkSync('/data', join(root.directory, 'data/loop'));
  expect(await namesOf(request(root, ['/oem', '/data/two.txt', '/missing', '/missing.yaml']))).toEqual([
    'boot one',
    'boot two',
    'boot two',
  ]);
});

it('one bad file is reported and the others run', async () => {
  const root = temporaryRoot({
    'oem/01.yaml': `stages: {boot: [${mark('one')}]}`,
    'oem/02.yaml': 'stages:\n  boot:\n    - name: "two\n',
    'oem/03.yaml': `stages: {boot: [${mark('three')}]}`,
  });
  symlinkSync('/nowhere', join(root.directory, 'oem/04.yaml'));
  writeFileSync(join(root.directory, 'oem/05.yaml'), Buffer.from([0x61, 0x3a, 0x20, 0xff]));
  const result = await runStage(request(root, ['/oem']));
  expect(result.steps.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual(['one ok', 'three ok']);
  expect(result.outcome).toBe('failed');
  expect(result.problems.map(({ location, message }) => `${location.file}:${location.line}: ${message}`)).toEqual([
    '/oem/02.yaml:3: the YAML is broken: the quote that opens here is not closed',
    "/oem/04.yaml:1: the file can't be read: it is a link to nothing",
    "/oem/05.yaml:1: the file can't be read: it is no UTF-8 text",
  ]);
});

it('problems of other stages of a file are not told by this one', async () => {
  const root = temporaryRoot({ 'oem/a.yaml': `stages: {boot: [${mark('a')}], network: [{commands: {a: b}}]}` });
  expect((await runStage(request(root, ['/oem']))).outcome).toBe('ok');
  expect((await runStage(request(root, ['/oem'], 'network'))).outcome).toBe('failed');
});

it('a file that an earlier source wrote is seen by a later one in the same stage', async () => {
  const root = temporaryRoot({
    'system/oem/00.yaml': `stages: {boot: [{files: [{path: /oem/user.yaml, permissions: 0600, owner: ${self.uid}, group: ${self.gid}, content: "stages: {boot: [${mark('late')}], boot.before: [${mark('early')}]}"}]}]}`,
  });
  mkdirSync(join(root.directory, 'oem'));
  expect(await namesOf(request(root, ['/system/oem', '/oem']))).toEqual(['boot undefined', 'boot late']);
});

it('a stage without steps is skipped, one whose steps are all skipped too', async () => {
  const root = temporaryRoot({ 'oem/a.yaml': 'stages: {other: [{if_files: {all: [/nowhere]}}]}' });
  expect((await runStage(request(root, ['/oem']))).outcome).toBe('skipped');
  const result = await runStage(request(root, ['/oem'], 'other'));
  expect([result.outcome, result.steps[0]?.outcome, result.steps[0]?.reason]).toEqual([
    'skipped',
    'skipped',
    'if_files: /nowhere is not there',
  ]);
});

it('a failing key stops neither the other keys of its step nor the next steps', async () => {
  const result = await runSteps(
    host,
    '- {name: one, commands: [exit 3, "true"], hostname: "a b"}\n- {name: two, commands: ["true"]}',
  );
  expect(result.steps.map(({ name, outcome, keys }) => [name, outcome, keys.map(({ outcome: o }) => o)])).toEqual([
    ['one', 'failed', ['failed', 'failed']],
    ['two', 'ok', ['ok']],
  ]);
  expect(result.outcome).toBe('failed');
});

it('a user can be made only where accounts are', async () => {
  const result = await runSteps(temporaryRoot(), '- users: {bob: {}}');
  expect(failuresOf(result)).toEqual(['users: there is no file /etc/passwd to put accounts into']);
});

it('a step with a condition that has the wrong type does not run', async () => {
  const root = temporaryRoot();
  const result = await runSteps(root, '- {if: [a], directories: [{path: /d, permissions: 0755}]}');
  expect(failuresOf(result)).toEqual([`the condition "if" can't be used, see the file's problems`]);
  expect(root.exists('/d')).toBe(false);
});

it('a key with the wrong type fails alone', async () => {
  const root = temporaryRoot();
  const result = await runSteps(
    root,
    `- {commands: {a: b}, directories: [{path: /d, permissions: 0755, owner: ${self.uid}, group: ${self.gid}}]}`,
  );
  expect(failuresOf(result)).toEqual([`commands: its value can't be used, see the file's problems`]);
  expect(root.exists('/d')).toBe(true);
  expect(result.problems[0]?.message).toBe('commands: this must be a list, not a mapping');
});

it('keys take effect in the order of the originals, not of the file', async () => {
  const root = temporaryRoot();
  const path = join(root.directory, 'f');
  const result = await runSteps(
    host,
    `- environment: {A: 1}\n  environment_file: ${path}.env\n  commands: ["cat ${path} > ${path}.seen; test ! -e ${path}.env"]\n  files: [{path: "${path}", permissions: 0600, owner: ${self.uid}, group: ${self.gid}, content: x}]`,
  );
  expect(failuresOf(result)).toEqual([]);
  expect(readFileSync(`${path}.seen`, 'utf8')).toBe('x');
  expect(result.steps[0]?.changedFiles).toEqual([path, `${path}.env`]);
});

it('an interruption ends the running command and is thrown', async () => {
  const abort = new AbortController();
  const events: Event[] = [];
  const running = runStage({
    stage: 's',
    root: host,
    sources: [],
    documents: [
      {
        name: 't',
        text: 'stages: {s: [{commands: ["echo started; exec sleep 1000", "echo second"]}, {commands: [echo third]}]}',
      },
    ],
    signal: abort.signal,
    events: (event) => {
      events.push(event);
      if (event.type === 'output') abort.abort();
    },
  });
  await expect(running).rejects.toMatchObject({ code: 'HF-INTERRUPTED' });
  expect(events.filter(({ type }) => type === 'output')).toEqual([{ type: 'output', text: 'started' }]);
});

it('a plan names steps in order with their conditions and runs nothing', async () => {
  const root = temporaryRoot({
    'oem/a.yaml':
      'stages:\n  boot:\n    - name: one\n      if: "[ -e /x ] &&\\n true"\n      if_files: {none: [/y]}\n      commands: [touch /x]\n      files: [{path: /f, permissions: 0600}]\n      users: {a: {}}\n      hostname: [a]\n',
  });
  const plan = await planStage({ stage: 'boot', root, sources: ['/oem'] });
  expect(plan.steps).toEqual([
    {
      number: 1,
      subStage: 'boot',
      file: '/oem/a.yaml',
      line: 3,
      name: 'one',
      after: [],
      outcome: 'depends',
      conditions: ['if: [ -e /x ] && …', 'if_files none: /y'],
      keys: [
        { key: 'files', actions: ['write /f (0600)'] },
        { key: 'commands', actions: ['run: touch /x'] },
        { key: 'hostname', actions: [], problem: "its value can't be used" },
        { key: 'users', actions: ['make sure that the user a is there'] },
      ],
    },
  ]);
  expect(plan.problems.map(({ message }) => message)).toEqual(['hostname: this must be text, not a list']);
});

it('what a failing command says goes into the result without the step’s secrets', async () => {
  const text = `stages:
  boot:
    - commands: ["echo geheim-1 and --token abcdefg; false", "exit 3 # PASSWORD=hijklmn"]
      environment_file: /nonexistent/geheim-1
      git: {auth: {password: geheim-1}}
`;
  const documents = [{ name: 'a.yaml', text }];
  const result = JSON.stringify(await runStage({ stage: 'boot', root: host, sources: [], documents, events: silent }));
  expect(result).toContain('echo *** and --token ***');
  expect(result).not.toMatch(/geheim-1|abcdefg|hijklmn/);
});
