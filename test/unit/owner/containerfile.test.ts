// The container file that a machine's changes become: its text for each kind of change, and what is never written into it.

import { expect, test } from 'vitest';
import { type PromotionFacts, writeContainerfile } from '../../../src/owner/containerfile.ts';
import type { FileRequest, OwnerRequest } from '../../../src/owner/request.ts';
import { findManager } from '../../../src/stages/packages/manager.ts';

const manager = (id: string) => findManager({ osRelease: (name) => (name === 'ID' ? id : '') });
const BASE = `registry.example/os@sha256:${'a'.repeat(64)}`;
const facts = (changes: Partial<PromotionFacts> = {}): PromotionFacts => ({
  base: BASE,
  source: 'docker:registry.example/os:v1',
  requests: [],
  handWritten: [],
  found: [],
  directories: [],
  leftOut: [],
  manager: manager('debian'),
  ...changes,
});
const file = (path: string, text: string, changes: Partial<FileRequest> = {}): FileRequest => ({
  kind: 'file',
  path,
  content: { kind: 'inline', bytes: Buffer.from(text) },
  mode: 0o644,
  owner: 'root',
  group: 'root',
  atBoot: false,
  ...changes,
});
/** The instructions, without comments. */
const lines = (changes: Partial<PromotionFacts>) =>
  writeContainerfile(facts(changes))
    .containerfile.split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));

test('a whole file', () => {
  const requests: OwnerRequest[] = [
    { kind: 'package', name: 'vim', wish: 'install' },
    { kind: 'package', name: 'nano', wish: 'remove' },
    { kind: 'command', text: 'systemctl enable ssh.service' },
    file('/etc/motd', 'hello\n'),
  ];
  const { containerfile, files, left } = writeContainerfile(facts({ requests }));
  expect(
    containerfile,
  ).toBe(`# Changes of one machine, as an image that all machines can have. Written by "holdfast promote"; look through it,
# then build it here: docker build -t NAME .  (or podman, buildah)
FROM ${BASE}

# Package vim, Without package nano
RUN DEBIAN_FRONTEND=noninteractive apt-get -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=120 update \\
 && DEBIAN_FRONTEND=noninteractive apt-get -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=120 --no-install-recommends install vim \\
 && DEBIAN_FRONTEND=noninteractive apt-get -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=120 remove nano \\
 && rm -rf /var/lib/apt/lists/*

# Kept by the owner: /etc/motd
COPY files/ /

# Commands
RUN systemctl enable ssh.service

# A kernel or a module may have changed; nothing is done where all is well.
RUN holdfast init
`);
  expect(files).toEqual([
    { name: 'files/etc/motd', mode: 0o644, content: { kind: 'bytes', bytes: Buffer.from('hello\n') } },
  ]);
  expect(left).toEqual([]);
});

test.each([
  ['fedora', 'dnf makecache', 'dnf install -y --setopt=install_weak_deps=False vim'],
  ['opensuse-leap', 'zypper --non-interactive refresh', 'zypper --non-interactive install -y --no-recommends vim'],
  ['alpine', 'apk update', 'apk add --no-cache vim'],
])('packages of %s', (id, refresh, install) => {
  const requests: OwnerRequest[] = [{ kind: 'package', name: 'vim', wish: 'install' }];
  expect(lines({ requests, manager: manager(id) }).slice(1, 3)).toEqual([`RUN ${refresh} \\`, ` && ${install}`]);
});

test('packages of nobody knows what', () => {
  const requests: OwnerRequest[] = [{ kind: 'package', name: 'vim', wish: 'install' }];
  const { containerfile, left } = writeContainerfile(facts({ requests, manager: undefined }));
  expect(left).toEqual(['packages (vim): the package manager of this system is not known']);
  expect(containerfile).toContain('# Left out: packages (vim)');
});

test('an image that no builder can name', () => {
  expect(lines({ base: undefined, source: 'oci-layout:/srv/images:v1' }).slice(0, 2)).toEqual([
    'ARG BASE',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the builder
    'FROM ${BASE}',
  ]);
});

