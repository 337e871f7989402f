// `elemental build-disk` and `convert-disk`, of May 2022 (a disk that holds COS_OEM and COS_RECOVERY, made of packages) and of
// version 2 (a whole disk, or an expandable one, made of an image) → holdfast's. Pure.

import { join } from 'node:path';
import { convertedName, FORMAT_FACTS, parseDiskFormat } from '../../media/disk-formats.ts';
import { HoldfastError } from '../../system/errors.ts';
import { variable } from './environment.ts';
import type { FlagSpec, Flags } from './flags.ts';
import { type Foreign, imageUri } from './lifecycle.ts';

export const BUILD_DISK: readonly FlagSpec[] = [
  { name: 'type', short: 't', takes: 'value', about: 'raw, azure or gce' },
  { name: 'output', short: 'o', takes: 'value', about: 'the file (disk.raw); with --name the directory' },
  { name: 'name', short: 'n', takes: 'value', about: 'the name of the file without its ending' },
  { name: 'date', about: 'add the day to the name' },
  { name: 'system', takes: 'value', about: 'the image' },
  { name: 'recovery-system.uri', takes: 'value', about: 'the image of the recovery system' },
  { name: 'expandable', about: 'a small disk that fills a larger one at its first boot' },
  { name: 'deploy-command', takes: 'list', about: 'what that first boot runs' },
  { name: 'cloud-init', short: 'c', takes: 'list', about: 'stage files for /oem' },
  { name: 'cloud-init-paths', takes: 'list', about: 'more places of stage files' },
  { name: 'oem_label', takes: 'value', about: 'the label of the OEM partition' },
  { name: 'recovery_label', takes: 'value', about: 'the label of the recovery partition' },
  { name: 'arch', short: 'a', takes: 'value', about: 'x86_64' },
  { name: 'repo', takes: 'list', about: 'package repositories: there are none' },
];

export const CONVERT_DISK: readonly FlagSpec[] = [
  { name: 'type', short: 't', takes: 'value', about: 'azure or gce' },
  { name: 'keep-source', about: 'keep the raw disk' },
];

interface Translated {
  args: string[];
  warnings: string[];
}

/**
 * @param now for `--date`.
 * @throws HoldfastError HF-NO-SOURCE for the disks of May 2022, whose packages came from repositories.
 */
export function translateBuildDisk(flags: Flags, { environment }: Foreign, now: Date): Translated {
  const [image = flags.value('system')] = flags.positional;
  if (image === undefined) {
    throw new HoldfastError('HF-NO-SOURCE', 'the packages of a manifest’s raw_disk can’t be had: no image is named', {
      exitStatus: 1,
      hint: 'name the image that they made: elemental build-disk docker:REPOSITORY:TAG',
    });
  }
  const format = parseDiskFormat(flags.value('type') ?? 'raw');
  const name = flags.value('name') ?? variable(environment, 'ELEMENTAL_BUILD_NAME');
  const day = flags.isOn('date') ? `.${now.toISOString().slice(0, 10).replaceAll('-', '')}` : '';
  const output = flags.value('output');
  const file =
    name !== undefined || day !== ''
      ? join(output ?? '.', `${name ?? 'elemental'}${day}${FORMAT_FACTS[format].suffix}`)
      : (output ?? 'disk.raw');
  // The disks of May 2022 had these labels to choose, and nothing but what the first boot needs.
  const isOld = flags.hasAny('oem_label', 'recovery_label');
  const deploy = flags.all('deploy-command').map(shellWord).join(' ');
  const paths = flags.all('cloud-init-paths').join(',');
  const valued = (flag: string, value: string | undefined) =>
    value === undefined || value === '' ? [] : [flag, value];
  return {
    args: [
      'build-disk',
      imageUri(image),
      ...['--output', /\.raw$/.test(file) ? convertedName(file, format) : file],
      ...['--type', format],
      ...(flags.isOn('expandable') || isOld ? ['--expandable'] : []),
      ...valued('--deploy-command', deploy),
      ...flags.all('cloud-init').flatMap((each) => ['--cloud-config', each]),
      ...valued('--cloud-init-paths', paths),
      ...valued('--recovery-system', recoveryOf(flags)),
      ...valued('--oem-label', flags.value('oem_label')),
      ...valued('--recovery-label', flags.value('recovery_label')),
      ...valued('--arch', flags.value('arch')),
      ...valued('--config-dir', flags.value('config-dir')),
    ],
    warnings: flags.has('repo') ? ['--repo has no effect: there are no package repositories'] : [],
  };
}

export function translateConvertDisk(flags: Flags): Translated {
  const [raw = ''] = flags.positional;
  return {
    args: [
      'convert-disk',
      raw,
      ...['--type', flags.value('type') ?? 'azure'],
      ...(flags.isOn('keep-source') ? ['--keep-source'] : []),
    ],
    warnings: [],
  };
}

function recoveryOf(flags: Flags): string | undefined {
  const uri = flags.value('recovery-system.uri');
  return uri === undefined ? undefined : imageUri(uri);
}

/** elemental takes the command as a list of words. */
function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
