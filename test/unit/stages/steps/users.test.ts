// `users` on the account files of Debian 12. Homes that need another owner are in the system tests.

import { expect, it } from 'vitest';
import { verifyPassword } from '../../../../src/stages/accounts/shacrypt.ts';
import { handlers } from '../../../../src/stages/steps/all.ts';
import { debianRoot, lineOf, newLines, today, warningsOf } from '../accounts/debian-root.ts';
import { failuresOf, runSteps } from '../temporary-root.ts';

const NO_PASSWD =
  'no passwd is given, so no password opens it; the originals leave it open to everybody (that is passwd: "")';

/** Runs `users` with this mapping, and again: the second time nothing may change. */
async function runUsers(root: ReturnType<typeof debianRoot>, mapping: string) {
  const result = await runSteps(root, `- users:\n${mapping.replace(/^/gm, '    ')}`);
  const again = await runSteps(root, `- users:\n${mapping.replace(/^/gm, '    ')}`);
  expect(again.steps[0]?.changedFiles).toEqual([]);
  return result;
}

it("a new user gets a line in each file, and the originals' defaults", async () => {
  const root = debianRoot();
  const result = await runUsers(root, 'bob: {lock_passwd: true, no_create_home: true}');
  expect(failuresOf(result)).toEqual([]);
  expect(warningsOf(result)).toEqual([]);
  expect(newLines(root)).toEqual([
    'passwd bob:x:1000:1000:Created by entities:/home/bob:/bin/sh',
    `shadow bob:!:${today()}::::::`,
    'group bob:x:1000:bob',
    'gshadow bob:!::bob',
  ]);
  expect(result.steps[0]?.changedFiles).toEqual(['/etc/gshadow', '/etc/group', '/etc/shadow', '/etc/passwd']);
});

it('everything that is asked for is honoured, also what needs care in YAML', async () => {
  const root = debianRoot({ 'etc/default/useradd': 'SHELL="/bin/dash"\nHOME=/users\n' });
  const mapping = `
bob: {passwd: geheim, uid: 1500, gecos: Bob, homedir: /srv/bob, shell: /bin/bash, primary_group: users,
      groups: [sudo, audio], no_create_home: true}
eve: {passwd: "*", no_create_home: true}`;
  expect(failuresOf(await runUsers(root, mapping))).toEqual([]);
  expect(lineOf(root, 'passwd', 'bob')).toBe('bob:x:1500:100:Bob:/srv/bob:/bin/bash');
  expect(lineOf(root, 'passwd', 'eve')).toBe('eve:x:1000:1000:Created by entities:/users/eve:/bin/dash');
  const [, hash = '', changed] = lineOf(root, 'shadow', 'bob')?.split(':') ?? [];
  expect(verifyPassword('geheim', hash)).toBe(true);
  expect(changed).toBe(today());
  expect(lineOf(root, 'shadow', 'eve')).toBe(`eve:*:${today()}::::::`);
  expect(newLines(root).filter((line) => /group|gshadow/.test(line.split(' ')[0] ?? ''))).toEqual([
    'group sudo:x:27:bob',
    'group audio:x:29:bob',
    'group users:x:100:bob',
    'group eve:x:1000:eve',
    'gshadow sudo:*::bob',
    'gshadow audio:*::bob',
    'gshadow users:*::bob',
    'gshadow eve:!::eve',
  ]);
});

it('numbers go by name and not by the order in the file', async () => {
  const root = debianRoot();
  await runUsers(root, 'b: {lock_passwd: true, no_create_home: true}\na: {lock_passwd: true, no_create_home: true}');
  expect(lineOf(root, 'passwd', 'a')).toContain('a:x:1000:1000:');
  expect(lineOf(root, 'passwd', 'b')).toContain('b:x:1001:1001:');
});

it.each([
  ['bob: {no_create_home: true}', '!', [`user bob: ${NO_PASSWD}`]],
  ['bob: {no_create_home: true, passwd: ~}', '!', [`user bob: ${NO_PASSWD}`]],
  ['bob: {no_create_home: true, passwd: ""}', '', []],
  ['bob: {no_create_home: true, passwd: "", lock_passwd: true}', '!', []],
  ['bob: {no_create_home: true, passwd: x, lock_passwd: true}', '!', []],
  ['bob: {no_create_home: true, passwd: "!"}', '!', []],
  ['bob: {no_create_home: true, passwd: "$6$a$b"}', '$6$a$b', []],
])('the password of %s is %j', async (mapping, field, warnings) => {
  const root = debianRoot();
  const result = await runUsers(root, mapping);
  expect(lineOf(root, 'shadow', 'bob')).toBe(`bob:${field}:${today()}::::::`);
  expect(warningsOf(result)).toEqual(warnings);
});

