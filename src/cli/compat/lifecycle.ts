// Install, upgrade, reset and deploy as elemental and cOS spell them → as holdfast does. What is asked for and can't be
// had is an error where the result would be another system, and a warning where it would be the same.

import { HoldfastError } from '../../system/errors.ts';
import type { Flags } from './flags.ts';
import { SOURCES } from './options.ts';
import type { Environment, LogOptions, Translation, Voice } from './translation.ts';

/** elemental: ReadingInstallUpgradeFlags. */
const WRONG_FLAGS = 32;

export interface Foreign {
  voice: Pick<Voice, 'tool' | 'name'>;
  environment: Environment;
  /** Node's name for this machine's processor. */
  arch: string;
}

export function translateInstall(flags: Flags, foreign: Foreign): Translation {
  const [device] = flags.positional;
  return finish('install', flags, foreign, [
    ...(device === undefined ? [] : [device]),
    ...sourceArgs(flags),
    ...recoverySourceArgs(flags),
    ...flags.all('cloud-init').flatMap((file) => ['--cloud-init', file]),
    ...valued(flags, 'iso', 'partition-layout', 'firmware', 'part-table', 'tty'),
    ...(flags.isOn('force-efi') && !flags.has('firmware') ? ['--firmware', 'efi'] : []),
    ...(flags.isOn('force-gpt') && !flags.has('part-table') ? ['--part-table', 'gpt'] : []),
    ...switched(flags, 'no-format', 'force', 'eject-cd'),
    ...(flags.isOn('disable-boot-entry') ? ['--no-boot-entry'] : []),
  ]);
}

/**
 * @param sourceWas what the command line alone named: with `--system`, as version 2 spells it, `--recovery` means both
 *   systems; before, and without it, the recovery system alone.
 */
export function translateUpgrade(flags: Flags, foreign: Foreign, sourceWas: { version2: boolean }): Translation {
  const recovery = recoverySourceArgs(flags);
  if (!flags.isOn('recovery')) {
    const ignored = recovery.length > 0 ? ['the image of the recovery system counts only with --recovery'] : [];
    return finish('upgrade', flags, foreign, sourceArgs(flags), ignored);
  }
  if (!sourceWas.version2) {
    return finish('upgrade', flags, foreign, ['--recovery', ...sourceArgs(flags), ...recovery]);
  }
  const source = sourceArgs(flags);
  return finish('upgrade', flags, foreign, [
    ...source,
    ...(recovery.length > 0 ? recovery : ['--recovery-system', ...source.slice(1)]),
  ]);
}

export function translateUpgradeRecovery(flags: Flags, foreign: Foreign): Translation {
  return finish('upgrade-recovery', flags, foreign, ['--recovery', ...sourceArgs(flags), ...recoverySourceArgs(flags)]);
}

export function translateReset(flags: Flags, foreign: Foreign): Translation {
  return finish('reset', flags, foreign, [
    ...sourceArgs(flags),
    ...(flags.isOn('reset-persistent') ? ['--persistent'] : []),
    ...(flags.isOn('reset-oem') ? ['--oem'] : []),
    ...flags.all('cloud-init').flatMap((file) => ['--cloud-init', file]),
    ...valued(flags, 'tty'),
  ]);
}

export function translateDeploy(flags: Flags, foreign: Foreign): Translation {
  return finish('deploy', flags, foreign, [...sourceArgs(flags), ...switched(flags, 'force')]);
}

export function logOptions(flags: Flags): LogOptions {
  return { quiet: flags.isOn('quiet'), debug: flags.isOn('debug'), logfile: flags.value('logfile') };
}

/** The URIs of elemental; a text without a kind is an image of a registry, unless it is a path. */
export function imageUri(text: string): string {
  if (/^channel:/.test(text)) {
    throw new HoldfastError('HF-UNSUPPORTED', `${text}: holdfast has no package channels`, {
      exitStatus: 1,
      hint: 'the packages of a channel are container images too: name the image, docker:REPOSITORY:TAG',
    });
  }
  return /^(?:docker|oci|dir|file|oci-layout):|^\.{0,2}\//.test(text) ? text : `docker:${text}`;
}

function sourceOf(flags: Flags): string | undefined {
  const [given, other] = SOURCES.filter((name) => flags.has(name));
  if (given === undefined) return undefined;
  if (other !== undefined) {
    throw wrongFlags(`flags ${given} and ${other} are mutually exclusive: name one source`);
  }
  const value = flags.value(given) ?? '';
  if (value === '') throw new HoldfastError('HF-USAGE', `--${given}: no image is named`);
  return given === 'directory' ? `dir:${value}` : imageUri(value);
}

function sourceArgs(flags: Flags): string[] {
  const source = sourceOf(flags);
  return source === undefined ? [] : ['--system', source];
}

