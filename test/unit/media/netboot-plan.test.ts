import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inspectNetbootPlace, type NetbootRequest, planNetboot } from '../../../src/media/netboot-plan.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-netboot-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const inspect = (name: string, force = false) => inspectNetbootPlace(join(directory, name), { force });

test('a directory that isn’t there will be made, and looking at it makes nothing', () => {
  expect(inspect('new')).toEqual({ directory: join(directory, 'new'), state: 'absent', replaces: [] });
  expect(readdirSync(directory)).toEqual([]);
});

test('a directory with other files takes ours', () => {
  writeFileSync(join(directory, 'index.html'), '');
  expect(inspect('.')).toEqual({ directory, state: 'there', replaces: [] });
});

test('files of an earlier build are replaced only by force', () => {
  for (const name of ['boot.ipxe', 'kernel', 'index.html']) writeFileSync(join(directory, name), '');
  expect(() => inspect('.')).toThrow(expect.objectContaining({ code: 'HF-TARGET', exitStatus: 25 }));
  expect(inspect('.', true).replaces).toEqual(['boot.ipxe', 'kernel']);
});

test('what is no file is never replaced', () => {
  mkdirSync(join(directory, 'kernel'));
  expect(() => inspect('.', true)).toThrow(/kernel is there already and is no file/);
});

test('a place that is no directory is refused', () => {
  writeFileSync(join(directory, 'file'), '');
  symlinkSync('nowhere', join(directory, 'link'));
  expect(() => inspect('file')).toThrow(/not a directory/);
  expect(() => inspect('link')).toThrow(/leads nowhere/);
  expect(() => inspect('no/such')).toThrow(/not a directory/);
});

const REQUEST: NetbootRequest = {
  source: 'dir:/srv/os',
  directory: '/srv/http',
  base: undefined,
  cloudConfig: undefined,
  install: false,
  extra: [],
  way: undefined,
  compression: 'xz',
  overlays: [],
  systemBytes: 1000,
};
const PLACE = { directory: '/srv/http', state: 'there', replaces: [] } as const;

test('nothing gets its name before everything is made', () => {
  expect(planNetboot(REQUEST, PLACE).actions.map(({ kind }) => kind)).toEqual([
    'prepare-place',
    'unpack-system',
    'look-at-initramfs',
    'make-root',
    'copy-boot-files',
    'write-script',
    'publish',
  ]);
});

test('what is replaced and what is served beside is in the plan', () => {
  const plan = planNetboot({ ...REQUEST, cloudConfig: 'beside' }, { ...PLACE, replaces: ['kernel', 'boot.ipxe'] });
  const summaries = plan.actions.map(({ summary }) => summary);
  expect(summaries).toContain('Put the stage file beside it as cloud-config.yaml');
  expect(summaries.at(-1)).toBe('Check the sums and put the files into /srv/http, in place of kernel, boot.ipxe');
});
