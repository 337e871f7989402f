// Foreign command lines and what becomes of them: every option of the shell tools, of elemental of May 2022, of its
// versions 0.2 to 1.x and of version 2, each as a row.

import { describe, expect, test } from 'vitest';
import { translateElemental } from '../../../../src/cli/compat/elemental.ts';
import type { Foreign } from '../../../../src/cli/compat/lifecycle.ts';
import {
  DEPLOYER,
  INSTALLER,
  RESETTER,
  type ShellTool,
  translateShellTool,
  UPGRADER,
} from '../../../../src/cli/compat/shell-tools.ts';
import { translateCosSetup, translateYip } from '../../../../src/cli/compat/stage-tools.ts';
import type { Environment, Translation } from '../../../../src/cli/compat/translation.ts';

const foreign = (name: string, environment: Environment = {}): Foreign => ({
  voice: { tool: name === 'elemental' ? 'elemental' : 'shell', name },
  environment,
  arch: 'x64',
});
const words = (line: string) => line.split(' ').filter((word) => word !== '');
const elemental = (line: string, environment?: Environment) =>
  translateElemental(words(line), foreign('elemental', environment));
const shell = (tool: ShellTool, line: string, environment?: Environment) =>
  translateShellTool(tool, words(line), foreign('cos-tool', environment));

const TOOLS = {
  'cos-upgrade': UPGRADER,
  'cos-installer': INSTALLER,
  'cos-reset': RESETTER,
  'cos-deploy': DEPLOYER,
} as const;

/** holdfast's command line; what is no command line at all as it is. */
function argsOf(translation: Translation): string | Translation {
  return translation.kind === 'text' ? translation : translation.args.join(' ');
}

describe('elemental install', () => {
  test.each([
    ['/dev/sda', '/dev/sda'],
    ['', ''],
    ['--docker-image quay.io/os:v1 /dev/sda', '/dev/sda --system docker:quay.io/os:v1'],
    ['/dev/sda -d quay.io/os', '/dev/sda --system docker:quay.io/os'],
    ['--docker-image=quay.io/os:v1 /dev/sda', '/dev/sda --system docker:quay.io/os:v1'],
    ['--directory /srv/root /dev/sda', '/dev/sda --system dir:/srv/root'],
    ['--system.uri oci:quay.io/os:v1 /dev/sda', '/dev/sda --system oci:quay.io/os:v1'],
    ['--system docker://quay.io/os:v1 /dev/sda', '/dev/sda --system docker://quay.io/os:v1'],
    ['--system file:///root.img /dev/sda', '/dev/sda --system file:///root.img'],
    ['--system registry/os:v1 /dev/sda', '/dev/sda --system docker:registry/os:v1'],
    ['--system /srv/images /dev/sda', '/dev/sda --system /srv/images'],
    ['--recovery-system.uri dir:/srv/r /dev/sda', '/dev/sda --recovery-system dir:/srv/r'],
    ['-c a.yaml /dev/sda', '/dev/sda --cloud-init a.yaml'],
    [
      '--cloud-init a.yaml,b.yaml -c c.yaml /dev/sda',
      '/dev/sda --cloud-init a.yaml --cloud-init b.yaml --cloud-init c.yaml',
    ],
    ['-c http://h/a?x=1,2,/b.yaml /dev/sda', '/dev/sda --cloud-init http://h/a?x=1,2 --cloud-init /b.yaml'],
    ['-i http://h/os.iso /dev/sda', '/dev/sda --iso http://h/os.iso'],
    ['--iso=/os.iso /dev/sda', '/dev/sda --iso /os.iso'],
    ['-p layout.yaml /dev/sda', '/dev/sda --partition-layout layout.yaml'],
    ['--no-format /dev/sda', '/dev/sda --no-format'],
    ['--force-efi /dev/sda', '/dev/sda --firmware efi'],
    ['--force-gpt /dev/sda', '/dev/sda --part-table gpt'],
    ['--firmware bios --part-table gpt /dev/sda', '/dev/sda --firmware bios --part-table gpt'],
    ['--force-efi --firmware bios /dev/sda', '/dev/sda --firmware bios'],
    ['--tty ttyS0 /dev/sda', '/dev/sda --tty ttyS0'],
    ['--force /dev/sda', '/dev/sda --force'],
    ['--force=false /dev/sda', '/dev/sda'],
    ['--eject-cd /dev/sda', '/dev/sda --eject-cd'],
    ['--disable-boot-entry /dev/sda', '/dev/sda --no-boot-entry'],
    ['--no-verify /dev/sda', '/dev/sda --no-verify'],
    ['--verify /dev/sda', '/dev/sda'],
    ['--strict /dev/sda', '/dev/sda --strict'],
    ['--strict=false /dev/sda', '/dev/sda --strict=false'],
    ['--reboot /dev/sda', '/dev/sda --reboot'],
    ['--poweroff /dev/sda', '/dev/sda --poweroff'],
    ['--config-dir /c /dev/sda', '/dev/sda --config-dir /c'],
    [
      '--cosign=false --local=false --tls-verify --platform linux/x86_64 --snapshotter.type loopdevice /dev/sda',
      '/dev/sda',
    ],
  ])('%s', (line, args) => {
    expect(argsOf(elemental(`install ${line}`))).toBe(`install ${args}`.trim());
  });
});

