// `#cloud-config`: how a file is recognised, and the steps that each of its keys becomes.

import { describe, expect, it } from 'vitest';
import { isCloudInit } from '../../../src/cloudconfig/cloudinit.ts';
import { parseCloudConfig } from '../../../src/cloudconfig/document.ts';

function parse(body: string) {
  const { document, problems } = parseCloudConfig(`#cloud-config\n${body}`, 'f');
  const stages = Object.fromEntries(
    [...(document?.stages ?? [])].map(([stage, steps]) => [stage, steps.map(({ values }) => values)]),
  );
  return {
    stages,
    problems: problems.map(({ severity, message, location }) => `${location.line} ${severity}: ${message}`),
  };
}

describe('the header', () => {
  it.each([
    '#cloud-config',
    '#cloud-config  \t\r\nname: x',
    '\uFEFF#cloud-config\n',
    '\n\n# note\n## template: jinja\n#cloud-config\nname: x',
    `${'#\n'.repeat(9)}#cloud-config`,
  ])('%j has it', (text) => expect(isCloudInit(text)).toBe(true));
  it.each([
    ' #cloud-config',
    '#Cloud-Config',
    '#cloud-config foo',
    '---\n#cloud-config',
    'name: x\n#cloud-config',
    `${'#\n'.repeat(9)}#cloud-config\nname: x`,
    `${'#\n'.repeat(10)}#cloud-config`,
    '',
  ])('%j has it not', (text) => expect(isCloudInit(text)).toBe(false));
  it.each(['', '#cloud-config: yes\n', ' #cloud-config\n', '#Cloud-Config\n'])(
    'after %j the keys of cloud-init have no effect, which is said once',
    (head) => {
      const text = `${head}hostname: x\nruncmd: [a]\ninstall: {auto: true}\n`;
      const { document, problems } = parseCloudConfig(text, 'f');
      expect(document?.stages.size).toBe(0);
      expect(problems.map(({ severity, message, hint }) => [severity, message, hint])).toEqual([
        [
          'warning',
          'keys of cloud-init such as "hostname" have no effect in a file without the header "#cloud-config"',
          'make #cloud-config the first line, with nothing before or after it in that line',
        ],
      ]);
    },
  );
});

it('users come before files, growing before commands, and all of them before the file’s own steps', () => {
  const { document, problems } = parseCloudConfig(
    `#cloud-config
hostname: node
runcmd:
  - echo done
growpart: {mode: auto, devices: [/dev/vda, /dev/vdb1]}
write_files:
  - {path: /etc/a, content: x, owner: "bob:users", permissions: "0600"}
milpa_files: [{path: /etc/b}]
users:
  - name: bob
    passwd: $6$x
    ssh_authorized_keys: [ssh-ed25519 AAA, "github:bob"]
ssh_authorized_keys: [ssh-rsa BBB, "gitlab:all"]
stages:
  boot: [{name: own, after: [f.0]}]
  initramfs: [{name: mine}]
  network: [{name: late}]
`,
    'f',
  );
  expect(problems).toEqual([]);
  const steps = [...(document?.stages ?? [])].flatMap(([stage, list]) =>
    list.map(({ line, column, values: { name, ...values } }) => [stage, name, line, column, values]),
  );
  expect(steps).toEqual([
    [
      'boot',
      'cloud-config users',
      9,
      1,
      {
        users: new Map([['bob', { passwd: '$6$x' }]]),
        authorized_keys: new Map([['bob', ['ssh-ed25519 AAA', 'ssh-rsa BBB']]]),
      },
    ],
    [
      'boot',
      'cloud-config write_files',
      6,
      1,
      {
        files: [{ path: '/etc/a', content: 'x', permissions: 0o600, ownerstring: 'bob:users' }, { path: '/etc/b' }],
      },
    ],
    [
      'boot',
      'cloud-config growpart',
      5,
      1,
      { layout: { device: { path: '/dev/vda' }, expand_partition: { size: 0 } } },
    ],
    [
      'boot',
      'cloud-config growpart',
      5,
      1,
      { layout: { device: { path: '/dev/vdb1' }, expand_partition: { size: 0 } } },
    ],
    ['boot', 'cloud-config runcmd', 3, 1, { commands: ['echo done'] }],
    ['boot', 'own', 15, 10, { after: ['f.0'] }],
    ['initramfs', 'cloud-config hostname', 2, 1, { hostname: 'node' }],
    ['initramfs', 'mine', 16, 15, {}],
    ['network', 'cloud-config users', 9, 1, { authorized_keys: new Map([['bob', ['github:bob', 'gitlab:all']]]) }],
    ['network', 'late', 17, 13, {}],
  ]);
  // The numbers that `after` uses are those of the file's own steps.
  expect(document?.stages.get('boot')?.map(({ index }) => index)).toEqual([1, 2, 3, 4, 5, 0]);
});

