// `ensure_entities` and `delete_entities` on the account files of Debian 12.

import { expect, it } from 'vitest';
import { hashPassword, verifyPassword } from '../../../../src/stages/accounts/shacrypt.ts';
import { handlers } from '../../../../src/stages/steps/all.ts';
import type { Root } from '../../../../src/system/root.ts';
import { debianRoot, lineOf, newLines, today, warningsOf } from '../accounts/debian-root.ts';
import { failuresOf, runSteps } from '../temporary-root.ts';

type Key = 'ensure_entities' | 'delete_entities';

function stepsOf(key: Key, entities: readonly string[], path?: string): string {
  const place = path === undefined ? '' : `      path: ${path}\n`;
  const items = entities.map((text) => `    - entity: |\n${text.trim().replace(/^/gm, '        ')}\n${place}`);
  return `- ${key}:\n${items.join('')}`;
}

/** Runs entries, and once more: the second time nothing may change. */
async function apply(root: Root, key: Key, entities: readonly string[], path?: string) {
  const result = await runSteps(root, stepsOf(key, entities, path));
  const again = await runSteps(root, stepsOf(key, entities, path));
  expect(again.steps[0]?.changedFiles).toEqual([]);
  return result;
}

const entity = (values: Readonly<Record<string, string | number>>) =>
  Object.entries(values)
    .map(([key, value]) => `${key}: ${typeof value === 'number' ? value : JSON.stringify(value)}`)
    .join('\n');

const FOO = {
  kind: 'user',
  username: 'foo',
  password: 'x',
  uid: 1001,
  gid: 100,
  info: 'Foo!',
  homedir: '/home/foo',
  shell: '/bin/bash',
};

it('a new user is one line in passwd and nothing else', async () => {
  const root = debianRoot();
  const result = await apply(root, 'ensure_entities', [entity(FOO)]);
  expect(warningsOf(result)).toEqual([]);
  expect(newLines(root)).toEqual(['passwd foo:x:1001:100:Foo!:/home/foo:/bin/bash']);
  expect(result.steps[0]?.changedFiles).toEqual(['/etc/passwd']);
});

it.each([
  [{ uid: -1, gid: -1 }, 'foo:x:1000:1000:Created by entities::', []],
  [
    {},
    'foo:x:1000:1000:Created by entities::',
    [
      "user foo: no gid is given, 1000 is used; the originals make it 0, that is root's",
      'user foo: no uid is given, 1000 is used; the originals make it 0, that is root',
    ],
  ],
  [{ uid: 1234, group: 'users' }, 'foo:x:1234:100:Created by entities::', []],
  [
    { uid: 1234, gid: 77, group: 'nope' },
    'foo:x:1234:77:Created by entities::',
    ["user foo: the group nope isn't there; ensure it first"],
  ],
  [
    { uid: 1234, group: 'nope' },
    'foo:x:1234:1000:Created by entities::',
    [
      "user foo: the group nope isn't there; ensure it first",
      "user foo: no gid is given, 1000 is used; the originals make it 0, that is root's",
    ],
  ],
  [{ uid: 0, gid: 0 }, 'foo:x:0:0:Created by entities::', ["user foo: the number 0 is also root's"]],
])('a new user with %j is %s', async (values, line, warnings) => {
  const root = debianRoot();
  const result = await apply(root, 'ensure_entities', [
    entity({ kind: 'user', username: 'foo', password: 'x', ...values }),
  ]);
  expect(lineOf(root, 'passwd', 'foo')).toBe(line);
  expect(warningsOf(result)).toEqual(warnings);
});

