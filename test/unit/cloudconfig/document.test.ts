// Whole documents: the shapes that people's files have, what is made of odd ones, and where problems are said to be.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseCloudConfig } from '../../../src/cloudconfig/document.ts';
import { ACTION_KEYS, STEP_FIELDS } from '../../../src/cloudconfig/stepkeys.ts';
import { renderLocation } from '../../../src/system/errors.ts';

const fixtures = new URL('../../fixtures/cloud-config/', import.meta.url);
const fixture = (name: string) => parseCloudConfig(readFileSync(new URL(name, fixtures), 'utf8'), name);
const commandsOf = (result: ReturnType<typeof parseCloudConfig>, stage: string) =>
  result.document?.stages.get(stage)?.map(({ values }) => values.commands);

describe('good files', () => {
  it('the example with a name between two stages keys works, with a warning in line 3', () => {
    const result = fixture('good/install-duplicate-stages.yaml');
    expect(result.document?.name).toBe('Install something');
    expect(commandsOf(result, 'after-upgrade-chroot')).toEqual([['apt-get install -y vim']]);
    expect(result.problems).toHaveLength(1);
    const [problem] = result.problems;
    expect(problem?.severity).toBe('warning');
    expect(problem && renderLocation(problem.location)).toBe('good/install-duplicate-stages.yaml:3:1\n  stages:\n  ^');
  });

  it('anchors, aliases and merge keys stand for independent copies', () => {
    const { document, problems } = fixture('good/boot-assessment-anchors.yaml');
    expect(problems.map(({ message }) => message)).toEqual([
      'files[0]: the key "permsisions" is read as "permissions"',
    ]);
    const steps = document?.stages.get('after-upgrade') ?? [];
    expect(steps.map(({ values, line }) => [line, values.name])).toEqual([
      [23, 'Mount the state partition'],
      [24, 'Write the hook again'],
      [26, 'Unmount'],
      [27, 'Unmount'],
    ]);
    expect(steps[1]?.values.files).toEqual([
      {
        path: '/tmp/mnt/STATE/hook',
        permissions: 0o600,
        owner: 0,
        group: 0,
        content: 'set hook=1\n# a backslash stays: \\\n',
      },
    ]);
    // In a list of merged mappings the earlier wins; what only the later has is added.
    expect(steps[2]?.values).toEqual({
      name: 'Unmount',
      if: '[ ! -e "/tmp/mnt/STATE" ]',
      commands: ['umount /tmp/mnt/STATE'],
    });
  });

  it('two steps of the same name are both kept', () => {
    const { document, problems } = fixture('good/rootfs-layout.yaml');
    expect(problems).toEqual([]);
    expect(document?.stages.get('rootfs')?.map(({ index, line, column }) => [index, line, column])).toEqual([
      [0, 10, 7],
      [1, 16, 7],
    ]);
  });

  it('a byte order mark and Windows line ends are nothing special', () => {
    const result = fixture('good/bom-and-crlf.yaml');
    expect(result.problems).toEqual([]);
    expect(commandsOf(result, 'boot')).toEqual([['echo one', 'echo two\necho three\n']]);
  });

  it('every key of a step is decoded', () => {
    const { document, problems } = fixture('good/every-key.yaml');
    expect(problems).toEqual([]);
    const [step] = document?.stages.get('boot') ?? [];
    expect(step?.rejected).toEqual([]);
    expect(Object.keys(step?.values ?? {}).sort()).toEqual(Object.keys(STEP_FIELDS).sort());
    expect(step?.values.layout?.add_partitions?.[0]?.size).toBe(1024);
  });

  it.each(['good/empty.yaml', 'good/comment-only.yaml'])('%s has no stages and no problems', (name) => {
    const { document, problems } = fixture(name);
    expect([...(document?.stages ?? [['none', []]])]).toEqual([]);
    expect(problems).toEqual([]);
  });

  it('the stages of a #cloud-config file are used, its keys become steps, and what has no effect is told', () => {
    const result = fixture('good/cloud-init.yaml');
    expect(result.document?.cloudInit).toBe(true);
    expect(commandsOf(result, 'network')).toEqual([['echo network']]);
    expect(result.problems.map(({ location, message }) => `${location.line}: ${message}`)).toEqual([
      '7: "timezone" of cloud-init has no effect here',
    ]);
  });
});

