// elemental's commands that make and fetch images → holdfast's. Pure.

import { squashCompression } from '../../media/build-manifest.ts';
import { HoldfastError } from '../../system/errors.ts';
import type { FlagSpec, Flags } from './flags.ts';
import { type Foreign, imageUri, logOptions } from './lifecycle.ts';
import type { Translation } from './translation.ts';

/** What says nothing to us, or says it elsewhere. */
const SHARED: readonly FlagSpec[] = [
  { name: 'local', about: 'take the image from a container engine on this machine' },
  { name: 'platform', takes: 'value', about: 'of the image, as linux/x86_64' },
  { name: 'tls-verify', about: 'require TLS of registries' },
];

export const BUILD_ISO: readonly FlagSpec[] = [
  { name: 'name', short: 'n', takes: 'value', about: 'the name of the file without .iso (elemental)' },
  { name: 'output', short: 'o', takes: 'value', about: 'the directory that it is put into' },
  { name: 'date', about: 'add the day to its name' },
  { name: 'overlay-rootfs', takes: 'texts', about: 'a directory to lay over the system' },
  { name: 'overlay-uefi', takes: 'texts', about: 'a directory to lay over the files for UEFI' },
  { name: 'overlay-iso', takes: 'texts', about: 'a directory to lay over the medium' },
  { name: 'label', takes: 'value', about: 'the label of the medium (COS_LIVE)' },
  { name: 'repo', takes: 'texts', about: 'a package repository: there are none' },
  { name: 'arch', short: 'a', takes: 'value', about: 'x86_64' },
  { name: 'cosign', about: 'verify the image with cosign' },
  { name: 'cosign-key', takes: 'value', about: 'the public key for that' },
  { name: 'verify', about: 'verify the image' },
  { name: 'no-verify', about: 'do not verify the image' },
  { name: 'squash-compression', short: 'x', takes: 'texts', about: 'of the system: "-comp xz -Xbcj x86"' },
  { name: 'squash-no-compression', about: 'do not compress the system' },
  { name: 'extra-cmdline', takes: 'value', about: 'more kernel arguments' },
  { name: 'bootloader-in-rootfs', about: 'is always so' },
  { name: 'firmware', takes: 'value', about: 'efi: leave out what boots by BIOS' },
  ...SHARED,
];

export const PULL_IMAGE: readonly FlagSpec[] = [
  { name: 'auth-username', takes: 'value', about: 'who asks the registry' },
  { name: 'auth-password', takes: 'value', about: 'the password' },
  { name: 'auth-type', takes: 'value', about: 'is found out' },
  { name: 'auth-server-address', takes: 'value', about: 'the registry that this is for' },
  { name: 'auth-registry-token', takes: 'value', about: 'a token of the registry' },
  { name: 'auth-identity-token', takes: 'value', about: 'a token to get one with' },
  { name: 'verify', about: 'verify the image' },
  { name: 'plugin', takes: 'texts', about: 'there are none' },
  ...SHARED,
];

export function translateBuildIso(flags: Flags, foreign: Foreign): Translation {
  if (flags.has('cosign-key') && !flags.isOn('cosign')) {
    throw new HoldfastError('HF-USAGE', "'cosign-key' requires 'cosign' to be enabled", { exitStatus: 1 });
  }
  refuse(flags);
  const [source, ...more] = flags.positional;
  const overlays = more.map((each) => {
    const directory = /^dir:(?:\/\/)?(.+)$/.exec(each)?.[1];
    if (directory !== undefined) return directory;
    throw new HoldfastError('HF-UNSUPPORTED', `${each}: only a dir: can be laid over the first source`, {
      exitStatus: 1,
    });
  });
  const compression = squashCompression(flags.all('squash-compression'), flags.isOn('squash-no-compression'));
  const each = (name: string) => flags.all(name).flatMap((value) => [`--${name}`, value]);
  const last = (name: string) => {
    const value = flags.value(name);
    return value === undefined ? [] : [`--${name}`, value];
  };
  return {
    kind: 'run',
    args: [
      'build-iso',
      ...(source === undefined ? [] : ['--system', imageUri(source)]),
      '--manifest',
      ...last('name'),
      ...last('output'),
      ...(flags.isOn('date') ? ['--date'] : []),
      ...overlays.flatMap((directory) => ['--overlay-rootfs', directory]),
      ...each('overlay-rootfs'),
      ...each('overlay-uefi'),
      ...each('overlay-iso'),
      ...last('label'),
      ...last('arch'),
      ...(flags.isOn('cosign') ? ['--cosign', ...last('cosign-key')] : []),
      ...(flags.isOn('no-verify') && !flags.isOn('verify') ? ['--no-verify'] : []),
      ...(compression === undefined ? [] : ['--compression', compression]),
      ...last('extra-cmdline'),
      ...(flags.value('firmware') === 'efi' ? ['--efi-only'] : []),
      ...last('config-dir'),
      // Elemental writes over what is there.
      '--force',
    ],
    warnings: flags.has('repo') ? ['--repo: holdfast has no package repositories'] : [],
    lenient: false,
    environment: {},
    voice: { ...foreign.voice, action: 'other' },
    log: logOptions(flags),
  };
}

export function translatePullImage(flags: Flags, foreign: Foreign): Translation {
  refuse(flags);
  const [image = '', directory = ''] = flags.positional;
  const source = imageUri(image);
  return {
    kind: 'run',
    // Elemental verifies only where it is told to.
    args: ['pull', source, directory, ...(flags.isOn('verify') ? [] : ['--no-verify'])],
    warnings: flags.has('plugin') ? ['--plugin: there are none'] : [],
    lenient: false,
    environment: credentials(flags, source),
    voice: { ...foreign.voice, action: 'other' },
    log: logOptions(flags),
  };
}

/** What `docker login` would have left, for this run alone: a variable, since others can see command lines. */
function credentials(flags: Flags, source: string): Readonly<Record<string, string>> {
  const entry = {
    username: flags.value('auth-username'),
    password: flags.value('auth-password'),
    identitytoken: flags.value('auth-identity-token'),
    registrytoken: flags.value('auth-registry-token'),
  };
  if (Object.values(entry).every((value) => value === undefined)) return {};
  const [, named = ''] = /^(?:docker|oci):(?:\/\/)?([^/]+)\//.exec(source) ?? [];
  // As docker tells a registry from a part of a name.
  const isHost = /[.:]/.test(named) || named === 'localhost';
  const server = flags.value('auth-server-address') ?? (isHost ? named : 'https://index.docker.io/v1/');
  return { DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [server]: entry } }) };
}

function refuse(flags: Flags): void {
  const no = (message: string, hint: string) => {
    throw new HoldfastError('HF-UNSUPPORTED', message, { exitStatus: 1, hint });
  };
  if (flags.isOn('local')) {
    no(
      '--local: images of a container engine are not read directly',
      'copy the image first: skopeo copy containers-storage:IMAGE oci:DIRECTORY:TAG, then name oci-layout:DIRECTORY:TAG',
    );
  }
  if (flags.value('tls-verify') === 'false') {
    no(
      '--tls-verify=false: TLS is always verified',
      'a registry without TLS is named: holdfast … --insecure-registry HOST',
    );
  }
  const platform = flags.value('platform')?.replace(/^linux\//, '');
  if (platform !== undefined && !['x86_64', 'amd64'].includes(platform)) {
    no(`--platform ${platform}: media are made for x86_64`, 'leave it out');
  }
}
