// Settings: what counts when several places say something, under every name that was ever used, and what is said of a
// file that can't be used.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readExtraSources } from '../../../src/lifecycle/extra-sources.ts';
import { loadSettings, type SettingKey, type Settings } from '../../../src/lifecycle/settings.ts';
import { configuredImage } from '../../../src/lifecycle/settings-image.ts';
import { yamlNames } from '../../../src/lifecycle/settings-names.ts';
import { readYamlSettings } from '../../../src/lifecycle/settings-yaml.ts';
import { HoldfastError } from '../../../src/system/errors.ts';
import { temporaryRoot } from '../stages/temporary-root.ts';

const load = (files: Record<string, string>, environment: Record<string, string> = {}) =>
  loadSettings({ root: temporaryRoot(files), environment });

/** Every place, in the order in which they count, each naming another image. */
const PLACES = [
  ['/etc/os-release', 'UPGRADE_IMAGE=r.example/os:1\n', '/etc/os-release:1'],
  ['/etc/cos/config', '# the owner\nUPGRADE_IMAGE="r.example/os:2"\n', '/etc/cos/config:2'],
  ['/etc/cos-upgrade-image', 'UPGRADE_IMAGE=r.example/os:3\n', '/etc/cos-upgrade-image:1'],
  ['/etc/elemental/config.yaml', 'upgrade:\n  system: r.example/os:4\n', '/etc/elemental/config.yaml:2'],
  ['/etc/elemental/config.d/a/z.yaml', 'upgrade.system.uri: r.example/os:5\n', '/etc/elemental/config.d/a/z.yaml:1'],
  ['/etc/elemental/config.d/b.yaml', 'UPGRADE_IMAGE: r.example/os:6\n', '/etc/elemental/config.d/b.yaml:1'],
] as const;

describe('of several places the later counts', () => {
  test.each(PLACES.map((place, index) => [index + 1, place] as const))('%i: %s', async (count, [, , origin]) => {
    const settings = await load(Object.fromEntries(PLACES.slice(0, count).map(([file, text]) => [file, text])));
    const image = configuredImage(settings, 'upgrade.system');
    expect(image?.value).toBe(`docker:r.example/os:${count}`);
    expect(image?.origin.text).toBe(origin);
    expect(settings.problems).toEqual([]);
  });

  test('the environment over all files, a flag over the environment', async () => {
    const root = temporaryRoot(Object.fromEntries(PLACES.map(([file, text]) => [file, text])));
    const environment = { UPGRADE_IMAGE: 'r.example/os:7' };
    const fromEnvironment = await loadSettings({ root, environment });
    expect(configuredImage(fromEnvironment, 'upgrade.system')).toEqual({
      value: 'docker:r.example/os:7',
      origin: { text: 'the variable UPGRADE_IMAGE of the environment' },
    });
    const value = { text: 'dir:/x', style: 'uri' } as const;
    const flags = [{ key: 'upgrade.system', value, flag: '--system' }] as const;
    const fromFlag = await loadSettings({ root, environment, flags });
    expect(configuredImage(fromFlag, 'upgrade.system')).toEqual({ value: 'dir:/x', origin: { text: '--system' } });
  });

  test('with no files at all nothing is set', async () => {
    const settings = await load({});
    expect(settings.get('install.target')).toBeUndefined();
    expect(configuredImage(settings, 'upgrade.system')).toBeUndefined();
  });

  test('another directory than /etc/elemental', async () => {
    const root = temporaryRoot({ '/etc/elemental/config.yaml': 'strict: true', '/x/config.yaml': 'reboot: true' });
    const settings = await loadSettings({ root, configDirectory: '/x' });
    expect([settings.value('strict'), settings.value('reboot')]).toEqual([undefined, true]);
  });
});

describe('/etc/os-release', () => {
  test('a distribution’s own variables change nothing (elemental-toolkit#797)', async () => {
    const settings = await load({
      '/etc/os-release': 'NAME=x\nIMAGE=hijack.example/os:1\nVERIFY=false\nTARGET=/dev/sda\nGRUB_ENTRY_NAME=x\n',
    });
    expect(configuredImage(settings, 'upgrade.system')).toBeUndefined();
    expect(settings.value('verify')).toBeUndefined();
    expect(settings.value('install.target')).toBeUndefined();
    expect(settings.problems).toEqual([]);
  });
});

