// What `plan` says of a stage before it runs: order, conditions, expanded templates, and no secret anywhere.

import { describe, expect, it } from 'vitest';
import { planStage } from '../../../src/stages/plan.ts';
import { renderStagePlan } from '../../../src/stages/planreport.ts';
import { painter } from '../../../src/system/paint.ts';
import { Root } from '../../../src/system/root.ts';
import { temporaryRoot } from './temporary-root.ts';

/** A plan of the stage boot of these files of /oem. */
async function plan(files: Readonly<Record<string, string>>) {
  const inOem = Object.fromEntries(Object.entries(files).map(([name, text]) => [`/oem/${name}`, text]));
  const root = temporaryRoot({ '/etc/os-release': 'ID=debian\nPRETTY_NAME="Debian 12"\n', ...inOem });
  return planStage({ stage: 'boot', root, sources: ['/system/oem', '/oem'] });
}

const TEXT = `name: Demo
stages:
  boot.before:
    - commands: [first]
  boot:
    - name: Last
      after: [{name: Demo.Banner}]
      if: exit 1
      commands: ["echo {{ .Values.os.vendor }}", "one\\ntwo {{ .Values.os.vendor }}"]
    - name: Banner
      only_os: Debian
      files: [{path: /etc/motd, permissions: 0644, content: "{{ .Values.os.name }}\\nhere\\n"}]
      environment: {A: "{{ .Values.os.vendor }}"}
    - name: Elsewhere
      if_files: {all: [/no/such/file]}
      commands: [echo]
    - name: Broken
      node: [a]
`;

it('is shown as a line from source to source, step to step', async () => {
  expect(renderStagePlan(await plan({ 'a.yaml': TEXT }))).toEqual([
    'sources',
    '  /system/oem  not there',
    '  /oem         1 file',
    '',
    'boot.before',
    '  1 ● /oem/a.yaml:4',
    '        commands: run: first',
    '',
    'boot',
    '  2 ● Banner  /oem/a.yaml:10',
    '    │   met: only_os: Debian',
    '    │   files: write /etc/motd (0644)',
    '    │     /etc/motd, templates expanded:',
    '    │     | Debian 12',
    '    │     | here',
    '    │   environment: set A in an environment file',
    '    │     A: debian',
    '  3 ◐ Last  /oem/a.yaml:6',
    '    │   waits for step 2',
    '    │   only when if: exit 1  (not run)',
    '    │   commands: run: echo debian',
    '    │   commands: run: one …',
    '    │     in full, templates expanded:',
    '    │     | one',
    '    │     | two debian',
    '  4 ○ Elsewhere  /oem/a.yaml:14',
    '    │   skipped: if_files: /no/such/file is not there',
    '    │   commands: run: echo',
    '  5 ✗ Broken  /oem/a.yaml:17',
    '        fails: the condition "node" can\'t be used',
    '',
    'error: node: this must be text, not a list',
    '  /oem/a.yaml:18:13',
    '          node: [a]',
    '                ^',
    '  hint: put text that begins with [ in quotes',
    'stage boot: 5 steps: 2 would run, 1 depending on "if" (--evaluate-if runs its command), 1 skipped, 1 would fail; nothing was changed',
  ]);
});

it('as data, with the numbers of the steps that a step waits for', async () => {
  const { sources, steps } = await plan({ 'a.yaml': TEXT });
  expect(sources).toEqual([
    { name: '/system/oem', files: undefined },
    { name: '/oem', files: ['/oem/a.yaml'] },
  ]);
  expect(steps.map(({ number, name, after, outcome }) => [number, name, after, outcome])).toEqual([
    [1, undefined, [], 'run'],
    [2, 'Banner', [], 'run'],
    [3, 'Last', [2], 'depends'],
    [4, 'Elsewhere', [], 'skip'],
    [5, 'Broken', [], 'fail'],
  ]);
});

it.each([
  ['exit 1', false, 'depends', undefined],
  ['exit 1', true, 'skip', 'if: exit 1 (status 1)'],
  ['true', true, 'run', undefined],
])('if: %s, evaluated: %s', async (condition, evaluateIf, outcome, reason) => {
  const text = `stages: {boot: [{if: "${condition}", commands: [echo]}]}`;
  const request = { stage: 'boot', root: new Root('/'), sources: [{ name: 'a', text }], evaluateIf };
  const [step] = (await planStage(request)).steps;
  expect([step?.outcome, step?.reason]).toEqual([outcome, reason]);
});