it.each([
  [{}, 'games:x:5:60:games:/usr/games:/usr/sbin/nologin'],
  [{ uid: -1, gid: -1 }, 'games:x:5:60:games:/usr/games:/usr/sbin/nologin'],
  [{ uid: 55, shell: '/bin/sh' }, 'games:x:55:60:games:/usr/games:/bin/sh'],
  [{ info: '' }, 'games:x:5:60:Created by entities:/usr/games:/usr/sbin/nologin'],
  [{ group: 'users', homedir: '' }, 'games:x:5:100:games::/usr/sbin/nologin'],
])('a user who is there keeps what %j does not name', async (values, line) => {
  const root = debianRoot();
  const result = await apply(root, 'ensure_entities', [entity({ kind: 'user', username: 'games', ...values })]);
  expect(lineOf(root, 'passwd', 'games')).toBe(line);
  expect(warningsOf(result)).toEqual([]);
});

it('a user and the group of the same name agree in either order', async () => {
  const user = entity({ kind: 'user', username: 'foo', password: 'x', uid: -1, gid: -1 });
  const group = entity({ kind: 'group', group_name: 'foo', gid: -1 });
  for (const entities of [
    [user, group],
    [group, user],
  ]) {
    const root = debianRoot({ 'etc/group': 'root:x:0:\nother:x:1000:\n' });
    await apply(root, 'ensure_entities', entities);
    expect(lineOf(root, 'passwd', 'foo')).toContain('foo:x:1000:1001:');
    expect(lineOf(root, 'group', 'foo')).toBe('foo::1001:');
  }
});

it('a plain password is hashed once, and the ages stay', async () => {
  const root = debianRoot();
  await apply(root, 'ensure_entities', [entity({ kind: 'shadow', username: 'root', password: 'cos' })]);
  const fields = lineOf(root, 'shadow', 'root')?.split(':') ?? [];
  expect(verifyPassword('cos', fields[1] ?? '')).toBe(true);
  expect(fields.slice(2)).toEqual(['20228', '0', '99999', '7', '', '', '']);
});

it('`now` is the day of the change and not of the boot', async () => {
  const hash = hashPassword('cos');
  const root = debianRoot({ 'etc/shadow': `root:${hash}:19000:0:99999:7:::\n` });
  await apply(root, 'ensure_entities', [
    entity({ kind: 'shadow', username: 'root', password: 'cos', last_changed: 'now' }),
  ]);
  expect(lineOf(root, 'shadow', 'root')).toBe(`root:${hash}:19000:0:99999:7:::`);
  await apply(root, 'ensure_entities', [
    entity({ kind: 'shadow', username: 'root', password: '*', last_changed: 'now', warn: '14', reserved: 'r' }),
  ]);
  expect(lineOf(root, 'shadow', 'root')).toBe(`root:*:${today()}:0:99999:14:::r`);
});

it.each([
  [{ password: '*' }, 'foo:*:::::::', []],
  [{ password: '$6$a$b', last_changed: '1', expire: '2' }, 'foo:$6$a$b:1:::::2:', []],
  [{ password: '' }, 'foo::::::::', []],
  [
    {},
    'foo:!:::::::',
    ['shadow foo: no password is given, so none opens it (password: "" would mean that none is needed)'],
  ],
])('a new shadow line with %j is %s', async (values, line, warnings) => {
  const root = debianRoot();
  const result = await apply(root, 'ensure_entities', [entity({ kind: 'shadow', username: 'foo', ...values })]);
  expect(lineOf(root, 'shadow', 'foo')).toBe(line);
  expect(warningsOf(result)).toEqual(warnings);
});

it.each([
  ['foo:x:1000:a\n', { users: 'b,a' }, 'foo:x:1000:a,b', []],
  ['foo:x:1000:a,,a\n', {}, 'foo:x:1000:a', []],
  ['foo:x:1000:a\n', { gid: -1 }, 'foo:x:1000:a', []],
  ['foo:x:1000:a\n', { gid: 1500, password: 'y' }, 'foo:y:1500:a', []],
  ['', { gid: -1, users: ' a , b ' }, 'foo::1000:a,b', []],
  ['', {}, 'foo::1000:', ['group foo: no gid is given, 1000 is used']],
  ['foo:::\n', {}, 'foo::1000:', ['group foo: no gid is given, 1000 is used']],
  ['', { gid: 27 }, 'foo::27:', ["group foo: the number 27 is also the group sudo's"]],
])('the group %j with %j is %s', async (before, values, line, warnings) => {
  const root = debianRoot();
  root.writeFile('/etc/group', root.readText('/etc/group') + before);
  const result = await apply(root, 'ensure_entities', [entity({ kind: 'group', group_name: 'foo', ...values })]);
  expect(lineOf(root, 'group', 'foo')).toBe(line);
  expect(warningsOf(result)).toEqual(warnings);
});