test('owners, special bits, links, large files', () => {
  const requests = [
    file('/home/joe/.vimrc', 'x', { owner: 'joe', group: 'users' }),
    file('/usr/bin/tool', 'x', { mode: 0o4755 }),
    file('/etc/localtime', '', { content: { kind: 'link', target: '/usr/share/zoneinfo/Europe/Berlin' } }),
    file('/opt/large file', '', { content: { kind: 'stored', sha256: 'b'.repeat(64) } }),
  ];
  const directories = [
    { path: '/home/joe', mode: 0o700, uid: 1000, gid: 100 },
    { path: '/srv', mode: 0o700, uid: 0, gid: 0 },
  ];
  expect(lines({ requests, directories }).slice(1, -1)).toEqual([
    'COPY files/ /',
    'RUN chown -- joe:users /home/joe/.vimrc \\',
    ' && chmod -- 4755 /usr/bin/tool \\',
    ' && mkdir -p -- /etc && ln -sfn -- /usr/share/zoneinfo/Europe/Berlin /etc/localtime \\',
    ' && chown -- 1000:100 /home/joe',
  ]);
  const { files } = writeContainerfile(facts({ requests, directories }));
  expect(files.map(({ name, mode, content }) => [name, mode, content.kind])).toEqual([
    ['files/home/joe/.vimrc', 0o644, 'bytes'],
    ['files/usr/bin/tool', 0o755, 'bytes'],
    ['files/opt/large file', 0o644, 'stored'],
    // So that a copy leaves the directory as it is.
    ['files/home/joe', 0o700, 'directory'],
  ]);
});

test('what else differs, by whom', () => {
  const by = '/oem/90_mine.yaml:12 "Things"';
  const { containerfile } = writeContainerfile(
    facts({
      found: [
        { path: '/etc/a.conf', by, change: { kind: 'file', mode: 0o600, uid: 0, gid: 0 } },
        { path: '/var/spool/x', by, change: { kind: 'directory', mode: 0o1777, uid: 0, gid: 8 } },
        { path: '/etc/b', by: 'Nobody knows by whom', change: { kind: 'removed' } },
      ],
    }),
  );
  expect(containerfile).toContain(`
# ${by}: /etc/a.conf, /var/spool/x
# Nobody knows by whom: /etc/b
COPY files/ /
RUN chown -- 0:8 /var/spool/x \\
 && chmod -- 1777 /var/spool/x \\
 && rm -rf -- /etc/b
`);
});

test.each([
  ['systemctl enable a', 'RUN systemctl enable a'],
  ['[ -f /a ] || touch /a', `RUN sh -c "$(printf '%s\\n' '[ -f /a ] || touch /a')"`],
  ['cat <<E\nit’s $HOME\nE', `RUN sh -c "$(printf '%s\\n' 'cat <<E' \\`],
  ["echo 'a'\necho b\n", `RUN sh -c "$(printf '%s\\n' 'echo '\\''a'\\''' \\`],
])('the command %j', (text, line) => {
  expect(lines({ requests: [{ kind: 'command', text }] })[1]).toBe(line);
});

test.each<[string, OwnerRequest, string]>([
  ['a password in a command', { kind: 'command', text: 'chpasswd --password=hunter22' }, 'hunter22'],
  ['a key by its name', file('/etc/ssl/private/server.key', 'key material'), 'key material'],
  ['a password in a file', file('/etc/app.conf', 'db_password = hunter22\n'), 'hunter22'],
  ['the password database', file('/etc/shadow', 'root:hash'), 'root:hash'],
])('%s is left out', (_, request, secret) => {
  const { containerfile, files, left } = writeContainerfile(facts({ requests: [request] }));
  expect(left).toHaveLength(1);
  expect(left[0]).toMatch(/holds a secret/);
  expect(containerfile).not.toContain(secret);
  expect(files).toEqual([]);
  expect(containerfile).toContain('# Left out: ');
});

test('no name can write an instruction of its own', () => {
  const { containerfile, left, files } = writeContainerfile(
    facts({
      requests: [file('/x\nRUN a', 'x'), file('/l', '', { content: { kind: 'link', target: 'y\nRUN e' } })],
      handWritten: ['boot: x\nRUN c'],
      found: [
        { path: '/a\nRUN b', by: 'somebody', change: { kind: 'removed' } },
        { path: '/fine', by: 'c\nRUN d', change: { kind: 'removed' } },
      ],
    }),
  );
  expect(containerfile).not.toMatch(/^\s*RUN [abcde]/m);
  expect(containerfile).toContain('# c RUN d: /fine\nRUN rm -rf -- /fine\n');
  expect(files).toEqual([]);
  expect(left[0]).toBe('"/x\\nRUN a", "/l", "/a\\nRUN b": no container file can have such a name');
});
