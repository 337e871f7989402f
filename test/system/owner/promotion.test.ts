// What a promotion's container file does: its COPY and its RUN lines carried out in the tree of a tiny image, whose owners,
// modes, links and contents are then what the machine has. One second.

import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type PromotionFacts, writeContainerfile } from '../../../src/owner/containerfile.ts';
import { CONTAINERFILE, planPromotion, promotionPerformers, requireEmpty } from '../../../src/owner/write-promotion.ts';
import { silent } from '../../../src/system/events.ts';
import { apply } from '../../../src/system/plan.ts';
import { run, runChecked } from '../../../src/system/process.ts';
import { Root } from '../../../src/system/root.ts';
import { copyPrograms } from '../lifecycle/tiny-image.ts';

const work = mkdtempSync(join(tmpdir(), 'holdfast-promotion-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));
const place = (...parts: string[]) => join(work, ...parts);

const inline = (text: string) => ({ kind: 'inline' as const, bytes: Buffer.from(text) });
const owned = { kind: 'file' as const, owner: 'root', group: 'root', atBoot: false };
const SHA = 'c'.repeat(64);
const FACTS: PromotionFacts = {
  base: 'registry.example/os:v1',
  source: 'docker:registry.example/os:v1',
  requests: [
    { ...owned, path: '/etc/mine/a file', content: inline('one\n'), mode: 0o640, owner: '7', group: '8' },
    { ...owned, path: '/usr/bin/tool', content: inline('#!/bin/sh\n'), mode: 0o4755 },
    { ...owned, path: '/opt/large', content: { kind: 'stored', sha256: SHA }, mode: 0o600 },
    { ...owned, path: '/etc/link', content: { kind: 'link', target: '/opt/large' }, mode: 0o777 },
    { kind: 'command', text: "printf '%s' \"it's done\" > /etc/done" },
    { kind: 'command', text: 'umask 077\ncat > /etc/lines <<E\n$((1 + 1)) \\ two\nE' },
  ],
  handWritten: [],
  found: [
    { path: '/etc/old', by: 'x', change: { kind: 'removed' } },
    { path: '/var/spool/new', by: 'x', change: { kind: 'directory', mode: 0o1777, uid: 3, gid: 0 } },
    { path: '/srv/private/data', by: 'x', change: { kind: 'file', mode: 0o600, uid: 0, gid: 0 } },
  ],
  directories: [{ path: '/srv/private', mode: 0o700, uid: 9, gid: 9 }],
  leftOut: [],
  manager: undefined,
};

test('the container file makes what the machine has', async () => {
  // The machine: a store of large files, and a slot.
  mkdirSync(place('host/usr/local/.holdfast/files'), { recursive: true });
  writeFileSync(place('host/usr/local/.holdfast/files', SHA), 'much');
  mkdirSync(place('slot/srv/private'), { recursive: true });
  writeFileSync(place('slot/srv/private/data'), 'from the slot');
  // The image that is built upon, with programs for its shell.
  await makeImage(place('image'));

  const promotion = writeContainerfile(FACTS);
  const directory = place('out');
  await apply(planPromotion(promotion, directory), promotionPerformers, {
    state: { directory, tree: new Root(place('slot')), host: new Root(place('host')) },
    events: silent,
  });
  await build(directory, place('image'));

  const at = (path: string) => place('image', path);
  const about = (path: string) => {
    const { mode, uid, gid } = statSync(at(path));
    return [(mode & 0o7777).toString(8), uid, gid];
  };
  expect(readFileSync(at('/etc/mine/a file'), 'utf8')).toBe('one\n');
  expect(about('/etc/mine/a file')).toEqual(['640', 7, 8]);
  expect(about('/usr/bin/tool')).toEqual(['4755', 0, 0]);
  expect(readFileSync(at('/opt/large'), 'utf8')).toBe('much');
  expect(readlinkSync(at('/etc/link'))).toBe('/opt/large');
  expect(readFileSync(at('/etc/done'), 'utf8')).toBe("it's done");
  expect(readFileSync(at('/etc/lines'), 'utf8')).toBe('2 \\ two\n');
  expect(about('/etc/lines')).toEqual(['600', 0, 0]);
  expect(existsSync(at('/etc/old'))).toBe(false);
  expect(about('/var/spool/new')).toEqual(['1777', 3, 0]);
  expect(lstatSync(at('/var/spool/new')).isDirectory()).toBe(true);
  expect(readFileSync(at('/srv/private/data'), 'utf8')).toBe('from the slot');
  expect(about('/srv/private')).toEqual(['700', 9, 9]);
  // init is the last word of every image.
  expect(readFileSync(at('/init-was-run'), 'utf8')).toBe('init\n');
});

test('a directory with something in it is left alone', () => {
  expect(() => requireEmpty(place('host'))).toThrow(expect.objectContaining({ code: 'HF-USAGE' }));
  expect(() => requireEmpty(place('slot/srv/private/data'))).toThrow('is no directory');
  requireEmpty(place('new'));
});

async function makeImage(image: string): Promise<void> {
  for (const name of ['etc', 'srv/private', 'usr/bin', 'opt', 'var/spool']) {
    mkdirSync(join(image, name), { recursive: true });
  }
  chmodSync(join(image, 'srv/private'), 0o700);
  chownSync(join(image, 'srv/private'), 9, 9);
  await copyPrograms(
    image,
    ['sh', 'cat', 'chmod', 'chown', 'ln', 'mkdir', 'rm'].map((name) => `/bin/${name}`),
  );
  writeFileSync(join(image, 'etc/old'), 'x');
  writeFileSync(join(image, 'usr/bin/holdfast'), '#!/bin/sh\necho "$@" > /init-was-run\n', { mode: 0o755 });
}

/** What a builder does with COPY of a tree and with RUN. */
async function build(directory: string, image: string): Promise<void> {
  const text = readFileSync(join(directory, CONTAINERFILE), 'utf8');
  const instructions = text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .replaceAll(/\\\n/g, '')
    .split('\n')
    .filter((line) => line !== '');
  expect(instructions[0]).toBe('FROM registry.example/os:v1');
  for (const instruction of instructions.slice(1)) {
    if (instruction === 'COPY files/ /') {
      await runChecked(['cp', '-a', `${directory}/files/.`, image]);
      continue;
    }
    const [, command = ''] = /^RUN (.*)$/.exec(instruction) ?? [];
    const result = await run(['chroot', image, '/bin/sh', '-c', command]);
    expect(result, instruction).toMatchObject({ status: 0, stderr: '' });
  }
}