describe('users', () => {
  const usersOf = (body: string) => parse(body).stages['boot']?.[0]?.users;
  it('"default" is nobody, a name alone is an account', () => {
    const result = parse('users: [default, bob, {name: eve}]');
    expect(result.problems).toEqual([]);
    expect(result.stages['boot']?.[0]?.users).toEqual(
      new Map([
        ['bob', {}],
        ['eve', {}],
      ]),
    );
  });
  it.each(['a, b ,c', '[a, b, c]'])('groups %s are a, b and c', (groups) => {
    const quoted = groups.startsWith('[') ? groups : `"${groups}"`;
    expect(usersOf(`users: [{name: u, groups: ${quoted}}]`)).toEqual(new Map([['u', { groups: ['a', 'b', 'c'] }]]));
  });
  it.each([
    ['passwd: a', 'a'],
    ['passwd: a, plain_text_passwd: b', 'b'],
    ['passwd: a, plain_text_passwd: b, hashed_passwd: c', 'c'],
    ['hashed_passwd: $6$x', '$6$x'],
  ])('the password of {%s} is %s', (fields, passwd) => {
    expect(usersOf(`users: [{name: u, ${fields}}]`)).toEqual(new Map([['u', { passwd }]]));
  });
  it('all that an account can have goes on', () => {
    const fields =
      'gecos: G, homedir: /h, no_create_home: true, primary_group: p, no_user_group: yes, system: true, shell: /bin/sh, lock_passwd: true, uid: 1000';
    expect(usersOf(`users: [{name: u, ${fields}}]`)?.get('u')).toEqual({
      gecos: 'G',
      homedir: '/h',
      no_create_home: true,
      primary_group: 'p',
      no_user_group: true,
      system: true,
      shell: '/bin/sh',
      lock_passwd: true,
      uid: '1000',
    });
  });
  it('what has no effect is said key by key', () => {
    expect(
      parse('users:\n  - name: u\n    sudo: [ALL]\n    expiredate: 2030-01-01\n    nonsense: 1\n').problems,
    ).toEqual(
      [
        '5 warning: users[0]: the key "nonsense" is not known and has no effect',
        '4 warning: users[0].sudo: this has no effect here',
        '5 warning: users[0].expiredate: this has no effect here',
      ].map((line) => line.replace('5 warning: users[0]: the', '6 warning: users[0]: the')),
    );
  });
  it('an account without a name is an error of its own', () => {
    const result = parse('users:\n  - gecos: x\n  - name: u\n');
    expect(result.problems).toEqual(['3 error: users[0]: an account without a name']);
    expect(result.stages['boot']?.[0]?.users).toEqual(new Map([['u', {}]]));
  });
  it('a mapping of names is read as a list', () => {
    const result = parse('users: {u: {uid: 5}, v: }');
    expect(result.problems).toEqual(['2 warning: users: a mapping of names is read as a list of accounts']);
    expect(result.stages['boot']?.[0]?.users).toEqual(
      new Map([
        ['u', { uid: '5' }],
        ['v', {}],
      ]),
    );
  });
  it.each(['', 'users: [default]\n'])('without accounts (%j) the common keys are those of root', (users) => {
    expect(parse(`${users}ssh_authorized_keys: [ssh-rsa A, "https://example.org/keys"]`).stages).toMatchObject({
      boot: [{ authorized_keys: new Map([['root', ['ssh-rsa A']]]) }],
      network: [{ authorized_keys: new Map([['root', ['https://example.org/keys']]]) }],
    });
  });
});

