// `holdfast build-netboot` on a small tree: what it writes, that it is the same every time, and that nothing is left when it
// can't be done.

import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ensureExecutable } from '../../../lab/executable.ts';
import { ByteSource } from '../../../src/media/byte-source.ts';
import { cpioFrame, readCpio } from '../../../src/media/cpio.ts';
import { run, runChecked } from '../../../src/system/process.ts';

let executable: string;
let directory: string;
let image: string;
let out: string;

beforeAll(async () => {
  executable = await ensureExecutable(() => {});
});
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-netboot-'));
  out = join(directory, 'out');
  image = join(directory, 'image');
  makeImage(['dmsquash-live']);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function put(path: string, content: string | Uint8Array): void {
  const file = join(image, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

function makeImage(modules: readonly string[], { checksRoot = true } = {}): void {
  const files = {
    'usr/lib/dracut/modules.txt': modules.join('\n'),
    ...(checksRoot && { 'usr/sbin/holdfast-rootdigest': '#!' }),
  };
  const archives = Object.entries(files).map(([path, text]) => {
    const { before, after } = cpioFrame({ path, sizeBytes: text.length, timeSeconds: 0 });
    return Buffer.concat([before, Buffer.from(text), after]);
  });
  put('etc/cos/bootargs.cfg', 'set kernel=/boot/vmlinuz\nset initramfs=/boot/initrd\n');
  put('etc/os-release', 'PRETTY_NAME="Example 1"\n');
  put('boot/vmlinuz', 'a kernel');
  put('boot/initrd', gzipSync(Buffer.concat(archives)));
  put('usr/share/text', 'what is in it\n'.repeat(5000));
}

function build(...more: string[]) {
  const command = [executable, 'build-netboot', `dir:${image}`, '-o', out, '--compression', 'gzip', ...more] as const;
  return run([...command], { env: { ...process.env, TMPDIR: directory, SOURCE_DATE_EPOCH: '1700000000' } });
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const script = () => readFileSync(join(out, 'boot.ipxe'), 'utf8');
/** What is in the directories that a build works in, by name. */
const traces = () => readdirSync(directory).sort();

describe('a root that the boot loader brings', () => {
  test('comes as an archive that the kernel unpacks, with its digest in the script', async () => {
    const result = await build('--json');
    expect([result.status, result.stderr]).toEqual([0, '']);
    const summary = JSON.parse(result.stdout.trim().split('\n').at(-1) ?? '');
    expect(summary).toMatchObject({ outcome: 'ok', root: 'initrd', memoryMiB: 768, warnings: [] });
    expect(readdirSync(out).sort()).toEqual(['SHA256SUMS', 'boot.ipxe', 'initrd', 'kernel', 'rootfs.cpio']);

    const found: string[] = [];
    const archive = readFileSync(join(out, 'rootfs.cpio'));
    await readCpio(new ByteSource(bytesOf(archive)), async ({ path, sizeBytes }, read) => {
      if (sizeBytes === 0) return;
      const root = await read();
      writeFileSync(join(directory, 'found.img'), root);
      found.push(`${path} sha256:${sha256(root)}`);
    });
    expect(found).toEqual([`rootfs.img ${summary.rootDigest}`]);
    expect(script()).toContain(`root=live:/rootfs.img rd.cos.disable rd.holdfast.rootdigest=${summary.rootDigest} `);
    const listed = await runChecked(['unsquashfs', '-cat', join(directory, 'found.img'), 'usr/share/text']);
    expect(listed).toBe('what is in it\n'.repeat(5000));

    expect(readFileSync(join(out, 'kernel'), 'utf8')).toBe('a kernel');
    const initrd = readFileSync(join(out, 'initrd'));
    const original = readFileSync(join(image, 'boot/initrd'));
    expect([initrd.length % 4, initrd.subarray(0, original.length).equals(original)]).toEqual([0, true]);
    expect(gunzipSync(original).length).toBeGreaterThan(0);
    const checked = await run(['sha256sum', '--check', '--strict', 'SHA256SUMS'], { cwd: out });
    expect([checked.status, checked.stdout]).toEqual([0, 'boot.ipxe: OK\ninitrd: OK\nkernel: OK\nrootfs.cpio: OK\n']);
  });

  test('a web server can read all of it, whatever the builder’s umask is', async () => {
    const words = `umask 077; exec "$@"`;
    const env = { ...process.env, TMPDIR: directory };
    await runChecked(
      ['sh', '-c', words, 'sh', executable, 'build-netboot', `dir:${image}`, '-o', out, '--compression', 'gzip'],
      { env },
    );
    for (const name of readdirSync(out)) expect([name, statSync(join(out, name)).mode & 0o777]).toEqual([name, 0o644]);
    expect(statSync(out).mode & 0o777).toBe(0o755);
  });
});

describe('a root that the initramfs fetches', () => {
  test('is chosen where the initramfs can it', async () => {
    makeImage(['dmsquash-live', 'livenet', 'network-legacy']);
    expect((await build('--url', 'http://10.0.0.1/os')).status).toBe(0);
    expect(readdirSync(out).sort()).toEqual(['SHA256SUMS', 'boot.ipxe', 'initrd', 'kernel', 'rootfs.squashfs']);
    const digest = sha256(readFileSync(join(out, 'rootfs.squashfs')));
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a setting of iPXE
    expect(script()).toContain('root=live:${holdfast-base}rootfs.squashfs ip=dhcp rd.cos.disable');
    expect(script()).toContain(`rd.holdfast.rootdigest=sha256:${digest}`);
    expect(script()).toContain('set holdfast-base http://10.0.0.1/os/\n');
  });

  test('is refused where it can’t, before anything is written', async () => {
    const result = await build('--root', 'http');
    expect(result.status).toBe(93);
    expect(result.stderr).toContain('livenet is not in it');
    expect(traces()).toEqual(['image']);
  });
});

test('an image whose initramfs can’t compare gets no digest, and that is said', async () => {
  makeImage(['dmsquash-live'], { checksRoot: false });
  const result = await build();
  expect(result.stderr).toContain('too old to compare');
  expect(script()).not.toContain('rootdigest');
});

test('two builds are the same, to the byte, whoever makes them', async () => {
  const config = join(directory, 'config.yaml');
  writeFileSync(config, 'stages:\n  network:\n    - commands: [true]\n');
  await build('--cloud-config', config, '--extra-cmdline', 'quiet');
  const sums = () => readdirSync(out).map((name) => `${name} ${sha256(readFileSync(join(out, name)))}`);
  const first = sums();
  expect(first).toHaveLength(6);
  rmSync(out, { recursive: true });
  const words = 'umask 077; exec taskset 1 "$@"';
  const env = {
    ...process.env,
    TMPDIR: directory,
    SOURCE_DATE_EPOCH: '1700000000',
    TZ: 'Asia/Tokyo',
    LC_ALL: 'C.UTF-8',
  };
  const options = ['--compression', 'gzip', '--cloud-config', config, '--extra-cmdline', 'quiet'];
  await runChecked(['sh', '-c', words, 'sh', executable, 'build-netboot', `dir:${image}`, '-o', out, ...options], {
    env,
  });
  expect(sums()).toEqual(first);
});

test('force replaces what an earlier build left, and nothing else', async () => {
  makeImage(['dmsquash-live', 'livenet', 'network-legacy']);
  await build();
  writeFileSync(join(out, 'index.html'), 'mine');
  expect((await build()).status).toBe(25);
  const result = await build('--root', 'initrd', '--force');
  expect([result.status, result.stderr]).toEqual([0, '']);
  expect(readdirSync(out).sort()).toEqual(['SHA256SUMS', 'boot.ipxe', 'index.html', 'initrd', 'kernel', 'rootfs.cpio']);
});

test('a dry run writes nothing', async () => {
  const result = await build('--dry-run');
  expect([result.status, result.stderr]).toEqual([0, '']);
  expect(result.stdout).toContain('nothing was changed');
  expect(traces()).toEqual(['image']);
});

test('what fails or is interrupted leaves nothing', async () => {
  put('boot/initrd', 'no initramfs');
  expect((await build()).status).toBe(20);
  expect(traces()).toEqual(['image']);

  makeImage(['dmsquash-live']);
  const words = '"$@" & child=$!; until [ -e "$0" ]; do sleep 0.01; done; kill -INT "$child"; wait "$child"';
  const env = { ...process.env, TMPDIR: directory };
  const slow = join(directory, 'bin');
  mkdirSync(slow);
  // Says that it was started, and takes its time.
  writeFileSync(join(slow, 'mksquashfs'), `#!/bin/sh\n: > '${directory}/started'\nexec sleep 60\n`, { mode: 0o755 });
  const argv = [executable, 'build-netboot', `dir:${image}`, '-o', out] as const;
  // Started by a shell in the background a process ignores SIGINT, unless it has a job of its own.
  const result = await run(['bash', '-m', '-c', words, join(directory, 'started'), ...argv], {
    env: { ...env, PATH: `${slow}:${process.env['PATH']}` },
  });
  expect(result.status).toBe(130);
  expect(traces()).toEqual(['bin', 'image', 'started']);
});

test.each([
  [['--url', 'nonsense'], 1, 'can’t be used as an address'],
  [['--extra-cmdline', 'a && reboot'], 1, 'iPXE reads && as its own'],
  [['--compression', 'best'], 1, 'is not compressed with'],
  [['--cloud-config', '/no/such/file'], 1, 'does not exist'],
  [['--overlay-rootfs', '/no/such/directory'], 68, 'no such directory'],
])('%j is refused', async (options, status, words) => {
  const result = await build(...options);
  expect(result.status).toBe(status);
  expect(result.stderr).toContain(words);
  expect(existsSync(out)).toBe(false);
});

async function* bytesOf(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
