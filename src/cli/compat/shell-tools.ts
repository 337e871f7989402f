// The shell tools of cOS (cos-installer, cos-upgrade, cos-reset, cos-deploy and `cos`) → holdfast's command lines. Pure.
// Options may stand in any order and come after the argument too, as they may since 0.8.10; before, what came after it
// was passed over in silence.

import { HoldfastError } from '../../system/errors.ts';
import { addFromEnvironment, saysYes, variable } from './environment.ts';
import { type FlagSpec, type Flags, flagLines, parseFlags } from './flags.ts';
import { type Foreign, translateDeploy, translateInstall, translateReset, translateUpgrade } from './lifecycle.ts';
import { DEPLOY, GLOBAL, INSTALL, RESET, SOURCES, UPGRADE } from './options.ts';
import type { Translation } from './translation.ts';

export interface ShellTool {
  takes: string;
  /** Its log has all that programs print. */
  debug?: true;
  options: readonly FlagSpec[];
  translate: (flags: Flags, foreign: Foreign) => Translation;
}

/** `--docker-image` and `--directory` say what the argument is; with `=` they bring it along. */
const asShellOptions = (options: readonly FlagSpec[]): readonly FlagSpec[] =>
  options.map((spec) =>
    spec.name === 'docker-image' || spec.name === 'directory' ? { ...spec, takes: 'argument' as const } : spec,
  );

/** Where the scripts of 0.8.10 logged to. */
const LOGFILE = '/tmp/elemental.log';

/** Of the last shell implementation. */
const QUIET_WORDS: readonly FlagSpec[] = [
  { name: 'no-cosign', about: 'do not verify the image with cosign' },
  { name: 'silence-hooks', about: 'do not show what hooks print' },
];

export const INSTALLER: ShellTool = {
  takes: '[DEVICE]',
  debug: true,
  options: [
    { name: 'config', takes: 'value', about: 'a stage file for /oem, or its web address' },
    ...asShellOptions(INSTALL),
    ...QUIET_WORDS,
  ],
  translate: (flags, foreign) => {
    const { environment } = foreign;
    flags.add('cloud-init', ...flags.all('config'));
    if (saysYes(environment, 'COS_INSTALL_DEBUG')) flags.set('debug', 'true');
    const device = variable(environment, 'COS_INSTALL_DEVICE');
    nameSource(flags, { takes: device === undefined ? 'device' : 'device?' });
    if (flags.positional.length === 0 && device !== undefined) {
      flags.positional.push(device);
      // Nobody is there who would do it.
      const isOff = saysYes(environment, 'COS_INSTALL_POWER_OFF') === true;
      if (!flags.hasAny('reboot', 'poweroff')) flags.set(isOff ? 'poweroff' : 'reboot', 'true');
    }
    return translateInstall(flags, foreign);
  },
};

export const UPGRADER: ShellTool = {
  takes: '[--docker-image|--directory] [IMAGE]',
  options: [...asShellOptions(UPGRADE), ...QUIET_WORDS],
  translate: (flags, foreign) => {
    const { environment } = foreign;
    if (!flags.has('recovery') && saysYes(environment, 'UPGRADE_RECOVERY')) flags.set('recovery', 'true');
    if (saysYes(environment, 'COS_DEBUG')) flags.set('debug', 'true');
    if (saysYes(environment, 'INTERACTIVE') === false && !flags.hasAny('reboot', 'poweroff')) {
      flags.set('reboot', 'true');
    }
    nameSource(flags, { takes: 'image', otherwise: variable(environment, 'IMAGE') });
    return translateUpgrade(flags, foreign, { version2: false });
  },
};

export const RESETTER: ShellTool = {
  takes: '',
  debug: true,
  options: [...asShellOptions(RESET), ...QUIET_WORDS],
  translate: (flags, foreign) => {
    // cos-reset cleared both.
    if (saysYes(foreign.environment, 'PERSISTENCE_RESET')) {
      flags.set('reset-persistent', 'true');
      flags.set('reset-oem', 'true');
    }
    nameSource(flags, { takes: 'nothing' });
    return translateReset(flags, foreign);
  },
};