describe('files', () => {
  const filesOf = (body: string) => {
    const { stages, problems } = parse(`write_files:\n${body}`);
    return { files: stages['boot']?.[0]?.files, problems };
  };
  it.each([
    ['0644', 0o644, 0],
    ["'644'", 0o644, 0],
    ['"0o755"', 0o755, 0],
    ['420', 0o420, 1],
    ["'01777'", 0o1777, 0],
  ])('permissions %s are octal digits', (written, permissions, warnings) => {
    const { files, problems } = filesOf(`  - {path: /a, permissions: ${written}}`);
    expect(files).toEqual([{ path: '/a', permissions }]);
    expect(problems).toHaveLength(warnings);
  });
  it('one bad entry is dropped alone, as an error', () => {
    expect(filesOf('  - {path: /a, permissions: "0888"}\n  - {path: /b, append: true, content: x}\n  - c\n')).toEqual({
      files: [{ path: '/b', append: true, content: 'x' }],
      problems: [
        '3 error: write_files[0].permissions: "0888" is not a file mode',
        '5 error: write_files[2]: this must be a mapping, not a single value',
      ],
    });
  });
  it('what has no effect is said', () => {
    expect(filesOf('  - {path: /a, defer: true, source: {uri: "http://x"}}').problems).toEqual([
      '3 warning: write_files[0].defer: this has no effect here',
      '3 warning: write_files[0].source: this has no effect here',
    ]);
  });
});

describe('commands', () => {
  it.each([
    ['[[ls, -l, "/a b", "it\'s"]]', ["ls -l '/a b' 'it'\\''s'"]],
    ['["echo $HOME", [echo, $HOME], ~, [sleep, 5]]', ['echo $HOME', "echo '$HOME'", 'sleep 5']],
    ['echo one', ['echo one']],
  ])('runcmd: %s', (written, commands) => {
    expect(parse(`runcmd: ${written}`).stages['boot']?.[0]?.commands).toEqual(commands);
  });
});

it.each(['off', 'false', '"off"', 'False'])('growpart with mode %s grows nothing', (mode) => {
  expect(parse(`growpart: {mode: ${mode}, devices: [/dev/sda]}`)).toEqual({ stages: {}, problems: [] });
});

it('keys of cloud-init without effect are said one by one, those of other tools are not', () => {
  const result = parse(
    'timezone: UTC\npackages: [vim]\nk3s: {}\ninstall: {}\nrumcmd: [a]\nwrite-files: [{path: /a}]\n',
  );
  expect(result.problems).toEqual([
    '2 warning: "timezone" of cloud-init has no effect here',
    '3 warning: "packages" of cloud-init has no effect here',
    '6 warning: the key "rumcmd" is not known and has no effect',
    '7 warning: the key "write-files" is read as "write_files"',
  ]);
  expect(Object.keys(result.stages)).toEqual(['boot']);
});

it('of broken stages only the bad value is dropped, the rest and the other keys stay', () => {
  const result = parse('hostname: h\nstages:\n  boot:\n    - name: x\n      commands: {a: b}\n    - commands: [c]\n');
  expect(result.problems).toEqual(['6 error: commands: this must be a list, not a mapping']);
  expect(result.stages).toMatchObject({ boot: [{ name: 'x' }, { commands: ['c'] }], initramfs: [{ hostname: 'h' }] });
  expect(parse('hostname: h\nstages: 5\n').stages).toMatchObject({ initramfs: [{ hostname: 'h' }] });
});

it('no password is in a problem', () => {
  const { problems } = parse(
    'users: [{name: u, passwd: [s3cret], plain_text_passwd: {s3cret: s3cret}, uid: [s3cret]}]',
  );
  expect(problems.join()).not.toContain('s3cret');
});

it('a key that has no effect is answered with what does it here', () => {
  const { problems } = parseCloudConfig('#cloud-config\npackages: [vim]\nswap: {size: 1}\n', 'f');
  expect(problems.map(({ message, hint }) => [message, hint])).toEqual([
    ['"packages" of cloud-init has no effect here', 'a step of "stages" has packages: {install: [...]}'],
    ['"swap" of cloud-init has no effect here', undefined],
  ]);
});
