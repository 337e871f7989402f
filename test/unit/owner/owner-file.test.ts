// The owner's stage file as data: what is asked for comes back, what a person has written stays, and a file that would
// change its meaning is refused.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseCloudConfig } from '../../../src/cloudconfig/document.ts';
import {
  addRequest,
  BOOT_STAGE,
  EMPTY_OWNER_FILE,
  handWrittenSteps,
  listRequests,
  OWNER_STAGES,
  parseOwnerFile,
  removeRequest,
  renderOwnerFile,
} from '../../../src/owner/owner-file.ts';
import type { FileRequest, OwnerRequest, PackageRequest } from '../../../src/owner/request.ts';

const FILE = '/oem/90_holdfast_owner.yaml';
const vim: PackageRequest = { kind: 'package', name: 'vim', wish: 'install' };
const again = (text: string) => parseOwnerFile(text, FILE);

function fileRequest(path: string, content: FileRequest['content'], given: Partial<FileRequest> = {}): FileRequest {
  return { kind: 'file', path, content, mode: 0o644, owner: 'root', group: 'root', atBoot: false, ...given };
}

const inline = (text: string | Buffer): FileRequest['content'] => ({ kind: 'inline', bytes: Buffer.from(text) });

const requests: readonly (readonly [string, OwnerRequest])[] = [
  ['a package', vim],
  ['a package at a version', { kind: 'package', name: 'vim=2:9.0.1378-2', wish: 'install' }],
  ['a package of the image that shall go', { kind: 'package', name: 'nano', wish: 'remove' }],
  ['a command', { kind: 'command', text: "echo 'a b' > /etc/x" }],
  ['a command that looks like a template', { kind: 'command', text: 'docker ps --format "{{.Names}}"' }],
  ['a command of several lines', { kind: 'command', text: 'set -e\nfor a in 1 2; do\n  echo $a\ndone' }],
  ['a text file', fileRequest('/etc/motd', inline('hello\nworld\n'))],
  [
    'a text file without a line end',
    fileRequest('/etc/motd', inline('hello'), { mode: 0o600, owner: 'joe', group: '100' }),
  ],
  ['a file with a template in it', fileRequest('/etc/t', inline('{{ .Values.node }}'))],
  ['a binary file', fileRequest('/etc/b', inline(Buffer.from([0, 1, 2, 0xff, 0x0a])), { mode: 0o4755 })],
  ['an empty file', fileRequest('/etc/e', inline(''))],
  ['a file kept at boots', fileRequest('/etc/motd', inline('x'), { atBoot: true })],
  ['a large file', fileRequest("/etc/it's big", { kind: 'stored', sha256: 'a'.repeat(64) }, { mode: 0o755 })],
  ['a file whose name looks like a template', fileRequest('/etc/{{x}}', inline('x'))],
  ['a link', { ...fileRequest('/etc/l', { kind: 'link', target: "../it's {{here}}" }), mode: 0o777 }],
];

test.each(requests)('%s comes back as it was asked for', (_, request) => {
  const text = renderOwnerFile(addRequest(EMPTY_OWNER_FILE, request));
  const [back, ...more] = listRequests(again(text));
  expect(more).toEqual([]);
  expect(normal(back)).toEqual(normal(request));
  const { problems } = parseCloudConfig(text, FILE);
  expect(problems).toEqual([]);
  expect(renderOwnerFile(addRequest(again(text), request))).toBe(text);
});

test('all of them together come back in their order, and leave nothing when they go', () => {
  const distinct = requests
    .filter(([title]) => !/version|without a line end|at boots/.test(title))
    .map(([, one]) => one);
  let file = EMPTY_OWNER_FILE;
  for (const request of distinct) file = again(renderOwnerFile(addRequest(file, request)));
  expect(listRequests(file).map(normal)).toEqual(distinct.map(normal));
  expect(handWrittenSteps(file)).toEqual([]);
  for (const request of distinct) file = again(renderOwnerFile(removeRequest(file, request)));
  expect([...file.stages]).toEqual([]);
});

test('each request is in every hook that makes a new system, behind the lists of packages', () => {
  const { document } = parseCloudConfig(renderOwnerFile(addRequest(EMPTY_OWNER_FILE, vim)), FILE);
  expect([...(document?.stages.keys() ?? [])]).toEqual([...OWNER_STAGES]);
  for (const stage of OWNER_STAGES) {
    expect(document?.stages.get(stage)?.map(({ values }) => [values.name, values.packages])).toEqual([
      ['Lists of packages', { refresh: true }],
      ['Package vim', { install: ['vim'] }],
    ]);
  }
});