const BOB = {
  passwd: 'bob:x:1000:1000:Bob:/home/bob:/bin/sh\n',
  shadow: 'bob:$6$a$b:19000:0:99999:7:::\n',
  group: 'bob:x:1000:\n',
};

function rootWithBob(shadow = BOB.shadow) {
  const root = debianRoot();
  for (const [name, line] of Object.entries({ ...BOB, shadow })) {
    root.writeFile(`/etc/${name}`, root.readText(`/etc/${name}`) + line);
  }
  return root;
}

it('of a user who is there the password is replaced and the ages stay', async () => {
  const root = rootWithBob();
  await runUsers(root, 'bob: {passwd: geheim}');
  const fields = lineOf(root, 'shadow', 'bob')?.split(':') ?? [];
  expect(verifyPassword('geheim', fields[1] ?? '')).toBe(true);
  expect(fields.slice(2)).toEqual([today(), '0', '99999', '7', '', '', '']);
});

it.each([
  ['{lock_passwd: true, passwd: x}', 'bob:!:19000::::::\n', 'bob:!:19000::::::'],
  ['{lock_passwd: true, passwd: x}', BOB.shadow, 'bob:!$6$a$b:19000:0:99999:7:::'],
  ['{lock_passwd: true}', 'bob:*:19000::::::\n', 'bob:*:19000::::::'],
  ['{passwd: ""}', BOB.shadow, 'bob:$6$a$b:19000:0:99999:7:::'],
  ['{}', BOB.shadow, 'bob:$6$a$b:19000:0:99999:7:::'],
  ['{passwd: "$6$a$b"}', BOB.shadow, 'bob:$6$a$b:19000:0:99999:7:::'],
])('%s with %j gives %j', async (value, before, after) => {
  const root = rootWithBob(before);
  expect(warningsOf(await runUsers(root, `bob: ${value}`))).toEqual([]);
  expect(lineOf(root, 'shadow', 'bob')).toBe(after);
});

it('a user who is there joins groups; what else is asked for is warned about', async () => {
  const root = rootWithBob();
  const result = await runUsers(
    root,
    'bob: {groups: [sudo, docker], shell: /bin/bash, uid: 1234, homedir: /home/bob/, gecos: Robert, primary_group: users}',
  );
  expect(warningsOf(result)).toEqual([
    'user bob: it is there already and keeps uid 1000, primary_group 1000, gecos Bob, shell /bin/sh',
    "user bob: the group docker isn't there yet and is made",
  ]);
  expect(lineOf(root, 'passwd', 'bob')).toBe('bob:x:1000:1000:Bob:/home/bob:/bin/sh');
  expect(lineOf(root, 'group', 'sudo')).toBe('sudo:x:27:bob');
  expect(lineOf(root, 'group', 'docker')).toBe('docker:x:1001:bob');
  expect(lineOf(root, 'gshadow', 'docker')).toBe('docker:!::bob');
});

it('groups may be one text with commas', async () => {
  const root = rootWithBob();
  const result = await runUsers(root, 'bob: {groups: "sudo, audio"}');
  expect(warningsOf(result)).toEqual(['users.bob.groups: a text is read as a list of names']);
  expect(lineOf(root, 'group', 'audio')).toBe('audio:x:29:bob');
});

it('a group of the name that is there keeps its number', async () => {
  const root = debianRoot();
  await runUsers(root, 'games: {}\nsudo: {lock_passwd: true, no_create_home: true}');
  expect(lineOf(root, 'group', 'sudo')).toBe('sudo:x:27:sudo');
  expect(lineOf(root, 'passwd', 'sudo')).toContain('sudo:x:1000:27:');
});