const chosen = (settings: Settings, key: SettingKey) => settings.value(key);

describe('names', () => {
  test.each<[string, SettingKey, unknown]>([
    ['install: {target: /dev/sda}', 'install.target', '/dev/sda'],
    ['install.target: /dev/sda', 'install.target', '/dev/sda'],
    ['INSTALL: {Target: /dev/sda}', 'install.target', '/dev/sda'],
    ['target: /dev/sda', 'install.target', '/dev/sda'],
    ['install: {cloud-init: "https://x/a,b"}', 'install.cloud-init', ['https://x/a,b']],
    ['install: {cloud-init: [a, b]}', 'install.cloud-init', ['a', 'b']],
    ['cloud-init: a', 'reset.cloud-init', ['a']],
    ['install: {partitions: {oem: {size: 128, label: MY_OEM, fs: xfs}}}', 'partitions.oem.size', 128],
    ['install: {partitions: {oem: {size: 128, label: MY_OEM, fs: xfs}}}', 'partitions.oem.fs', 'xfs'],
    ['install: {partitions: {oem: {size: 128, label: MY_OEM, fs: xfs}}}', 'labels.oem', 'MY_OEM'],
    ['install: {partitions: {bootloader: {size: 100}}}', 'partitions.efi.size', 100],
    ['install.partitions: {state.size: "20000"}', 'partitions.state.size', 20000],
    ['install: {system: {uri: "docker:x/y:1", size: 4000}}', 'install.system.size', 4000],
    ['install: {system: {uri: "docker:x/y:1", size: 4000}}', 'install.system', { text: 'docker:x/y:1', style: 'uri' }],
    ['passive.label: P', 'labels.passive', 'P'],
    ['docker-image: x/y:1', 'reset.system', { text: 'docker:x/y:1', style: 'uri' }],
    ['directory: /x', 'install.system', { text: 'dir:/x', style: 'uri' }],
    ['no-verify: true', 'verify', false],
    ['force-efi: true', 'install.firmware', 'efi'],
    ['force-efi: false', 'install.firmware', undefined],
    ['cloud-init-paths: [/a, /b]', 'cloud-init-paths', ['/a', '/b']],
    ['CLOUD_INIT_PATHS: /a /b', 'cloud-init-paths', ['/a', '/b']],
    ['reset: {reset-persistent: yes}', 'reset.persistent', true],
    ['strict:', 'strict', undefined],
    ['iso: http://x/y.iso', 'install.iso', 'http://x/y.iso'],
    ['iso: {image: [x]}', 'install.iso', undefined],
    ['base: &b {fs: xfs}\ninstall: {partitions: {state: {<<: *b, size: 7}}}', 'partitions.state.fs', 'xfs'],
    [
      'install: {extra-partitions: [{name: data, size: 10, fs: ext4, label: DATA}, {size: 0}]}',
      'install.extra-partitions',
      [
        { name: 'data', sizeMib: 10, label: 'DATA', filesystem: 'ext4' },
        { name: 'extra2', sizeMib: 0 },
      ],
    ],
  ])('%s', async (text, key, value) => {
    expect(chosen(await load({ '/etc/elemental/config.yaml': text }), key)).toEqual(value);
  });

  test.each<[Record<string, string>, SettingKey, unknown]>([
    [{ ELEMENTAL_INSTALL_TARGET: '/dev/sda' }, 'install.target', '/dev/sda'],
    [{ ELEMENTAL_TARGET: '/dev/sda' }, 'install.target', '/dev/sda'],
    [{ COS_INSTALL_DEVICE: '/dev/sda' }, 'install.target', '/dev/sda'],
    [{ ELEMENTAL_UPGRADE_RECOVERY_SYSTEM: 'dir:/x' }, 'upgrade.recovery-system', { text: 'dir:/x', style: 'uri' }],
    [{ ELEMENTAL_EJECT_CD: 'true' }, 'eject-cd', true],
    [{ ELEMENTAL_REBOOT: '1' }, 'reboot', true],
    [{ ELEMENTAL_RESET_PERSISTENT: 'true' }, 'reset.persistent', true],
    [{ PERSISTENCE_RESET: 'true' }, 'reset.persistent', true],
    [{ ELEMENTAL_CLOUD_INIT_PATHS: '/a,/b' }, 'cloud-init-paths', ['/a', '/b']],
    [{ VERIFY: 'false' }, 'verify', false],
    [{ ELEMENTAL_STRICT: '' }, 'strict', undefined],
    [{ IMAGE: 'x', SOURCE: 'x', TARGET: 'x' }, 'install.target', undefined],
  ])('%j', async (environment, key, value) => {
    const settings = await load({}, environment);
    expect(chosen(settings, key)).toEqual(value);
    expect(settings.problems).toEqual([]);
  });
});