describe('bad files say where and why', () => {
  it.each([
    ['bad/tab.yaml', '3:1', 'the YAML is broken: a tab is used for indentation'],
    ['bad/unclosed-bracket.yaml', '3:17', 'the YAML is broken: the bracket that opens here is not closed'],
    ['bad/two-colons.yaml', '5:13', 'the YAML is broken: a second ": " in one line'],
    ['bad/unclosed-quote.yaml', '3:13', 'the YAML is broken: the quote that opens here is not closed'],
    ['bad/dedented-item.yaml', '6:6', 'the YAML is broken: a list item does not begin with "- "'],
    ['bad/text-only.yaml', '1:1', 'this must be a mapping with the key "stages", not a single value'],
    ['bad/alias-bomb.yaml', '253:7', 'the file expands to more than 250000 values'],
  ])('%s gives no document but %s %s', (name, place, message) => {
    const { document, problems } = fixture(name);
    expect(document).toBeUndefined();
    expect(problems).toHaveLength(1);
    const [problem] = problems;
    expect(problem?.severity).toBe('error');
    expect(problem?.message).toBe(message);
    expect(`${problem?.location.line}:${problem?.location.column}`).toBe(place);
  });

  it.each([
    ['bad/stage-as-mapping.yaml', '3:5', 'the stage "boot": this must be a list of steps, not a mapping'],
    [
      'bad/stage-names-as-list.yaml',
      '2:3',
      'stages: this must be a mapping of stage names to lists of steps, not a list',
    ],
  ])('%s: %s %s', (name, place, message) => {
    const [problem] = fixture(name).problems;
    expect(problem?.message).toBe(message);
    expect(`${problem?.location.line}:${problem?.location.column}`).toBe(place);
  });
});

describe('odd shapes', () => {
  it('two stages mappings become one, a repeated stage is the later one', () => {
    const result = parseCloudConfig(
      'stages: {a: [{commands: [1]}], b: [{commands: [2]}]}\nstages: {a: [{commands: [3]}]}\n',
      'f',
    );
    expect(commandsOf(result, 'a')).toEqual([['3']]);
    expect(commandsOf(result, 'b')).toEqual([['2']]);
    expect(result.problems.map(({ severity }) => severity)).toEqual(['warning', 'warning']);
  });

  it('stage: is read as stages:', () => {
    const result = parseCloudConfig('stage:\n  boot:\n    - commands: [a]\n', 'f');
    expect(commandsOf(result, 'boot')).toEqual([['a']]);
    expect(result.problems.map(({ message }) => message)).toEqual(['the key "stage" is read as "stages"']);
  });

  it('name and stages that were indented below stages are lifted', () => {
    const result = parseCloudConfig('stages:\n  name: Install\n  stages:\n    boot:\n      - commands: [a]\n', 'f');
    expect(result.document?.name).toBe('Install');
    expect([...(result.document?.stages.keys() ?? [])]).toEqual(['boot']);
    expect(result.problems.map(({ severity, location }) => `${severity} ${location.line}`)).toEqual([
      'warning 2',
      'warning 3',
    ]);
  });

  it('a stage that is called name and has steps is a stage', () => {
    expect(commandsOf(parseCloudConfig('stages: {name: [{commands: [a]}]}', 'f'), 'name')).toEqual([['a']]);
  });

  it('keys of other programs at the top are left alone, a misspelt stages is not', () => {
    expect(parseCloudConfig('install: {auto: true}\nk3s: {}\n', 'f').problems).toEqual([]);
    expect(parseCloudConfig('stagse: {boot: []}\n', 'f').problems[0]).toMatchObject({ hint: 'did you mean "stages"?' });
  });

  it('only the first of several documents counts, with a warning', () => {
    const result = parseCloudConfig('stages: {a: [{commands: [1]}]}\n---\nstages: {a: [\n', 'f');
    expect(commandsOf(result, 'a')).toEqual([['1']]);
    expect(result.problems.map(({ severity, location }) => `${severity} ${location.line}`)).toEqual(['warning 2']);
  });

  it('an empty first document is the document', () => {
    const { document, problems } = parseCloudConfig('---\n---\nstages: {a: [{commands: [1]}]}\n', 'f');
    expect(document?.stages.size).toBe(0);
    expect(problems).toHaveLength(1);
  });

  it('empty steps are dropped and not counted', () => {
    const { document } = parseCloudConfig('stages: {a: [null, {name: x}, ~, {name: y}]}', 'f');
    expect(document?.stages.get('a')?.map(({ index, values }) => `${index} ${values.name}`)).toEqual(['0 x', '1 y']);
  });

  it('a step that is no mapping is reported, the others stay', () => {
    const { document, problems } = parseCloudConfig('stages:\n  a:\n    - echo\n    - name: y\n', 'f');
    expect(document?.stages.get('a')?.map(({ values }) => values.name)).toEqual(['y']);
    expect(problems[0]).toMatchObject({ severity: 'error', stage: 'a', location: { line: 3, column: 7 } });
  });

  it('an alias without an anchor before it is an error of that value', () => {
    const { document, problems } = parseCloudConfig('stages: {a: [{commands: [*x]}, {hostname: &x h}]}', 'f');
    expect(document?.stages.get('a')?.[0]?.rejected).toEqual(['commands']);
    expect(problems[0]?.message).toBe('commands[0]: there is no anchor for *x before this line');
  });

  it('an anchor that is set twice stands for its latest value', () => {
    const result = parseCloudConfig('stages: {a: [{commands: [&x 1, *x]}, {commands: [&x 2, *x]}]}', 'f');
    expect(commandsOf(result, 'a')).toEqual([
      ['1', '1'],
      ['2', '2'],
    ]);
  });

  it('a mapping that merges itself ends', () => {
    const { document } = parseCloudConfig('stages: {a: [&x {name: n, <<: *x}]}', 'f');
    expect(document?.stages.get('a')?.[0]?.values.name).toBe('n');
  });

  it.each([
    ['lists', '['.repeat(100_000), /nests deeper than 100 levels/],
    ['compact lists', `a: ${'- '.repeat(5000)}`, /nests deeper|broken/],
    ['more than 8 MiB', `# ${'x'.repeat(8 << 20)}`, /larger than 8 MiB/],
    ['very many parts', '\n'.repeat(1_000_001), /more than 1000000 parts/],
  ])('a file with %s is refused', (_what, text, message) => {
    const { document, problems } = parseCloudConfig(text, 'f');
    expect(document).toBeUndefined();
    expect(problems[0]?.message).toMatch(message);
  });

  it('very many document markers before a mistake stay cheap', () => {
    const { document, problems } = parseCloudConfig(`${'---\n'.repeat(200_000)}a: [`, 'f');
    expect(document).toBeUndefined();
    expect(problems[0]).toMatchObject({ severity: 'error', location: { line: 200_001 } });
  });

  it('merge keys that double at each level stay cheap', () => {
    const levels = Array.from(
      { length: 60 },
      (_, n) => `k${n}: &k${n} {${n === 0 ? 'a: 1' : `<<: [*k${n - 1}, *k${n - 1}]`}}`,
    );
    const { problems } = parseCloudConfig(`${levels.join('\n')}\nstages: {s: [{<<: *k59}]}\n`, 'f');
    expect(problems.map(({ message }) => message)).toEqual(['the key "a" is not known and has no effect']);
  });
});

