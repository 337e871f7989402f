// The comparison of a live system's root with a digest, run on a squashfs that is mounted as dracut does it.

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runChecked } from '../../../src/system/process.ts';
import { type InitramfsHost, initramfsHost, SHELLS } from './initramfs-shell.ts';

let host: InitramfsHost;
let image: string;
let digest: string;

beforeAll(async () => {
  host = initramfsHost();
  const tree = join(host.directory, 'tree');
  mkdirSync(tree);
  writeFileSync(join(tree, 'file'), 'what is in the system\n'.repeat(10_000));
  image = join(host.directory, 'root.img');
  await runChecked(['mksquashfs', tree, image, '-quiet', '-no-progress']);
  digest = createHash('sha256').update(readFileSync(image)).digest('hex');
});
afterAll(() => host.remove());

const mountIt = (file: string) => `mkdir /run/rootfsbase; mount -r -o loop '${file}' /run/rootfsbase`;
const FAILURE = 'cat /run/holdfast/failure 2> /dev/null || true';

test.each(SHELLS)('%s: the right root passes', async (shell) => {
  const result = await host.run('rootdigest', [], {
    commandLine: `root=live:/root.img rd.holdfast.rootdigest=sha256:${digest}`,
    shell,
    before: mountIt(image),
    after: FAILURE,
  });
  expect(result).toMatchObject({ status: 0, stdout: '', stderr: '' });
});

test('the device is read where the file has lost its name', async () => {
  const copy = join(host.directory, 'copy.img');
  writeFileSync(copy, readFileSync(image));
  const result = await host.run('rootdigest', [], {
    commandLine: `rd.holdfast.rootdigest=sha256:${digest}`,
    before: `${mountIt(copy)}; rm '${copy}'`,
  });
  expect(result).toMatchObject({ status: 0, stderr: '' });
});

test('one byte that differs ends the boot, with both digests', async () => {
  const damaged = Buffer.from(readFileSync(image));
  // Behind the file's superblock, in what nobody reads while mounting it.
  damaged.writeUInt8(damaged.readUInt8(200) ^ 1, 200);
  const file = join(host.directory, 'damaged.img');
  writeFileSync(file, damaged);
  const result = await host.run('rootdigest', [], {
    commandLine: `rd.holdfast.rootdigest=sha256:${digest}`,
    before: mountIt(file),
    after: FAILURE,
  });
  const found = createHash('sha256').update(damaged).digest('hex');
  const words = `the live system's root is damaged, or of another build than the kernel: its sha256 is ${found}, it should be ${digest}`;
  expect(result).toMatchObject({ status: 1, stdout: `${words}\n`, stderr: `holdfast: ${words}\n` });
});

test.each(['sha256:', 'sha256:abc', `sha256:${'0'.repeat(63)}g`, `md5:${'0'.repeat(64)}`, '0'.repeat(64), ''])(
  'a digest that is none ends the boot: %s',
  async (text) => {
    const result = await host.run('rootdigest', [], {
      commandLine: `rd.holdfast.rootdigest=${text}`,
      before: mountIt(image),
    });
    expect(result.status).toBe(1);
    expect(result.stderr).toBe('holdfast: rd.holdfast.rootdigest is not sha256: with 64 hexadecimal digits\n');
  },
);

test('a root that isn’t there is no root that passes', async () => {
  const result = await host.run('rootdigest', [], { commandLine: `rd.holdfast.rootdigest=sha256:${digest}` });
  expect(result.status).toBe(1);
  expect(result.stderr).toContain('was not found');
});
