// Command lines of elemental build-disk and convert-disk, and what holdfast is asked for instead.

import { expect, test } from 'vitest';
import { BUILD_DISK, CONVERT_DISK, translateBuildDisk, translateConvertDisk } from '../../../../src/cli/compat/disk.ts';
import { parseFlags } from '../../../../src/cli/compat/flags.ts';

const FOREIGN = { voice: { tool: 'elemental', name: 'elemental' }, environment: {}, arch: 'x64' } as const;
const NOW = new Date('2026-11-22T10:00:00Z');
const build = (line: string) =>
  translateBuildDisk(parseFlags(line.split(' '), BUILD_DISK), FOREIGN, NOW).args.join(' ');

test.each([
  ['quay.io/os:v1', 'build-disk docker:quay.io/os:v1 --output disk.raw --type raw'],
  ['oci:quay.io/os -t azure -o out.raw', 'build-disk oci:quay.io/os --output out.vhd --type azure'],
  [
    // May 2022: only what the first boot needs.
    '--system dir:/x --oem_label MY_OEM --recovery_label MY_RECOVERY -t gce',
    'build-disk dir:/x --output disk.tar.gz --type gce --expandable --oem-label MY_OEM --recovery-label MY_RECOVERY',
  ],
  [
    'os:v2 --expandable --deploy-command elemental,--debug,reset,--reboot -c a.yaml,b.yaml -n my --date -o /srv',
    'build-disk docker:os:v2 --output /srv/my.20261122.raw --type raw --expandable --deploy-command elemental --debug reset --reboot --cloud-config a.yaml --cloud-config b.yaml',
  ],
])('build-disk %s', (line, expected) => {
  expect(build(line)).toBe(expected);
});

test('a word of the deploy command that a shell would take apart is quoted', () => {
  const flags = parseFlags(['os', '--expandable', '--deploy-command', "sh,-c,echo it's"], BUILD_DISK);
  expect(translateBuildDisk(flags, FOREIGN, NOW).args).toContain("sh -c 'echo it'\\''s'");
});

test('convert-disk keeps what it is told to keep', () => {
  const flags = parseFlags(['disk.raw', '-t', 'gce', '--keep-source'], CONVERT_DISK);
  expect(translateConvertDisk(flags).args).toEqual(['convert-disk', 'disk.raw', '--type', 'gce', '--keep-source']);
});