it('a group without a number, as the originals can leave one, gets one', async () => {
  const root = rootWithBob();
  root.writeFile('/etc/group', `${root.readText('/etc/group')}eve:::ann\n`);
  await runUsers(root, 'eve: {lock_passwd: true, no_create_home: true}');
  expect(lineOf(root, 'group', 'eve')).toBe('eve:x:1001:ann,eve');
});

it('a number that is taken is shared where it is asked for, with a warning', async () => {
  const root = rootWithBob();
  const result = await runUsers(
    root,
    'eve: {uid: 1000, passwd: "*", no_create_home: true}\nzoe: {uid: "0", passwd: "*", no_create_home: true}',
  );
  expect(lineOf(root, 'passwd', 'eve')).toContain('eve:x:1000:');
  expect(lineOf(root, 'passwd', 'zoe')).toContain('zoe:x:0:');
  expect(warningsOf(result)).toEqual([
    "user eve: the number 1000 is also bob's",
    "user zoe: the number 0 is also root's",
  ]);
});

it('a negative number asks for a free one', async () => {
  const root = debianRoot();
  const user = 'a: {uid: "-1", passwd: "*", no_create_home: true}';
  await runUsers(root, user);
  expect(lineOf(root, 'passwd', 'a')).toContain('a:x:1000:');
  expect(warningsOf(await runUsers(root, user))).toEqual([]);
});

it('a number that a later user asks for is left to it', async () => {
  const root = debianRoot();
  await runUsers(root, 'a: {passwd: "*", no_create_home: true}\nb: {uid: 1000, passwd: "*", no_create_home: true}');
  expect(lineOf(root, 'passwd', 'a')).toContain('a:x:1001:');
  expect(lineOf(root, 'passwd', 'b')).toContain('b:x:1000:');
});

it.each([
  ['system: true', 'svc:x:999:997:', 'svc:x:997:svc'],
  ['no_user_group: true, no_create_home: true', 'svc:x:1000:100:', undefined],
  ['gid: 1700, no_create_home: true', 'svc:x:1000:1700:', 'svc:x:1700:svc'],
  ['gid: 27, no_create_home: true', 'svc:x:1000:27:', undefined],
  ['primary_group: "60", no_create_home: true', 'svc:x:1000:60:', undefined],
])('with %s the numbers are %s', async (keys, passwd, group) => {
  const root = debianRoot();
  expect(failuresOf(await runUsers(root, `svc: {passwd: "*", ${keys}}`))).toEqual([]);
  expect(lineOf(root, 'passwd', 'svc')).toContain(passwd);
  expect(lineOf(root, 'group', 'svc')).toBe(group);
  expect(root.exists('/home')).toBe(false);
});

it('a user may belong to the group of one that comes later', async () => {
  const root = debianRoot();
  const result = await runUsers(
    root,
    'a: {passwd: "*", primary_group: b, no_create_home: true}\nb: {passwd: "*", no_create_home: true}',
  );
  expect(failuresOf(result)).toEqual([]);
  expect(lineOf(root, 'group', 'b')).toBe('b:x:1000:b,a');
  expect(lineOf(root, 'passwd', 'a')).toContain('a:x:1001:1000:');
});

it('ranges of subordinate numbers are added once', async () => {
  const root = rootWithBob();
  const result = await runUsers(root, 'bob: {subuid: "100000:65536", subgid: "200000"}');
  expect(root.readText('/etc/subuid')).toBe('bob:100000:65536\n');
  expect(root.readText('/etc/subgid')).toBe('bob:200000:65536\n');
  expect(result.steps[0]?.changedFiles).toEqual(['/etc/subuid', '/etc/subgid']);
});

it('a password in passwd itself, which would count instead, makes way', async () => {
  const root = rootWithBob();
  root.writeFile('/etc/passwd', root.readText('/etc/passwd').replace('bob:x:', 'bob::'));
  await runUsers(root, 'bob: {lock_passwd: true}');
  expect(lineOf(root, 'passwd', 'bob')).toBe('bob:x:1000:1000:Bob:/home/bob:/bin/sh');
});

it('without gshadow none is made, without shadow one is that only root may read', async () => {
  const root = debianRoot({ 'etc/gshadow': undefined, 'etc/shadow': undefined, 'etc/group': 'root:x:0:\n' });
  await runUsers(root, 'bob: {passwd: "*", no_create_home: true}');
  expect(root.exists('/etc/gshadow')).toBe(false);
  expect(root.readText('/etc/shadow')).toBe(`bob:*:${today()}::::::\n`);
  expect((root.stat('/etc/shadow')?.mode ?? 0) & 0o777).toBe(0o600);
});