describe('elemental upgrade', () => {
  test.each([
    ['', ''],
    ['--docker-image quay.io/os:v2', '--system docker:quay.io/os:v2'],
    ['--directory /', '--system dir:/'],
    ['--system quay.io/os:v2', '--system docker:quay.io/os:v2'],
    // Before version 2 the recovery system alone, and so where no system is named.
    ['--recovery', '--recovery'],
    ['--recovery --docker-image quay.io/os:v2', '--recovery --system docker:quay.io/os:v2'],
    ['--recovery --system.uri oci:os:v2', '--recovery --system oci:os:v2'],
    ['--recovery --recovery-system.uri oci:r:v2', '--recovery --recovery-system oci:r:v2'],
    // Version 2: both.
    ['--recovery --system oci:os:v2', '--system oci:os:v2 --recovery-system oci:os:v2'],
    ['--recovery --system oci:os:v2 --recovery-system.uri oci:r:v2', '--system oci:os:v2 --recovery-system oci:r:v2'],
    ['--no-verify --strict --poweroff', '--strict --no-verify --poweroff'],
  ])('%s', (line, args) => {
    expect(argsOf(elemental(`upgrade ${line}`))).toBe(`upgrade ${args}`.trim());
  });

  test.each([
    ['upgrade-recovery', 'upgrade --recovery'],
    ['upgrade-recovery --recovery-system.uri oci:r:v2', 'upgrade --recovery --recovery-system oci:r:v2'],
    ['upgrade-recovery --system oci:r:v2', 'upgrade --recovery --system oci:r:v2'],
  ])('elemental %s', (line, args) => {
    expect(argsOf(elemental(line))).toBe(args);
  });
});