export const DEPLOYER: ShellTool = {
  takes: '[--docker-image] [IMAGE]',
  options: [...asShellOptions(DEPLOY), ...QUIET_WORDS],
  translate: (flags, foreign) => {
    nameSource(flags, { takes: 'image' });
    return translateDeploy(flags, foreign);
  },
};

/** The commands of `cos`. */
export const COS_COMMANDS: Readonly<Record<string, ShellTool>> = {
  install: INSTALLER,
  upgrade: UPGRADER,
  reset: RESETTER,
  deploy: DEPLOYER,
};

/** @throws HoldfastError for what can't be had. A command line that is wrong gives the usage, and status 1. */
export function translateShellTool(tool: ShellTool, argv: readonly string[], foreign: Foreign): Translation {
  const options = [...GLOBAL, ...tool.options];
  const usage = (...first: readonly string[]): Translation => ({
    kind: 'text',
    status: 1,
    lines: [...first, `Usage: ${foreign.voice.name} [options] ${tool.takes}`.trimEnd(), '', ...flagLines(options)],
  });
  try {
    const flags = parseFlags(argv, options);
    if (flags.isOn('help')) return usage();
    addFromEnvironment(flags, GLOBAL, foreign.environment);
    if (!flags.has('logfile')) flags.set('logfile', LOGFILE);
    if (tool.debug && !flags.has('debug')) flags.set('debug', 'true');
    const { verify } =
      foreign.environment['VERIFY'] === undefined ? {} : { verify: saysYes(foreign.environment, 'VERIFY') };
    if (verify === false && !flags.hasAny('verify', 'no-verify')) flags.set('no-verify', 'true');
    return tool.translate(flags, foreign);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'HF-USAGE') throw error;
    return usage(`${foreign.voice.name}: ${error.message}`, '');
  }
}

/**
 * Takes the image out of the arguments, behind which switch it may stand.
 * @param options.takes what an argument is that belongs to no switch; `device?` where the environment names one as well.
 * @param options.otherwise the image where the command line has none.
 */
function nameSource(
  flags: Flags,
  { takes, otherwise }: { takes: 'image' | 'device' | 'device?' | 'nothing'; otherwise?: string | undefined },
): void {
  const [kind, second] = ['docker-image', 'directory'].filter((name) => flags.has(name));
  if (kind !== undefined && second !== undefined) {
    throw new HoldfastError('HF-USAGE', `--${kind} and --${second} are mutually exclusive: name one source`);
  }
  const needsValue = kind !== undefined && flags.value(kind) === undefined;
  // The device comes last; what stands before it belongs to the switch.
  const isOnlyImage = takes === 'device?' && needsValue && flags.positional.length === 1;
  const others = takes.startsWith('device') && !isOnlyImage ? 1 : 0;
  const isImage = takes === 'image' || (needsValue && flags.positional.length > others);
  const value = isImage ? flags.positional.shift() : undefined;
  if (flags.positional.length > others) {
    throw new HoldfastError('HF-USAGE', `too many arguments: ${flags.positional.join(' ')}`);
  }
  if (needsValue) {
    const image = value ?? (kind === 'docker-image' ? otherwise : undefined);
    // Without one the configured image is meant, which the switch says nothing new about.
    if (image !== undefined) flags.set(kind, image);
    else if (kind === 'directory') throw new HoldfastError('HF-USAGE', '--directory: no directory is named');
    else flags.delete(kind);
    return;
  }
  if (value !== undefined) {
    if (kind !== undefined)
      throw new HoldfastError('HF-USAGE', `two images are named: ${flags.value(kind)} and ${value}`);
    flags.set('docker-image', packageOrImage(value));
    return;
  }
  if (otherwise !== undefined && !flags.hasAny(...SOURCES)) flags.set('docker-image', otherwise);
}

/** cOS's own packages were named so; anything else is an image. */
function packageOrImage(text: string): string {
  return /^(?:system|recovery)\/cos$/.test(text) ? `channel:${text}` : text;
}
