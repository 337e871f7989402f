// `holdfast installer --unattended` on a real disk image: what is kept of the files that asked for it, that it happens once, and
// that an install which was cut short is no reason to leave a machine without a system.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { NO_SECTION, readInstallSection } from '../../../src/cli/installer/install-section.ts';
import { markOf, wasInstalledBy } from '../../../src/cli/installer/installed-before.ts';
import { runCli } from '../../../src/cli/program.ts';
import type { Reporter } from '../../../src/cli/reporter.ts';
import { openImage } from '../../../src/image/image.ts';
import { parseImageSource } from '../../../src/image/reference.ts';
import { install } from '../../../src/lifecycle/apply-install.ts';
import { DEFAULT_LABELS } from '../../../src/slots/names.ts';
import { HoldfastError } from '../../../src/system/errors.ts';
import { PLAIN } from '../../../src/system/paint.ts';
import { runChecked } from '../../../src/system/process.ts';
import { DiskImage, machineTraces } from './disk-image.ts';
import { BOOT_FILES, osRelease, TinyImages } from './tiny-image.ts';

let images: TinyImages;
let from: string;
let disk: DiskImage;

beforeAll(async () => {
  images = new TinyImages();
  await images.add('v1', [{ name: 'base', files: { ...BOOT_FILES, ...osRelease(1) } }]);
});
afterAll(() => images?.remove());
afterEach(() => disk?.remove());

/** A new disk, and the directory of stage files that asks for an install on it. */
function begin(more = ''): string {
  disk = DiskImage.create(4096);
  from = join(images.directory, `config-${disk.file.replaceAll('/', '_')}`);
  mkdirSync(from);
  const section = `install:
  auto: true
  force: true
  device: ${disk.file}
  source: oci-layout:${images.layout}:v1
${more}`;
  writeFileSync(join(from, '10_install.yaml'), `#cloud-config\n${section}hostname: kelp\n`);
  writeFileSync(join(from, '20_more.yaml'), 'stages:\n  boot:\n    - name: "{{ .x }}"\n');
  return section;
}

async function unattended(): Promise<{ status: number; error: string; said: string[] }> {
  const ran = { status: -1, error: '', said: [] as string[] };
  const reporter: Reporter = {
    paint: PLAIN,
    events: (event) => {
      if (event.type === 'notice') ran.said.push(event.text);
    },
    result: (_, lines) => ran.said.push(...lines),
    error: (error) => {
      ran.error = String(error);
      return error instanceof HoldfastError ? error.exitStatus : 255;
    },
  };
  ran.status = await runCli(['installer', '--unattended', '--from', from, '--config-dir', '/nowhere'], () => reporter);
  return ran;
}

const onOem = async () => {
  let found: Record<string, string> = {};
  await disk.withMounted('COS_OEM', (oem) => {
    const files = readdirSync(oem).filter((name) => name.endsWith('.yaml'));
    found = Object.fromEntries(files.sort().map((name) => [name, readFileSync(join(oem, name), 'utf8')]));
  });
  return found;
};

test('it installs, keeps the files as they are, and does it once, whatever its owner makes of them', async () => {
  begin('  surprise: true\n');
  const before = await machineTraces();
  const first = await unattended();
  expect(first).toMatchObject({ status: 0, error: '' });
  expect(first.said.join('\n')).toMatch(/10_install\.yaml:7:3: install\.surprise is no setting and has no effect/);
  expect(Object.keys(await onOem())).toEqual(['90_custom.yaml', '91_custom.yaml']);
  expect((await onOem())['90_custom.yaml']).toBe(readFileSync(join(from, '10_install.yaml'), 'utf8'));

  await disk.withMounted('COS_OEM', (oem) => writeFileSync(join(oem, '90_custom.yaml'), '# mine\n'), {
    writable: true,
  });
  writeFileSync(join(from, '20_more.yaml'), `# ${Date.now()}\n`);
  const second = await unattended();
  expect(second).toMatchObject({ status: 57, error: expect.stringContaining('which this very request has installed') });
  expect((await onOem())['90_custom.yaml']).toBe('# mine\n');
  const { mounts, loops } = await machineTraces();
  expect({ mounts, loops }).toEqual({ mounts: before.mounts, loops: before.loops });
});

test('a system whose COS_STATE can’t be read is not erased', async () => {
  begin();
  expect(await unattended()).toMatchObject({ status: 0 });
  await disk.withPartitions(['COS_STATE'], async (devices) => {
    // The label stays; a version of XFS that no kernel knows (big endian, at byte 100 of the superblock).
    const write = ['bs=1', 'seek=100', 'conv=notrunc', 'status=none'] as const;
    await runChecked(['dd', `of=${devices['COS_STATE']}`, ...write], { input: Buffer.from([0xb4, 0xa7]) });
  });
  expect(await unattended()).toMatchObject({ status: 47, error: expect.stringContaining("can't be read") });
});

test('an install that was cut short is done again', async () => {
  const section = readInstallSection(NO_SECTION, 'x', begin());
  const image = await openImage(parseImageSource(`oci-layout:${images.layout}:v1`));
  const request = {
    ...{ image, target: disk.file, strictness: 'chroot' as const, force: true, cloudInit: [], bootEntry: false },
    unattendedMark: markOf(section),
  };
  const cut = install(request, {
    command: 'a test',
    now: '2026-11-22T00:00:00Z',
    beforeAction: (index) => {
      // The mark is there, the slots are not.
      if (index === 6) throw new Error('cut off');
    },
  });
  await expect(cut).rejects.toThrow('cut off');
  await disk.withMounted('COS_STATE', (state) => {
    expect(readFileSync(join(state, 'unattended-install'), 'utf8').trim()).toBe(markOf(section));
  });
  expect(await wasInstalledBy(markOf(section), disk.file, DEFAULT_LABELS)).toBe(false);
  expect(await unattended()).toMatchObject({ status: 0, error: '' });
  expect(await wasInstalledBy(markOf(section), disk.file, DEFAULT_LABELS)).toBe(true);
});

test('one file that can’t be read, and nothing is installed', async () => {
  begin();
  writeFileSync(join(from, '30_broken.yaml'), 'stages: [\n');
  const result = await unattended();
  expect(result).toMatchObject({
    error: expect.stringContaining('nothing is installed, since not all stage files can be read'),
  });
  expect(result.status).not.toBe(0);
  expect((await runChecked(['head', '--bytes', '65536', disk.file])).replaceAll('\0', '')).toBe('');
});