test.each([
  ['reset', 'reset'],
  ['reset --system oci:os:v1', 'reset --system oci:os:v1'],
  ['reset --reset-persistent', 'reset --persistent'],
  ['reset --reset-oem --reset-persistent', 'reset --persistent --oem'],
  ['reset -c a.yaml --tty ttyS1 --reboot', 'reset --cloud-init a.yaml --tty ttyS1 --reboot'],
  ['reset --docker-image os:v1 --no-verify', 'reset --system docker:os:v1 --no-verify'],
  ['upgrade --cosign-key k --cosign --system os:v1', 'upgrade --system docker:os:v1 --cosign --cosign-key k'],
  ['run-stage boot', 'run-stage boot'],
  ['run-stage --strict boot', 'run-stage boot --strict'],
  ['run-stage --strict=false boot', 'run-stage boot'],
  ['run-stage boot --cloud-init-paths /a,/b', 'run-stage boot --cloud-init-paths /a,/b'],
  ['cloud-init a.yaml', 'cloud-init --stage default -- a.yaml'],
  ['cloud-init -s test -d a.yaml -', 'cloud-init --stage test --dotnotation -- a.yaml -'],
  ['cloud-init --stage=test http://h/a b', 'cloud-init --stage test -- http://h/a b'],
  ['state', 'state'],
  ['mount', 'mount'],
  ['mount --sysroot /target --write-fstab', 'mount --sysroot /target'],
  ['init', 'init'],
  ['init --force all', 'init'],
  ['init --mkinitrd=false', 'init --no-initrd'],
  ['version', '--version'],
  ['version --long', '--version'],
  ['--version', '--version'],
  // Options of all commands may come before the command.
  ['--debug --config-dir /c upgrade', 'upgrade --config-dir /c'],
])('elemental %s', (line, args) => {
  expect(argsOf(elemental(line))).toBe(args);
});

test.each([
  ['run-stage boot', { ELEMENTAL_STRICT: 'true' }, 'run-stage boot --strict'],
  ['run-stage --strict=false boot', { ELEMENTAL_STRICT: 'true' }, 'run-stage boot'],
  ['mount', { ELEMENTAL_MOUNT_SYSROOT: '/target' }, 'mount --sysroot /target'],
  ['init', { ELEMENTAL_INIT_MKINITRD: 'false' }, 'init --no-initrd'],
  ['init --mkinitrd', { ELEMENTAL_INIT_MKINITRD: 'false' }, 'init'],
  ['upgrade', { ELEMENTAL_CONFIG_DIR: '/c' }, 'upgrade --config-dir /c'],
])('elemental %s with %j', (line, environment, args) => {
  expect(argsOf(elemental(line, environment))).toBe(args);
});

test('where the log goes', () => {
  const of = (line: string, environment?: Environment) => {
    const translation = elemental(line, environment);
    return translation.kind === 'run' ? translation.log : undefined;
  };
  expect(of('upgrade')).toEqual({ quiet: false, debug: false, logfile: undefined });
  expect(of('--quiet --logfile /l upgrade --debug')).toEqual({ quiet: true, debug: true, logfile: '/l' });
  expect(of('upgrade', { ELEMENTAL_LOGFILE: '/l' })).toEqual({ quiet: false, debug: false, logfile: '/l' });
});

test('hooks may fail unless the command line says something about it', () => {
  const of = (line: string) => {
    const translation = elemental(line);
    return translation.kind === 'run' && translation.lenient;
  };
  expect(['upgrade', 'install /dev/sda', 'reset'].map(of)).toEqual([true, true, true]);
  expect(['upgrade --strict', 'upgrade --strict=false', 'run-stage boot', 'init'].map(of)).toEqual([
    false,
    false,
    false,
    false,
  ]);
});

test('places of stage files are added to those of the environment', () => {
  expect(elemental('upgrade --cloud-init-paths /a,/b', { CLOUD_INIT_PATHS: '/z' })).toMatchObject({
    environment: { CLOUD_INIT_PATHS: '/z /a /b' },
  });
});

test.each([
  ['upgrade --snapshot-labels a=b', ['--snapshot-labels: state.yaml has no place for them']],
  ['upgrade --bootloader', ['--bootloader: the boot loader is left as it is']],
  ['upgrade -x -comp -x xz', ['how the recovery system is compressed is not chosen']],
  ['upgrade --recovery-system.uri oci:r', ['the image of the recovery system counts only with --recovery']],
  ['--config-dir /c run-stage boot', ['--config-dir makes no difference to run-stage']],
  ['mount --write-fstab=false', ['fstab is always written']],
  ['init network', ['network: init puts in all that a system needs, parts are not chosen']],
])('elemental %s warns', (line, warnings) => {
  expect(elemental(line)).toMatchObject({ warnings });
});