it.each([
  ['"a:b": {}', '"a:b" can\'t be the name of a user'],
  ['"../x": {}', '"../x" can\'t be the name of a user'],
  ['"-x": {}', '"-x" can\'t be the name of a user'],
  ['"123": {}', '"123" can\'t be the name of a user'],
  ['bob: {gecos: "a:0:0"}', 'the gecos of bob can\'t have a ":" or a line break in it'],
  ['bob: {shell: "/bin/sh\\nroot2::0:0::/:/bin/sh"}', 'the shell of bob can\'t have a ":" or a line break in it'],
  ['bob: {homedir: home/bob}', 'the homedir of bob must be an absolute path, not home/bob'],
  ['bob: {groups: ["a,b", "c d"]}', '"c d" can\'t be the name of a group'],
  ['bob: {primary_group: nope}', "the primary group nope of bob isn't there"],
  ['bob: {uid: abc}', '"abc" is no user number'],
  ['bob: {gid: abc}', '"abc" is no group number'],
  ['bob: {subuid: "yes"}', 'subuid must be START:COUNT, not "yes"'],
  ['bob: {passwd: "$6$a:b$c"}', 'a password hash with ":" or a line break in it'],
])('%s is refused and leaves no trace, and the next user is made', async (entry, failure) => {
  const root = debianRoot();
  const result = await runSteps(root, `- users:\n    zoe: {passwd: "*", no_create_home: true}\n    ${entry}`);
  expect(failuresOf(result)[0]).toContain(failure);
  expect(newLines(root)).toEqual([
    'passwd zoe:x:1000:1000:Created by entities:/home/zoe:/bin/sh',
    `shadow zoe:*:${today()}::::::`,
    'group zoe:x:1000:zoe',
    'gshadow zoe:!::zoe',
  ]);
});

it('keys that have no home to go to are failures, one for each user', async () => {
  const root = debianRoot();
  const keys = 'ssh_authorized_keys: [ssh-rsa x]';
  const result = await runSteps(root, `- users: {a: {system: true, passwd: "*", ${keys}}, games: {${keys}}}`);
  expect(failuresOf(result)).toEqual([
    "users: the home /home/a of a isn't there; the home /usr/games of games isn't there",
  ]);
  expect(lineOf(root, 'passwd', 'a')).toContain('a:x:999:');
});

it('foreign lines, modes and links stay', async () => {
  const root = debianRoot();
  root.writeFile('/persistent/group', `# ours\n\n${root.readText('/etc/group')}+netgroup:::\n`, { mode: 0o664 });
  root.link('/etc/group', '/persistent/group');
  await runUsers(root, 'bob: {passwd: "*", no_create_home: true}');
  expect(root.lstat('/etc/group')?.isSymbolicLink()).toBe(true);
  expect((root.stat('/etc/group')?.mode ?? 0) & 0o777).toBe(0o664);
  const text = root.readText('/etc/group');
  expect(text.startsWith('# ours\n\nroot:x:0:\n')).toBe(true);
  expect(text.endsWith('bob:x:1000:bob\n+netgroup:::\n')).toBe(true);
  expect(root.list('/etc')).toEqual(['group', 'gshadow', 'passwd', 'shadow']);
});

it('nothing of a password is in events, warnings and plans', async () => {
  const root = debianRoot();
  const told: unknown[] = [];
  const secret = 'hunter2hunter2';
  const steps = `- users: {bob: {passwd: ${secret}, no_create_home: true, groups: [sudo], ssh_authorized_keys: [a b]}}`;
  const result = await runSteps(root, steps, (event) => told.push(event));
  const value = new Map([['bob', { passwd: secret, groups: ['sudo'], ssh_authorized_keys: ['a b'] }]]);
  const plan = handlers.users.describe({ users: value });
  expect(plan).toEqual(['make sure that the user bob is there (groups sudo; 1 SSH key entry)']);
  expect(JSON.stringify([told, result, plan])).not.toContain(secret);
  expect(JSON.stringify([told, result])).not.toContain('$6$');
});