it('gshadow is written, and made where it is missing', async () => {
  const values = { kind: 'gshadow', name: 'foo', administrators: 'ann', members: 'bob, eve' };
  const root = debianRoot();
  await apply(root, 'ensure_entities', [entity(values)]);
  expect(lineOf(root, 'gshadow', 'foo')).toBe('foo:!:ann:bob,eve');
  const without = debianRoot({ 'etc/gshadow': undefined });
  await apply(without, 'ensure_entities', [entity({ ...values, password: '*' })]);
  expect(without.readText('/etc/gshadow')).toBe('foo:*:ann:bob,eve\n');
  expect((without.stat('/etc/gshadow')?.mode ?? 0) & 0o777).toBe(0o400);
});

it('blank lines, comments and NIS lines are no obstacle, in any of the files', async () => {
  const odd = '\n# comment\n+\n';
  const root = debianRoot();
  for (const name of ['passwd', 'shadow', 'group', 'gshadow']) {
    root.writeFile(`/etc/${name}`, root.readText(`/etc/${name}`) + odd);
  }
  const result = await apply(root, 'ensure_entities', [
    entity(FOO),
    entity({ kind: 'shadow', username: 'foo', password: '*' }),
    entity({ kind: 'group', group_name: 'foo', gid: 1001 }),
    entity({ kind: 'gshadow', name: 'foo' }),
  ]);
  expect(failuresOf(result)).toEqual([]);
  for (const name of ['passwd', 'shadow', 'group', 'gshadow']) {
    expect(root.readText(`/etc/${name}`)).toMatch(/\n\n# comment\nfoo:[^\n]*\n\+\n$/);
  }
});

it.each([
  [{ kind: 'user', username: 'games' }, 'passwd', 'games'],
  [{ ...FOO, username: 'games' }, 'passwd', 'games'],
  [{ kind: 'shadow', username: 'games', password: 'nobody knows' }, 'shadow', 'games'],
  [{ kind: 'group', group_name: 'games' }, 'group', 'games'],
  [{ kind: 'gshadow', name: 'games' }, 'gshadow', 'games'],
] as const)('%j is taken out by its name', async (values, file, name) => {
  const root = debianRoot();
  const before = root.readText(`/etc/${file}`);
  const result = await apply(root, 'delete_entities', [entity(values)]);
  expect(result.steps[0]?.changedFiles).toEqual([`/etc/${file}`]);
  expect(root.readText(`/etc/${file}`)).toBe(before.replace(new RegExp(`^${name}:.*\n`, 'm'), ''));
});

it.each([
  [{ kind: 'group', group_name: 'nope' }],
  [{ kind: 'user', username: 'nope' }],
  [{ kind: 'shadow', username: 'nope' }],
  [{ kind: 'gshadow', name: 'nope' }],
])('taking out %j, which is not there, succeeds and changes nothing', async (values) => {
  const root = debianRoot();
  const result = await apply(root, 'delete_entities', [entity(values)]);
  expect(failuresOf(result)).toEqual([]);
  expect(result.steps[0]?.changedFiles).toEqual([]);
  expect(newLines(root)).toEqual([]);
});

it('a path names another file, which must be there', async () => {
  const root = debianRoot({ 'srv/passwd': 'a:x:1000:0:::\n' });
  const user = entity({ kind: 'user', username: 'foo', password: 'x', uid: -1, gid: 5 });
  await apply(root, 'ensure_entities', [user], '/srv/passwd');
  expect(root.readText('/srv/passwd')).toBe('a:x:1000:0:::\nfoo:x:1001:5:Created by entities::\n');
  expect(newLines(root)).toEqual([]);
  const missing = await runSteps(root, stepsOf('ensure_entities', [user], '/srv/nope'));
  expect(failuresOf(missing)).toEqual(['ensure_entities: there is no file /srv/nope to put accounts into']);
});

it('templates are expanded', async () => {
  const root = debianRoot({ 'etc/os-release': 'ID=demo\n' });
  await apply(root, 'ensure_entities', [
    'kind: user\nusername: "{{ .Values.os.vendor }}"\npassword: x\nuid: 1500\ngid: 100',
  ]);
  expect(lineOf(root, 'passwd', 'demo')).toContain('demo:x:1500:100:');
});

it.each([
  ['kind: sudoers\nusername: a', 'there is no kind "sudoers" (kinds are user, shadow, group, gshadow)'],
  ['username: a', 'the entity has no kind (kinds are user, shadow, group, gshadow)'],
  ['kind: user', 'the entity has no username'],
  ['kind: group\ngid: 5', 'the entity has no group_name'],
  ['kind: gshadow\nname: ~', 'the entity has no name'],
  ['kind: user\nusername: a\nuid: abc', 'uid: "abc" is not a whole number (line 3 of the entity)'],
  ['kind: user\nusername: a\ninfo: "x:0:0"', 'info can\'t have a ":" or a line break in it'],
  ['kind: user\nusername: "a:b"', '"a:b" can\'t be the name of a user'],
  ['kind: group\ngroup_name: a\nusers: "b:c"', 'users can\'t have a ":" or a line break in it'],
  ['kind: shadow\nusername: a\nexpire: never', 'expire must be a number of days, not "never"'],
  ['just text', 'this must be a mapping'],
])('%j is refused, and the next entry is carried out', async (text, failure) => {
  const root = debianRoot();
  const result = await runSteps(root, stepsOf('ensure_entities', [text, entity(FOO)]));
  expect(failuresOf(result)[0]).toContain(failure);
  expect(newLines(root)).toEqual(['passwd foo:x:1001:100:Foo!:/home/foo:/bin/bash']);
});

it('a password is in no message, not even when the YAML around it is broken', async () => {
  const secret = 'hunter2hunter2';
  const texts = [
    `kind: shadow\nusername: root\npassword: ${secret}`,
    `kind: shadow\nusername: root\npassword: "${secret}`,
    `kind: shadow\nusername: root\npassword: @${secret}`,
    `kind: shadow\nusername: root\npassword: [${secret}]`,
    `kind: shadow\nusername: root\n password: ${secret}: x`,
    `kind: shadow\nusername: root\npassword: "!${secret}:"`,
    `kind: shadow\nusername: root\npassword: |\n  ${secret}\n  {{ nofunc }}`,
  ];
  const told: unknown[] = [];
  for (const text of texts) {
    const root = debianRoot();
    const steps = stepsOf('ensure_entities', [text]);
    told.push(await runSteps(root, steps, (event) => told.push(event)));
    told.push(handlers.ensure_entities.describe({ ensure_entities: [{ entity: text }] }));
  }
  expect(JSON.stringify(told)).not.toContain(secret);
  expect(JSON.stringify(told)).not.toContain('$6$');
  expect(told).toContainEqual(['write the entry shadow root']);
});

it('a plan names the entry and the file', () => {
  const value = [{ entity: 'kind: group\ngroup_name: foo' }, { entity: 'kind: {{ x }}', path: '/srv/group' }];
  expect(handlers.delete_entities.describe({ delete_entities: value })).toEqual([
    'take out the entry group foo',
    'take out the entry (known when templates are expanded) in /srv/group',
  ]);
});