it('colours are for terminals', async () => {
  const text = renderStagePlan(await plan({ 'a.yaml': TEXT }), painter(true)).join('\n');
  expect(text).toContain('\x1b[32m●\x1b[39m');
});

describe('secrets', () => {
  it.each([
    ['the password of a user', 'users: {bob: {passwd: "geheim-1"}}\n      commands: ["echo geheim-1"]'],
    ['a login of git', 'git: {url: "https://me:geheim-1@h/x", path: /x, auth: {username: u, password: geheim-1}}'],
    ['a key of git', 'git: {url: a, path: /x, auth: {private_key: geheim-1}}\n      commands: [echo geheim-1]'],
    ['a variable', 'environment: {API_TOKEN: geheim-1}\n      commands: [echo geheim-1]'],
    [
      'an entity',
      'ensure_entities: [{entity: "kind: shadow\\nusername: a\\npassword: geheim-1"}]\n      commands: [geheim-1]',
    ],
    ['an assignment', 'commands: ["export DB_PASSWORD=geheim-1"]'],
    ['an option', 'commands: ["curl --token geheim-1 https://x"]'],
    ['an address', 'commands: ["curl https://me:geheim-1@example.org/"]'],
    ['a condition', 'if: "test \'Authorization: Bearer geheim-1\'"\n      commands: [a]'],
    ['what a program reads', `commands: ["echo 'root:geheim-1' | chpasswd"]`],
    ['more lines of it', `commands: ["echo 'root:geheim-1\\nbob:geheim-1' | chpasswd"]`],
    ['of a condition too', `if: "echo 'root:geheim-1\\nbob:geheim-1' | chpasswd"\n      commands: [a]`],
    ['a login of curl', 'commands: ["curl -u bob:geheim-1 https://x"]'],
    ['a template', 'files: [{path: /a, content: "{{ .Values.os.vendor }}\\npassword: geheim-1\\n"}]'],
    [
      'a private key',
      'commands: ["echo \'-----BEGIN OPENSSH PRIVATE KEY-----\\ngeheim-1\\n-----END OPENSSH PRIVATE KEY-----\'"]',
    ],
    ['a hash', 'commands: ["usermod -p \'$6$salt$geheim-1geheim-1\' bob"]'],
  ])('%s is masked, in text and in data', async (_what, keys) => {
    const planned = await plan({ 'a.yaml': `stages:\n  boot:\n    - name: s\n      ${keys}\n` });
    expect(planned.steps).toHaveLength(1);
    expect(`${JSON.stringify(planned)} ${renderStagePlan(planned).join('\n')}`).not.toContain('geheim-1');
  });

  it('ordinary words stay', async () => {
    const { steps } = await plan({
      'a.yaml': 'stages: {boot: [{commands: ["passwd --status root; cat /etc/passwd"]}]}',
    });
    expect(steps[0]?.keys[0]?.actions).toEqual(['run: passwd --status root; cat /etc/passwd']);
  });
});

it('what the command line adds comes to each moment once more', async () => {
  const step = (name: string) => `[{commands: [${name}]}]`;
  const root = temporaryRoot({
    '/oem/a.yaml': `stages: {boot.after: ${step('a2')}, boot: ${step('a1')}}`,
    '/line': 'stages.boot[0].commands[0]=line',
  });
  const request = { stage: 'boot', root, sources: ['/oem'], commandLine: root.resolve('/line') };
  expect(renderStagePlan(await planStage(request))).toEqual([
    'sources',
    '  /oem                 1 file',
    '  kernel command line  1 file',
    '',
    'boot',
    '  1 ● /oem/a.yaml:1',
    '        commands: run: a1',
    '',
    'boot.after',
    '  2 ● /oem/a.yaml:1',
    '        commands: run: a2',
    '',
    'boot',
    '  3 ● kernel command line:1',
    '        commands: run: line',
    '',
    'stage boot: 3 steps: 3 would run, 0 skipped; nothing was changed',
  ]);
});