function recoverySourceArgs(flags: Flags): string[] {
  const value = flags.value('recovery-system') ?? flags.value('recovery-system.uri');
  return value === undefined ? [] : ['--recovery-system', imageUri(value)];
}

function valued(flags: Flags, ...names: readonly string[]): string[] {
  return names.flatMap((name) =>
    flags
      .all(name)
      .slice(-1)
      .flatMap((value) => [`--${name}`, value]),
  );
}

function switched(flags: Flags, ...names: readonly string[]): string[] {
  return names.filter((name) => flags.isOn(name)).map((name) => `--${name}`);
}

/** The part that all of them share: hooks, verification, power, settings, what is warned of. */
function finish(
  action: Voice['action'],
  flags: Flags,
  foreign: Foreign,
  args: readonly string[],
  warnings: readonly string[] = [],
): Translation {
  if (flags.isOn('reboot') && flags.isOn('poweroff')) {
    throw wrongFlags("'reboot' and 'poweroff' are mutually exclusive");
  }
  if (flags.has('cosign-key') && !flags.isOn('cosign')) {
    throw wrongFlags("'cosign-key' requires 'cosign' to be enabled");
  }
  refuseUnsupported(flags, foreign.arch);
  const paths = flags.all('cloud-init-paths');
  const named = foreign.environment['CLOUD_INIT_PATHS'];
  const source = sourceOf(flags);
  return {
    kind: 'run',
    args: [
      action === 'upgrade-recovery' ? 'upgrade' : action,
      ...args,
      ...(flags.has('strict') ? [flags.isOn('strict') ? '--strict' : '--strict=false'] : []),
      ...(flags.isOn('no-verify') && !flags.isOn('verify') ? ['--no-verify'] : []),
      ...(flags.isOn('cosign') ? ['--cosign', ...valued(flags, 'cosign-key')] : []),
      ...switched(flags, 'reboot', 'poweroff'),
      ...valued(flags, 'config-dir'),
    ],
    warnings: [...warnings, ...whatIsLeftOut(flags)],
    // The originals go on when a hook fails, unless they are told not to.
    lenient: !flags.has('strict'),
    environment: paths.length === 0 ? {} : { CLOUD_INIT_PATHS: [...(named ? [named] : []), ...paths].join(' ') },
    voice: {
      ...foreign.voice,
      action,
      force: flags.isOn('force'),
      power: flags.isOn('reboot') || flags.isOn('poweroff'),
      ...(source !== undefined && { source }),
    },
    log: logOptions(flags),
  };
}

function wrongFlags(message: string): HoldfastError {
  return new HoldfastError('HF-USAGE', message, { exitStatus: WRONG_FLAGS });
}

const ARCHITECTURES: Readonly<Record<string, string>> = {
  amd64: 'x64',
  x86_64: 'x64',
  arm64: 'arm64',
  aarch64: 'arm64',
};

/** What would give another system than the one that was asked for. */
function refuseUnsupported(flags: Flags, arch: string): void {
  const refuse = (message: string, hint: string) => {
    throw new HoldfastError('HF-UNSUPPORTED', message, { exitStatus: 1, hint });
  };
  if (flags.isOn('local')) {
    refuse(
      '--local: images of a container engine are not read directly',
      'copy the image first: skopeo copy containers-storage:IMAGE oci:DIRECTORY:TAG, then --system oci-layout:DIRECTORY:TAG',
    );
  }
  if (flags.value('tls-verify') === 'false') {
    refuse(
      '--tls-verify=false: TLS is always verified',
      'a registry without TLS is named: holdfast … --insecure-registry HOST',
    );
  }
  const snapshotter = flags.value('snapshotter.type');
  if (snapshotter !== undefined && snapshotter !== 'loopdevice') {
    refuse(`--snapshotter.type ${snapshotter}: systems are image files`, 'leave it out, or write loopdevice');
  }
  const platform = flags.value('platform') ?? flags.value('arch');
  const wanted = platform?.replace(/^linux\//, '');
  if (wanted !== undefined && (ARCHITECTURES[wanted] ?? wanted) !== arch) {
    refuse(`${platform} is not this machine’s platform`, 'images are taken for the machine that takes them');
  }
}

/** What makes no difference to the system that comes out, and is said. */
function whatIsLeftOut(flags: Flags): string[] {
  const texts: [boolean, string][] = [
    [
      flags.hasAny('squash-compression', 'squash-no-compression'),
      'how the recovery system is compressed is not chosen',
    ],
    [flags.isOn('bootloader'), '--bootloader: the boot loader is left as it is'],
    [flags.has('snapshot-labels'), '--snapshot-labels: state.yaml has no place for them'],
  ];
  return texts.filter(([is]) => is).map(([, text]) => text);
}