test('packages of two architectures are two', () => {
  const other: PackageRequest = { ...vim, name: 'vim:i386' };
  const file = addRequest(addRequest(EMPTY_OWNER_FILE, vim), other);
  expect(listRequests(file)).toEqual([vim, other]);
  expect(listRequests(removeRequest(file, vim))).toEqual([other]);
});

test('a file that a boot forgets is a step of the boot, too', () => {
  const file = addRequest(EMPTY_OWNER_FILE, fileRequest('/etc/motd', inline('x'), { atBoot: true }));
  expect(file.stages.get(BOOT_STAGE)?.map(({ name }) => name)).toEqual(['File /etc/motd']);
  expect(removeRequest(file, fileRequest('/etc/motd', inline(''))).stages.get(BOOT_STAGE)).toEqual([]);
});

test('another version or the opposite wish takes the place of the earlier one', () => {
  let file = addRequest(EMPTY_OWNER_FILE, vim);
  file = addRequest(file, { kind: 'package', name: 'vim=9.1', wish: 'install' });
  expect(listRequests(file)).toEqual([{ kind: 'package', name: 'vim=9.1', wish: 'install' }]);
  file = addRequest(file, { ...vim, wish: 'remove' });
  expect(listRequests(file)).toEqual([{ ...vim, wish: 'remove' }]);
  expect(file.stages.get('after-upgrade-chroot')).toHaveLength(1);
});

const BY_HAND = `# mine
name: "Mine"
stages:
  after-upgrade-chroot:
    # a comment
    - name: "Only here"
      if: '[ -e /etc/foo ]'
      packages:
        install: [vim]
    - packages: {install: [htop, tmux], refresh: true}
    - files:
        - path: /etc/x
          permissions: 0600
          content: "yes"
  boot:
    - commands: [date, uptime]
      sysctl: {vm.swappiness: 10}
`;

test('what a person has written stays, with its conditions and other stages', () => {
  const file = addRequest(again(BY_HAND), { kind: 'command', text: 'true' });
  const before = parseCloudConfig(BY_HAND, FILE).document;
  const after = parseCloudConfig(renderOwnerFile(file), FILE).document;
  expect(after?.name).toBe('Mine');
  const values = (stage: string, document = after) => document?.stages.get(stage)?.map((step) => step.values);
  expect(values('after-upgrade-chroot')?.slice(0, 3)).toEqual(values('after-upgrade-chroot', before));
  expect(values('boot')).toEqual(values('boot', before));
  expect(file.comments).toBe(2);
});

test('packages that a person has listed in one step are known by name, and go one by one', () => {
  const file = again(BY_HAND);
  expect(listRequests(file).map((one) => (one.kind === 'package' ? one.name : one.kind))).toEqual([
    'htop',
    'tmux',
    'file',
  ]);
  expect(handWrittenSteps(file).map(({ stage }) => stage)).toEqual(['after-upgrade-chroot', 'boot']);
  const without = removeRequest(file, { kind: 'package', name: 'htop', wish: 'install' });
  expect(without.stages.get('after-upgrade-chroot')?.[1]).toEqual({ packages: { refresh: true, install: ['tmux'] } });
});

test.each([
  ['broken YAML', 'stages: [', /YAML/],
  ['a value of the wrong type', 'stages:\n  boot:\n    - commands: {a: b}\n', /./],
  ['keys of cloud-init', '#cloud-config\nhostname: x\n', /cloud-init/],
  ['a second document', 'name: a\n---\nname: b\n', /./],
  ['a list', '- a\n', /./],
])('%s is refused and left as it is', (_, text, message) => {
  expect(() => again(text)).toThrow(
    expect.objectContaining({ code: 'HF-CONFIG', message: expect.stringMatching(message) }),
  );
});

test('whatever text a command has, it is the command that runs', () => {
  const command = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }).filter((text) => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the command line refuses them
    return text.trim() === text && !/[\x00-\x08\x0b-\x1f\x7f]/.test(text);
  });
  fc.assert(
    fc.property(command, (text) => {
      const rendered = renderOwnerFile(addRequest(EMPTY_OWNER_FILE, { kind: 'command', text }));
      expect(listRequests(again(rendered))).toEqual([{ kind: 'command', text }]);
    }),
  );
});

/** Bytes as text, for comparing. */
function normal(request: OwnerRequest | undefined): unknown {
  if (request?.kind !== 'file' || request.content.kind !== 'inline') return request;
  return { ...request, content: Buffer.from(request.content.bytes).toString('hex') };
}