describe('what is no setting', () => {
  test('is a warning with its place and the nearest name', async () => {
    const settings = await load(
      {
        '/etc/cos/config': 'UPGRADE_IMAGE=x.example/y:1\nUPGRAD_IMAGE=z\n',
        '/etc/elemental/config.yaml': 'install:\n  no-formt: true\nmount: {anything: 1}\n',
      },
      { ELEMENTAL_INSTALL_TARGT: 'x', ELEMENTAL_BUILD_NAME: 'x' },
    );
    expect(
      settings.problems.map(({ severity, message, hint, location }) => [
        severity,
        message,
        hint,
        location.file,
        location.line,
      ]),
    ).toEqual([
      ['warning', 'UPGRAD_IMAGE is no setting and has no effect', 'did you mean UPGRADE_IMAGE?', '/etc/cos/config', 2],
      [
        'warning',
        'install.no-formt is no setting and has no effect',
        'did you mean install.no-format?',
        '/etc/elemental/config.yaml',
        2,
      ],
      [
        'warning',
        'ELEMENTAL_INSTALL_TARGT is no setting and has no effect',
        'did you mean ELEMENTAL_INSTALL_TARGET?',
        'the environment',
        1,
      ],
    ]);
  });
});

describe('what can’t be used is an error with its place', () => {
  test.each([
    ['install:\n  firmware: uefi', 2, 13, 'install.firmware must be efi or bios, not "uefi"'],
    [
      'install:\n  partitions:\n    oem: {size: 4G}',
      3,
      17,
      'install.partitions.oem.size must be a size in MiB, not "4G"',
    ],
    ['strict: maybe', 1, 9, 'strict must be true or false, not "maybe"'],
    ['strict: [a]', 1, 9, 'strict must be true or false, not a list'],
    ['install: yes', 1, 10, 'install must be a mapping of keys to values'],
    ['install:\n  target: [/dev/sda]', 2, 11, 'install.target must be a text, not a list'],
    ['install: {extra-partitions: [{nme: x}]}', 1, 36, 'install.extra-partitions has the unknown key "nme"'],
    [
      'install: {extra-partitions: {size: 1}}',
      1,
      29,
      'install.extra-partitions must be a list of partitions, not a mapping',
    ],
    [
      'install: {partitions: {oem: {label: "MY OEM"}}}',
      1,
      37,
      'install.partitions.oem.label must be a label, not "MY OEM"',
    ],
    ['- a', 1, 1, 'the settings must be a mapping of keys to values'],
    ['a: "b', 1, 4, 'the YAML is broken: the quote that opens here is not closed'],
    ['a: &a [*a]', 1, 8, 'the file expands to more than 10000 values'],
    ['a: *nothing', 1, 4, 'there is no anchor for *nothing'],
  ])('%s', async (text, line, column, message) => {
    await expect(load({ '/etc/elemental/config.yaml': text })).rejects.toMatchObject({
      code: 'HF-CONFIG',
      exitStatus: 31,
      message,
      location: { file: '/etc/elemental/config.yaml', line, column },
    });
  });

  test('in a file of variables', async () => {
    await expect(load({ '/etc/cos/config': '\n  CHANNEL_UPGRADES=perhaps\n' })).rejects.toMatchObject({
      message: 'CHANNEL_UPGRADES must be true or false, not "perhaps"',
      location: { file: '/etc/cos/config', line: 2, column: 3 },
    });
  });

  test('in the environment', async () => {
    await expect(load({}, { ELEMENTAL_REBOOT: 'x' })).rejects.toThrow(
      'the variable ELEMENTAL_REBOOT of the environment must be true or false, not "x"',
    );
  });

  test('a file that is too large, and aliases that multiply', async () => {
    const large = `a: ${'x'.repeat(2 << 20)}`;
    await expect(load({ '/etc/elemental/config.yaml': large })).rejects.toThrow('it is larger than 1 MiB');
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n`;
    await expect(load({ '/etc/elemental/config.yaml': bomb })).rejects.toThrow('expands to more than 10000 values');
  });

  test('any text is read or refused, and never crashes', () => {
    const piece = fc.constantFrom(
      'install',
      'system',
      ':',
      ' ',
      '\n',
      '  ',
      '- ',
      '&a',
      '*a',
      '<<',
      '{',
      '}',
      '[',
      ']',
      '"',
      'true',
      '4',
      '.',
      'size',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        try {
          readYamlSettings('f', pieces.join(''), yamlNames());
        } catch (error) {
          expect(error).toBeInstanceOf(HoldfastError);
        }
      }),
    );
  });
});

describe('the image of an upgrade', () => {
  test.each([
    ['UPGRADE_IMAGE=quay.io/my/os:v2\nCHANNEL_UPGRADES=false', 'docker:quay.io/my/os:v2'],
    // 0810 ignored it and asked the channel.
    ['UPGRADE_IMAGE=my/os\nCHANNEL_UPGRADES=false', 'docker:my/os'],
    ['UPGRADE_IMAGE=quay.io/my/os:v2\nCHANNEL_UPGRADES=true', 'docker:quay.io/my/os:v2'],
    ['UPGRADE_IMAGE=my/os:v2', 'docker:my/os:v2'],
    ['UPGRADE_IMAGE=localhost:5000/os', 'docker:localhost:5000/os'],
    ['UPGRADE_IMAGE=localhost/os', 'docker:localhost/os'],
    ['UPGRADE_IMAGE=os:v2', 'docker:os:v2'],
    ['UPGRADE_IMAGE=docker://quay.io/my/os', 'docker://quay.io/my/os'],
    ['UPGRADE_IMAGE=oci-layout:/x:v2', 'oci-layout:/x:v2'],
    ['UPGRADE_IMAGE=dir:///x', 'dir:///x'],
    ['UPGRADE_IMAGE=/x', '/x'],
    ['CHANNEL_UPGRADES=false', undefined],
  ])('%s', async (text, image) => {
    expect(configuredImage(await load({ '/etc/cos/config': text }), 'upgrade.system')?.value).toBe(image);
  });

  test.each([
    'UPGRADE_IMAGE=system/cos',
    'UPGRADE_IMAGE=system/cos\nCHANNEL_UPGRADES=true',
    'UPGRADE_IMAGE=system/cos\nCHANNEL_UPGRADES=false',
    'CHANNEL_UPGRADES=true',
    'UPGRADE_IMAGE=channel:system/cos',
    'UPGRADE_IMAGE=my/package\nCHANNEL_UPGRADES=true',
  ])('a package of a channel is refused: %s', async (text) => {
    const settings = await load({ '/etc/cos/config': text });
    expect(() => configuredImage(settings, 'upgrade.system')).toThrow(
      /^\/etc\/cos\/config:1 asks for a package of a luet channel/,
    );
  });
});

describe('stage files beyond the default places', () => {
  test('from the settings, or the environment alone where there are none', async () => {
    const environment = { CLOUD_INIT_PATHS: '/from/environment' };
    const files = { '/etc/cos/config': 'CLOUD_INIT_PATHS="/a /b"\n' };
    expect((await readExtraSources(temporaryRoot(), environment)).sources).toEqual(['/from/environment']);
    expect((await readExtraSources(temporaryRoot(files), {})).sources).toEqual(['/a', '/b']);
    expect((await readExtraSources(temporaryRoot(files), environment)).sources).toEqual(['/from/environment']);
  });

  test('a broken file is told of and stops nothing', async () => {
    const root = temporaryRoot({ '/etc/elemental/config.yaml': 'strict: x' });
    const { sources, problems } = await readExtraSources(root, { CLOUD_INIT_PATHS: '/a' });
    expect(sources).toEqual(['/a']);
    expect(problems).toMatchObject([
      {
        severity: 'warning',
        message: 'settings are not used: strict must be true or false, not "x"',
        location: { line: 1, column: 9 },
      },
    ]);
  });
});