/** Exit status 32 is elemental's for options that don't go together. */
test.each([
  [
    'install --docker-image a --directory /b /dev/sda',
    32,
    'flags docker-image and directory are mutually exclusive: name one source',
  ],
  ['upgrade --system a --docker-image b', 32, 'flags system and docker-image are mutually exclusive: name one source'],
  ['reset --reboot --poweroff', 32, "'reboot' and 'poweroff' are mutually exclusive"],
  ['upgrade --cosign-key k', 32, "'cosign-key' requires 'cosign' to be enabled"],
  ['upgrade --local', 1, '--local: images of a container engine are not read directly'],
  ['upgrade --tls-verify=false', 1, '--tls-verify=false: TLS is always verified'],
  ['install --platform linux/arm64 /dev/sda', 1, 'linux/arm64 is not this machine’s platform'],
  ['install --snapshotter.type btrfs /dev/sda', 1, '--snapshotter.type btrfs: systems are image files'],
  ['upgrade --system channel:system/cos', 1, 'channel:system/cos: holdfast has no package channels'],
  [
    'upgrade --recovery-system.uri channel:recovery/cos --recovery',
    1,
    'channel:recovery/cos: holdfast has no package channels',
  ],
  ['upgrade quay.io/os', 1, 'elemental upgrade takes 0 argument(s), received 1'],
  ['install /dev/sda /dev/sdb', 1, 'elemental install takes at most 1 argument(s), received 2'],
  ['run-stage', 1, 'elemental run-stage takes 1 argument(s), received 0'],
  ['cloud-init', 1, 'elemental cloud-init takes at least 1 argument(s), received 0'],
  ['upgrade --docker-image', 1, 'flag needs an argument: --docker-image'],
  ['upgrade --docker-image=', 1, '--docker-image: no image is named'],
  ['upgrade --force', 1, 'unknown flag: --force'],
  ['upgrade -z', 1, "unknown shorthand flag: 'z' in -z"],
  ['upgrade --strict=maybe', 1, '--strict is true or false, not "maybe"'],
  ['uninstall', 1, 'unknown command "uninstall" for "elemental"'],
  ['--nonsense', 1, 'unknown flag: --nonsense'],
  ['constructor', 1, 'unknown command "constructor" for "elemental"'],
  ['build-disk -t azure', 1, 'the packages of a manifest’s raw_disk can’t be had: no image is named'],
  ['build-disk quay.io/os -t vdi', 1, 'there is no type "vdi" of disk images'],
  ['pull-image quay.io/os', 1, 'elemental pull-image takes 2 argument(s), received 1'],
  ['pull-image --local quay.io/os /d', 1, '--local: images of a container engine are not read directly'],
  ['build-iso dir:/x docker:quay.io/more', 1, 'docker:quay.io/more: only a dir: can be laid over the first source'],
  ['build-iso dir:/x --platform linux/arm64', 1, '--platform arm64: media are made for x86_64'],
  ['build-iso dir:/x --cosign-key k', 1, "'cosign-key' requires 'cosign' to be enabled"],
  ['new flavor', 1, 'holdfast has no new'],
])('elemental %s is refused', (line, exitStatus, message) => {
  expect(() => elemental(line)).toThrow(expect.objectContaining({ message, exitStatus }));
});

