// `elemental`: the command lines of May 2022, of 0.2 to 1.x and of version 2 → holdfast's. Pure.

import { HoldfastError } from '../../system/errors.ts';
import { BUILD_ISO, PULL_IMAGE, translateBuildIso, translatePullImage } from './build.ts';
import { BUILD_DISK, CONVERT_DISK, translateBuildDisk, translateConvertDisk } from './disk.ts';
import { addFromEnvironment, saysYes, variable } from './environment.ts';
import { type FlagSpec, type Flags, flagLines, parseFlags } from './flags.ts';
import {
  type Foreign,
  logOptions,
  translateInstall,
  translateReset,
  translateUpgrade,
  translateUpgradeRecovery,
} from './lifecycle.ts';
import { GLOBAL, INSTALL, RESET, UPGRADE } from './options.ts';
import type { Translation } from './translation.ts';

interface Command {
  /** What its help says it takes, beside options. */
  takes: string;
  about: string;
  options: readonly FlagSpec[];
  /** How many arguments it takes at most, and at least. */
  arguments: { most: number; least?: number };
  translate: (flags: Flags, foreign: Foreign) => Translation;
}

const CLOUD_INIT_PATHS: FlagSpec = { name: 'cloud-init-paths', takes: 'list', about: 'more places of stage files' };

const COMMANDS: Readonly<Record<string, Command>> = {
  install: {
    takes: '[DEVICE]',
    about: 'install a system on a disk',
    options: INSTALL,
    arguments: { most: 1 },
    translate: translateInstall,
  },
  upgrade: {
    takes: '',
    about: 'upgrade the system',
    options: UPGRADE,
    arguments: { most: 0 },
    translate: (flags, foreign) => translateUpgrade(flags, foreign, { version2: flags.has('system') }),
  },
  'upgrade-recovery': {
    takes: '',
    about: 'upgrade the recovery system',
    options: UPGRADE,
    arguments: { most: 0 },
    translate: translateUpgradeRecovery,
  },
  reset: {
    takes: '',
    about: 'make the system anew from the recovery system',
    options: RESET,
    arguments: { most: 0 },
    translate: translateReset,
  },
  'run-stage': {
    takes: 'STAGE',
    about: 'run a stage of the cloud-config files',
    options: [{ name: 'strict', about: 'fail when a step fails' }, CLOUD_INIT_PATHS],
    arguments: { least: 1, most: 1 },
    translate: (flags, { environment, voice }) => {
      const paths = flags.all('cloud-init-paths');
      const strict = flags.has('strict') ? flags.isOn('strict') : saysYes(environment, 'ELEMENTAL_STRICT');
      return simple(flags, voice, [
        'run-stage',
        ...flags.positional,
        ...(strict ? ['--strict'] : []),
        ...(paths.length > 0 ? ['--cloud-init-paths', paths.join(',')] : []),
      ]);
    },
  },
  'cloud-init': {
    takes: 'FILE|URL|-…',
    about: 'run one stage of the named cloud-config files',
    options: [
      { name: 'stage', short: 's', takes: 'value', about: 'the stage (default)' },
      { name: 'dotnotation', short: 'd', about: 'they hold words like stages.x[0].name=…' },
    ],
    arguments: { least: 1, most: Number.POSITIVE_INFINITY },
    translate: (flags, { voice }) =>
      simple(flags, voice, [
        'cloud-init',
        '--stage',
        flags.value('stage') ?? 'default',
        ...(flags.isOn('dotnotation') ? ['--dotnotation'] : []),
        '--',
        ...flags.positional,
      ]),
  },
  'pull-image': {
    takes: 'IMAGE DIRECTORY',
    about: 'unpack an image into a directory',
    options: PULL_IMAGE,
    arguments: { least: 2, most: 2 },
    translate: translatePullImage,
  },
  'build-iso': {
    takes: '[SOURCE…]',
    about: 'make an ISO of a system',
    options: BUILD_ISO,
    arguments: { most: 16 },
    translate: translateBuildIso,
  },
  state: {
    takes: '',
    about: 'print the record of what is installed',
    options: [],
    arguments: { most: 0 },
    translate: () => ({ kind: 'plain', args: ['state'] }),
  },
  mount: {
    takes: '',
    about: 'mount the writable layout (used by the initramfs)',
    options: [
      { name: 'sysroot', takes: 'value', about: 'where the root is mounted (/sysroot)' },
      { name: 'write-fstab', about: 'is always done' },
    ],
    arguments: { most: 0 },
    translate: (flags, { environment, voice }) => {
      const sysroot = flags.value('sysroot') ?? variable(environment, 'ELEMENTAL_MOUNT_SYSROOT');
      const fstab = flags.value('write-fstab') ?? environment['ELEMENTAL_MOUNT_WRITE_FSTAB'];
      const args = ['mount', ...(sysroot === undefined ? [] : ['--sysroot', sysroot])];
      return simple(flags, voice, args, fstab === 'false' ? ['fstab is always written'] : []);
    },
  },
  init: {
    takes: '[FEATURES]',
    about: 'make a root file system bootable, while an image is built',
    options: [
      { name: 'mkinitrd', about: 'build the initramfs' },
      { name: 'force', short: 'f', about: 'also outside of a container' },
    ],
    arguments: { most: 1 },
    translate: (flags, { environment, voice }) => {
      const initrd = flags.has('mkinitrd')
        ? flags.isOn('mkinitrd')
        : (saysYes(environment, 'ELEMENTAL_INIT_MKINITRD') ?? true);
      const [features] = flags.positional;
      return simple(
        flags,
        voice,
        ['init', ...(initrd ? [] : ['--no-initrd'])],
        features === undefined || features === 'all'
          ? []
          : [`${features}: init puts in all that a system needs, parts are not chosen`],
      );
    },
  },
  'build-disk': {
    takes: '[IMAGE]',
    about: 'make a disk image',
    options: BUILD_DISK,
    arguments: { most: 1 },
    translate: (flags, foreign) => {
      const { args, warnings } = translateBuildDisk(flags, foreign, new Date());
      flags.delete('config-dir');
      return simple(flags, foreign.voice, args, warnings);
    },
  },
  'convert-disk': {
    takes: 'RAW_DISK',
    about: 'convert a raw disk image for Azure or Google Cloud',
    options: CONVERT_DISK,
    arguments: { least: 1, most: 1 },
    translate: (flags, { voice }) => simple(flags, voice, translateConvertDisk(flags).args),
  },
  version: {
    takes: '',
    about: 'print the version',
    options: [{ name: 'long', about: 'is the same' }],
    arguments: { most: 0 },
    translate: () => ({ kind: 'plain', args: ['--version'] }),
  },
};