describe('the header #cloud-config', () => {
  it.each([
    ['#cloud-config\n', true],
    ['\n# comment\n#cloud-config  \na: 1', true],
    [`${'\n'.repeat(9)}#cloud-config`, true],
    ['\uFEFF#cloud-config\n', true],
    ['#cloud-config', true],
    [`${'\n'.repeat(10)}#cloud-config\n`, false],
    [' #cloud-config\n', false],
    ['#Cloud-Config\n', false],
    ['#cloud-config foo\n', false],
    ['---\n#cloud-config\n', false],
    ['a: 1\n#cloud-config\n', false],
  ])('%j: %s', (text, expected) => {
    expect(parseCloudConfig(text, 'f').document?.cloudInit).toBe(expected);
  });
});

it('keys of a step take effect in the order of the originals', () => {
  expect(ACTION_KEYS.join(' ')).toBe(
    'dns downloads git ensure_entities directories files commands delete_entities hostname sysctl users ' +
      'authorized_keys modules timesyncd systemctl environment environment_file systemd_firstboot datasource layout ' +
      'package_pins packages unpack_images',
  );
});

it.each<[string, string, string | undefined]>([
  [
    'boot: [{commands: [a]}]',
    'the stage "boot" stands at the margin and is not run',
    'put it below "stages:", indented',
  ],
  [
    'network.after:\n- commands: [a]',
    'the stage "network.after" stands at the margin and is not run',
    'put it below "stages:", indented',
  ],
  [
    'stages: {boot: [{commands: [echo a, echo b: c]}]}',
    'commands[1]: this must be text, not a mapping',
    'put text that has ": " in it in quotes',
  ],
  [
    'stages: {boot: [{environment: [A=b]}]}',
    'environment: this must be a mapping, not a list',
    'write "name: value", each on a line of its own',
  ],
  [
    'stages: {boot: [{whatever: 1}]}',
    'the key "whatever" is not known and has no effect',
    '"holdfast schema" tells all keys',
  ],
])('%s is answered with %s', (text, message, hint) => {
  const { problems } = parseCloudConfig(`${text}\n`, 'f');
  expect(problems.map((problem) => [problem.message, problem.hint])).toEqual([[message, hint]]);
});

it.each(['network: {version: 1}', 'install: {device: auto}', 'boot: x'])('%s at the margin is nobody’s', (text) => {
  expect(parseCloudConfig(`${text}\n`, 'f').problems).toEqual([]);
});

it('of two merge keys the later one counts, with a warning', () => {
  const text = `x: &x {a: "1", c: "1"}
y: &y {a: "2", b: "2"}
z: &z {b: "3"}
stages:
  boot:
    - sysctl:
        <<: *x
        d: "4"
        <<: [*y, *z]
`;
  const { document, problems } = parseCloudConfig(text, 'f');
  expect(Object.fromEntries(document?.stages.get('boot')?.[0]?.values.sysctl ?? [])).toEqual({
    a: '2',
    b: '2',
    c: '1',
    d: '4',
  });
  expect(problems).toMatchObject([
    {
      severity: 'warning',
      message: 'sysctl: a second "<<": its keys replace those of the first',
      hint: 'write one: <<: [*first, *second], where the earlier counts',
      location: { line: 9, column: 9 },
    },
  ]);
});
