// The section `install:` of a stage file, as Kairos and Elemental have it: when a live system installs itself, on which
// disk, and how. Elemental's keys are the settings of `install`; Kairos' own are read here. Pure.

import type { Problem } from '../../cloudconfig/problem.ts';
import type { FlagSetting } from '../../lifecycle/settings.ts';
import { type SettingName, yamlNames } from '../../lifecycle/settings-names.ts';
import { boolean, type Raw, text, WrongValue } from '../../lifecycle/settings-values.ts';
import { readYamlSettings } from '../../lifecycle/settings-yaml.ts';

/** What stage files say about installing this machine. Of several files the later one counts. */
export interface InstallSection {
  /** Whether it shall happen by itself. */
  auto: boolean | undefined;
  /** `auto` or a disk; undefined where nothing names one. */
  device: string | undefined;
  settings: readonly FlagSetting[];
  /** Keys without effect, with their lines. */
  problems: readonly Problem[];
  /** The files that have such a section. */
  files: readonly string[];
}

export const NO_SECTION: InstallSection = { auto: undefined, device: undefined, settings: [], problems: [], files: [] };

/**
 * Reads the section of one more file.
 * @throws HoldfastError HF-CONFIG with the line of a value that can't be used.
 */
export function readInstallSection(before: InstallSection, file: string, content: string): InstallSection {
  let { auto, device } = before;
  let hasAny = false;
  const noted =
    (note: (raw: Raw) => void): SettingName =>
    (raw) => {
      hasAny = true;
      note(raw);
      return [];
    };
  const onDevice = noted((raw) => {
    device = text(raw).trim();
  });
  const names = new Map<string, SettingName>([
    ...[...yamlNames()].filter(([name]) => name.startsWith('install.')),
    ...rootNames(),
    ['install.auto', noted((raw) => (auto = boolean(raw)))],
    ['install.device', onDevice],
    ['install.target', onDevice],
    ['install.encrypted_partitions', refuseEncryption],
  ]);
  const { settings, problems } = readYamlSettings(file, content, names, { section: 'install' });
  if (!hasAny && settings.length === 0 && problems.length === 0) return before;
  return {
    auto,
    device,
    settings: [...before.settings, ...settings.map(({ origin, ...reading }) => ({ ...reading, flag: origin.text }))],
    problems: [...before.problems, ...problems],
    files: [...before.files, file],
  };
}

/** Names that Kairos and the operator of Elemental have in the section, and that are settings of their own here. */
const ALIASES: Readonly<Record<string, string>> = {
  image: 'install.system',
  source: 'install.system',
  'system-uri': 'install.system',
  'recovery-image': 'install.recovery-system',
  reboot: 'reboot',
  poweroff: 'poweroff',
  'eject-cd': 'eject-cd',
  'no-verify': 'no-verify',
  cosign: 'cosign',
  'cosign-key': 'cosign-key',
  strict: 'strict',
  'config-urls': 'install.cloud-init',
  'grub-entry-name': 'install.grub-entry-name',
};

function rootNames(): [string, SettingName][] {
  const known = yamlNames();
  return Object.entries(ALIASES).flatMap(([alias, name]): [string, SettingName][] => {
    const reader = known.get(name);
    return reader === undefined ? [] : [[`install.${alias}`, reader]];
  });
}

/** Whoever asks for it must not get a disk that everybody can read. */
const refuseEncryption: SettingName = (raw) => {
  if (raw.kind === 'list' && raw.items.length === 0) return [];
  throw new WrongValue(raw, 'asks for encrypted partitions, which are not made', 'leave it out; nothing was changed');
};