/** Commands of elemental that holdfast has not; each with what to do instead. */
const ABSENT: Readonly<Record<string, string>> = {
  new: 'there are no templates; the guides of holdfast begin with a container file',
};

/**
 * @throws HoldfastError for a command line that elemental would refuse as well, and for what can't be had.
 */
export function translateElemental(argv: readonly string[], foreign: Foreign): Translation {
  const { name, rest } = splitCommand(argv);
  if (name === undefined || name === 'help') {
    const asked = name === undefined ? undefined : rest[0];
    const command = asked === undefined ? undefined : commandOf(asked);
    return { kind: 'text', status: 0, lines: command === undefined ? help() : helpOf(asked ?? '', command) };
  }
  const command = commandOf(name);
  if (command === undefined) {
    const instead = Object.hasOwn(ABSENT, name) ? ABSENT[name] : undefined;
    if (instead !== undefined) {
      throw new HoldfastError('HF-UNSUPPORTED', `holdfast has no ${name}`, { exitStatus: 1, hint: instead });
    }
    throw new HoldfastError('HF-USAGE', `unknown command ${JSON.stringify(name)} for "elemental"`, {
      hint: `it is one of ${Object.keys(COMMANDS).join(', ')}`,
    });
  }
  const options = [...GLOBAL, ...command.options];
  const flags = parseFlags(rest, options);
  if (flags.isOn('help')) return { kind: 'text', status: 0, lines: helpOf(name, command) };
  addFromEnvironment(flags, GLOBAL, foreign.environment);
  const { least = 0, most } = command.arguments;
  const count = flags.positional.length;
  if (count < least || count > most) {
    const takes = least === most ? `${most}` : count < least ? `at least ${least}` : `at most ${most}`;
    throw new HoldfastError('HF-USAGE', `elemental ${name} takes ${takes} argument(s), received ${count}`, {
      hint: `elemental ${name} ${command.takes}`.trim(),
    });
  }
  return command.translate(flags, foreign);
}

function commandOf(name: string): Command | undefined {
  return Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
}

/** The first word that is no option; options before it belong to the command as well. */
function splitCommand(argv: readonly string[]): { name: string | undefined; rest: readonly string[] } {
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? '';
    if (!word.startsWith('-')) return { name: word, rest: argv.toSpliced(at, 1) };
    if (word === '--version') return { name: 'version', rest: [] };
    const spec = GLOBAL.find(({ name, short }) => word === `--${name}` || word === `-${short}`);
    if (spec?.takes === 'value') at += 1;
  }
  // Wrong options are told before the help is shown.
  parseFlags(argv, GLOBAL);
  return { name: undefined, rest: argv };
}

/** A command that is no action on systems. */
function simple(
  flags: Flags,
  voice: Foreign['voice'],
  args: readonly string[],
  warnings: readonly string[] = [],
): Translation {
  const unused = flags.has('config-dir') ? [`--config-dir makes no difference to ${args[0]}`] : [];
  return {
    kind: 'run',
    args,
    warnings: [...warnings, ...unused],
    lenient: false,
    environment: {},
    voice: { ...voice, action: 'other' },
    log: logOptions(flags),
  };
}

function help(): string[] {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  return [
    'elemental: the commands of Elemental, done by holdfast (see holdfast --help)',
    '',
    'Usage: elemental [options] COMMAND [options]',
    '',
    'Commands:',
    ...Object.entries(COMMANDS).map(([name, { about }]) => `  ${name.padEnd(width)}  ${about}`),
    '',
    'Options:',
    ...flagLines(GLOBAL),
  ];
}

function helpOf(name: string, { takes, about, options }: Command): string[] {
  return [
    `elemental ${name}: ${about}`,
    '',
    `Usage: elemental ${name} [options] ${takes}`.trimEnd(),
    '',
    'Options:',
    ...flagLines([...options, ...GLOBAL]),
  ];
}