test.each([
  ['build-iso', 'build-iso --manifest --force'],
  [
    'build-iso -n os -o /m --date --label L quay.io/os:v1 dir:/more',
    'build-iso --system docker:quay.io/os:v1 --manifest --name os --output /m --date --overlay-rootfs /more --label L --force',
  ],
  [
    'build-iso --overlay-iso /i --overlay-uefi /u -x -comp -x gzip dir:/x -a x86_64',
    'build-iso --system dir:/x --manifest --overlay-uefi /u --overlay-iso /i --arch x86_64 --compression gzip --force',
  ],
  [
    'build-iso dir:/x --cosign --cosign-key k --config-dir /c --bootloader-in-rootfs --extra-cmdline quiet',
    'build-iso --system dir:/x --manifest --cosign --cosign-key k --extra-cmdline quiet --config-dir /c --force',
  ],
  ['pull-image quay.io/os /d', 'pull docker:quay.io/os /d --no-verify'],
  ['pull-image --verify oci-layout:/l:v1 /d', 'pull oci-layout:/l:v1 /d'],
])('elemental %s → holdfast %s', (line, expected) => {
  expect(argsOf(elemental(line))).toBe(expected);
});

test.each([
  ['quay.io/os', '', 'quay.io'],
  ['library/os', '', 'https://index.docker.io/v1/'],
  ['quay.io/os', ' --auth-server-address other.io', 'other.io'],
])('what asks the registry for %s%s is for %s, and not on the command line', (image, more, server) => {
  const translation = elemental(`pull-image --auth-username u --auth-password p${more} ${image} /d`);
  expect(JSON.stringify('args' in translation ? translation.args : [])).not.toContain('"p"');
  const environment = 'environment' in translation ? (translation.environment ?? {}) : {};
  expect(JSON.parse(environment['DOCKER_AUTH_CONFIG'] ?? '{}')).toEqual({
    auths: { [server]: { username: 'u', password: 'p' } },
  });
});

test.each(['', 'help', '--help', '-h', 'help upgrade', 'upgrade --help', 'upgrade -h'])(
  'elemental %s helps, status 0',
  (line) => {
    expect(elemental(line)).toMatchObject({ kind: 'text', status: 0 });
  },
);

describe('cos-upgrade', () => {
  test.each<[string, Environment, string]>([
    ['', {}, ''],
    ['--docker-image quay.io/os:v2', {}, '--system docker:quay.io/os:v2'],
    ['--docker-image=quay.io/os:v2', {}, '--system docker:quay.io/os:v2'],
    ['--no-verify --docker-image quay.io/os:v2', {}, '--system docker:quay.io/os:v2 --no-verify'],
    ['--docker-image --no-verify quay.io/os:v2', {}, '--system docker:quay.io/os:v2 --no-verify'],
    ['quay.io/os:v2 --docker-image', {}, '--system docker:quay.io/os:v2'],
    ['--recovery --docker-image quay.io/os:v2', {}, '--recovery --system docker:quay.io/os:v2'],
    ['-d quay.io/os:v2', {}, '--system docker:quay.io/os:v2'],
    ['quay.io/os:v2', {}, '--system docker:quay.io/os:v2'],
    ['--directory /srv/root', {}, '--system dir:/srv/root'],
    ['--directory=/srv/root --recovery', {}, '--recovery --system dir:/srv/root'],
    ['--directory /', {}, '--system dir:/'],
    // The configured image, as a container image.
    ['--docker-image', {}, ''],
    ['', { IMAGE: 'quay.io/os:v3' }, '--system docker:quay.io/os:v3'],
    ['--docker-image', { IMAGE: 'quay.io/os:v3' }, '--system docker:quay.io/os:v3'],
    ['--docker-image quay.io/os:v2', { IMAGE: 'quay.io/os:v3' }, '--system docker:quay.io/os:v2'],
    ['--directory /srv/root', { IMAGE: 'quay.io/os:v3' }, '--system dir:/srv/root'],
    ['', { UPGRADE_RECOVERY: 'true' }, '--recovery'],
    ['', { INTERACTIVE: 'false' }, '--reboot'],
    ['--poweroff', { INTERACTIVE: 'false' }, '--poweroff'],
    ['', { INTERACTIVE: 'true' }, ''],
    ['--strict', {}, '--strict'],
    ['--no-cosign --silence-hooks', {}, ''],
  ])('%s with %j', (line, environment, args) => {
    expect(argsOf(shell(UPGRADER, line, environment))).toBe(`upgrade ${args}`.trim());
  });

  test('a package of a channel is refused', () => {
    expect(() => shell(UPGRADER, 'system/cos')).toThrow('channel:system/cos: holdfast has no package channels');
  });
});

test.each<[keyof typeof TOOLS, string, Environment, string]>([
  ['cos-installer', '/dev/sda', {}, 'install /dev/sda'],
  [
    'cos-installer',
    '--config http://h/c.yaml --tty ttyS0 /dev/sda',
    {},
    'install /dev/sda --cloud-init http://h/c.yaml --tty ttyS0',
  ],
  ['cos-installer', '--no-format --force-efi /dev/sda', {}, 'install /dev/sda --firmware efi --no-format'],
  ['cos-installer', '--poweroff /dev/sda', {}, 'install /dev/sda --poweroff'],
  ['cos-installer', '--debug /dev/sda', {}, 'install /dev/sda'],
  // Nobody is there who would reboot.
  ['cos-installer', '', { COS_INSTALL_DEVICE: '/dev/sda' }, 'install /dev/sda --reboot'],
  ['cos-installer', '--poweroff', { COS_INSTALL_DEVICE: '/dev/sda' }, 'install /dev/sda --poweroff'],
  [
    'cos-installer',
    '',
    { COS_INSTALL_DEVICE: '/dev/sda', COS_INSTALL_POWER_OFF: 'true' },
    'install /dev/sda --poweroff',
  ],
  [
    'cos-installer',
    '--docker-image quay.io/os:v1',
    { COS_INSTALL_DEVICE: '/dev/sda' },
    'install /dev/sda --system docker:quay.io/os:v1 --reboot',
  ],
  [
    'cos-installer',
    '--docker-image quay.io/os:v1 /dev/sdb',
    { COS_INSTALL_DEVICE: '/dev/sda' },
    'install /dev/sdb --system docker:quay.io/os:v1',
  ],
  ['cos-installer', '/dev/sdb', { COS_INSTALL_DEVICE: '/dev/sda' }, 'install /dev/sdb'],
  ['cos-installer', '--docker-image quay.io/os:v1 /dev/sda', {}, 'install /dev/sda --system docker:quay.io/os:v1'],
  ['cos-installer', '--docker-image=quay.io/os:v1 /dev/sda', {}, 'install /dev/sda --system docker:quay.io/os:v1'],
  [
    'cos-installer',
    '--docker-image quay.io/os:v1 --partition-layout l.yaml --force-gpt --iso i.iso --force --no-cosign /dev/sda',
    {},
    'install /dev/sda --system docker:quay.io/os:v1 --iso i.iso --partition-layout l.yaml --part-table gpt --force',
  ],
  [
    'cos-upgrade',
    '--strict --recovery --no-verify --no-cosign --directory /d',
    {},
    'upgrade --recovery --system dir:/d --strict --no-verify',
  ],
  ['cos-reset', '', {}, 'reset'],
  ['cos-reset', '', { PERSISTENCE_RESET: 'true' }, 'reset --persistent --oem'],
  ['cos-reset', '', { PERSISTENCE_RESET: 'false' }, 'reset'],
  ['cos-reset', '--reset-persistent', {}, 'reset --persistent'],
  ['cos-deploy', '', {}, 'deploy'],
  ['cos-deploy', '--force --docker-image quay.io/os:v1', {}, 'deploy --system docker:quay.io/os:v1 --force'],
  ['cos-deploy', '--docker-image --no-verify quay.io/os:v1', {}, 'deploy --system docker:quay.io/os:v1 --no-verify'],
])('%s %s with %j', (name, line, environment, args) => {
  expect(argsOf(shell(TOOLS[name], line, environment))).toBe(args);
});

/** cOS: every way to the usage has status 1, also --help. */
test.each<[keyof typeof TOOLS, string, string | undefined]>([
  ['cos-upgrade', '--help', undefined],
  ['cos-upgrade', '-h', undefined],
  ['cos-installer', '--help', undefined],
  ['cos-reset', '-h', undefined],
  ['cos-deploy', '--help', undefined],
  ['cos-upgrade', 'a b', 'too many arguments: b'],
  ['cos-upgrade', '--docker-image a b c', 'too many arguments: b c'],
  ['cos-upgrade', '--docker-image=a b', 'two images are named: a and b'],
  [
    'cos-upgrade',
    '--docker-image --directory /d',
    '--docker-image and --directory are mutually exclusive: name one source',
  ],
  ['cos-upgrade', '--directory', '--directory: no directory is named'],
  ['cos-upgrade', '--nonsense', 'unknown flag: --nonsense'],
  ['cos-upgrade', '--reboot --poweroff', "'reboot' and 'poweroff' are mutually exclusive"],
  ['cos-installer', '/dev/sda /dev/sdb', 'too many arguments: /dev/sda /dev/sdb'],
  ['cos-installer', '--config', 'flag needs an argument: --config'],
  ['cos-reset', 'now', 'too many arguments: now'],
])('usage of %s %s', (name, line, reason) => {
  const tool = TOOLS[name];
  const translation = shell(tool, line);
  expect(translation).toMatchObject({ kind: 'text', status: 1 });
  const lines = translation.kind === 'text' ? translation.lines : [];
  expect(lines[0]).toBe(
    reason === undefined ? `Usage: cos-tool [options] ${tool.takes}`.trimEnd() : `cos-tool: ${reason}`,
  );
});

test('the shell tools log where they did', () => {
  expect(shell(UPGRADER, '')).toMatchObject({ log: { logfile: '/tmp/elemental.log', debug: false } });
  expect(shell(UPGRADER, '--logfile /l')).toMatchObject({ log: { logfile: '/l' } });
  expect(shell(UPGRADER, '', { COS_DEBUG: 'true' })).toMatchObject({ log: { debug: true } });
  expect(shell(INSTALLER, '/dev/sda')).toMatchObject({ log: { debug: true } });
});

test.each<[string, Translation | string]>([
  ['', 'run-stage boot'],
  ['network', 'run-stage network'],
  ['a b', expect.objectContaining({ kind: 'text', status: 1 })],
  ['--help', expect.objectContaining({ kind: 'text', status: 1 })],
])('cos-setup %s', (line, expected) => {
  expect(argsOf(translateCosSetup(words(line)))).toEqual(expected);
});

test.each<[string, string]>([
  ['a.yaml', 'cloud-init --stage default -- a.yaml'],
  ['-s test a.yaml /dir http://h/x', 'cloud-init --stage test -- a.yaml /dir http://h/x'],
  ['a.yaml --stage=test', 'cloud-init --stage test -- a.yaml'],
  ['-stest -', 'cloud-init --stage test -- -'],
  ['-d -s test -', 'cloud-init --stage test --dotnotation -- -'],
  ['-ds test -', 'cloud-init --stage test --dotnotation -- -'],
  ['-a -s test a.yaml', 'plan -- test a.yaml'],
  ['-s test -- -odd.yaml', 'cloud-init --stage test -- -odd.yaml'],
  ['--version', '--version'],
])('yip %s', (line, args) => {
  expect(argsOf(translateYip(words(line)))).toBe(args);
});

test.each([
  ['', 'yip needs at least one path or web address'],
  ['-s', 'flag needs an argument: -s'],
  ['--nonsense x', 'unknown flag: --nonsense'],
  ['-a -d x', '--analyze reads YAML'],
])('yip %s is refused', (line, message) => {
  expect(() => translateYip(words(line))).toThrow(message);
});
