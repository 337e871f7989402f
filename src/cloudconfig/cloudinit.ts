// Files with the header `#cloud-config`, which cloud-init's users write: how they are recognised, and the steps that their
// keys stand for. Users come before the files that may belong to them and runcmd comes last; yip makes one step of all,
// whose files are written before its users exist.

import { CLOUD_INIT_FIELDS, type CloudUser } from './cloudinitkeys.ts';
import type { Decoding, Shape } from './decoding.ts';
import type { Step } from './step.ts';
import type { StepValues } from './stepkeys.ts';
import { nearestWord } from './suggestion.ts';
import type { Entry } from './yamltext.ts';

/** Keys that are mapped to steps. */
export const MAPPED_KEYS: readonly string[] = Object.keys(CLOUD_INIT_FIELDS);

/** Keys of cloud-init that have no effect. Keys that nobody knows belong to other tools, such as Kairos' `k3s`. */
const IGNORED_KEYS: ReadonlySet<string> = new Set(
  `allow_public_ssh_keys ansible apk_repos apt apt_pipelining apt_reboot_if_required apt_update apt_upgrade bootcmd
  byobu_by_default ca-certs ca_certs chef chpasswd cloud_config_modules cloud_final_modules cloud_init_modules
  create_hostname_file datasource_list device_aliases disable_ec2_metadata disable_root disable_root_opts disk_setup
  drivers fan final_message fqdn fs_setup groups keyboard landscape locale locale_configfile lxd manage_etc_hosts
  manage_resolv_conf mcollective merge_how merge_type mount_default_fields mounts no_ssh_fingerprints ntp output
  package_reboot_if_required package_update package_upgrade packages password phone_home power_state
  prefer_fqdn_over_hostname preserve_hostname puppet random_seed reporting resize_rootfs resolv_conf rh_subscription
  rsyslog salt_minion snap spacewalk ssh ssh_deletekeys ssh_fp_console_blacklist ssh_genkeytypes ssh_import_id ssh_keys
  ssh_key_console_blacklist ssh_publish_hostkeys ssh_pwauth ssh_quiet_keygen swap syslog_fix_perms system_info timezone
  ubuntu_advantage ubuntu_pro unverified_modules updates user vendor_data wireguard yum_repo_dir yum_repos
  zypper`.split(/\s+/),
);

/** What a step does for people who know it from cloud-init. */
const INSTEAD: Readonly<Record<string, string>> = {
  bootcmd: 'commands',
  packages: 'packages: {install: [...]}',
  package_update: 'packages: {refresh: true}',
  package_upgrade: 'packages: {upgrade: true}',
  ntp: 'timesyncd',
  timezone: 'systemd_firstboot: {timezone: ...}',
  locale: 'systemd_firstboot: {locale: ...}',
  keyboard: 'systemd_firstboot: {keymap: ...}',
  chpasswd: 'users: {NAME: {passwd: ...}}',
  password: 'users: {NAME: {passwd: ...}}',
  user: 'users: {NAME: {...}}',
  groups: 'ensure_entities with "kind: group"',
  fqdn: 'hostname',
  manage_resolv_conf: 'dns',
  resolv_conf: 'dns',
  disk_setup: 'layout',
  fs_setup: 'layout',
};

/**
 * Whether the text has the header (yip v1.22: comments and empty lines may come before it, within the first nine lines,
 * or the tenth when that is the last one; blanks at the end of a line don't count).
 */
export function isCloudInit(text: string): boolean {
  const lines = text.replace(/^\uFEFF/, '').split('\n', 11);
  for (const line of lines.slice(0, lines.length > 10 ? 9 : 10)) {
    const trimmed = line.trimEnd();
    if (trimmed === '#cloud-config') return true;
    if (trimmed !== '' && !trimmed.startsWith('#')) return false;
  }
  return false;
}

/** Says of a top-level key that it has no effect, when it is cloud-init's or nearly one of those that are mapped. */
export function reportUnmapped({ key, keyNode }: Entry, at: Decoding): void {
  if (IGNORED_KEYS.has(key)) {
    const instead = INSTEAD[key];
    at.warn(keyNode, `"${key}" of cloud-init has no effect here`, instead && `a step of "stages" has ${instead}`);
    return;
  }
  const near = key.length > 4 ? nearestWord(key, MAPPED_KEYS) : undefined;
  if (near !== undefined)
    at.warn(keyNode, `the key "${key}" is not known and has no effect`, `did you mean "${near}"?`);
}

/** Says of a key that only a file with the header may have, that it has no effect in one without. */
export function reportWithoutHeader({ key, keyNode }: Entry, at: Decoding): void {
  at.warn(
    keyNode,
    `keys of cloud-init such as "${key}" have no effect in a file without the header "#cloud-config"`,
    'make #cloud-config the first line, with nothing before or after it in that line',
  );
}

/**
 * The steps that the keys of a `#cloud-config` file stand for, by stage.
 * @param named the file's top-level entries by name.
 */
export function decodeCloudInit(named: ReadonlyMap<string, Entry>, at: Decoding): ReadonlyMap<string, readonly Step[]> {
  const boot = at.inStage('boot');
  const fields = CLOUD_INIT_FIELDS;
  const read = <T>(key: keyof typeof fields, shape: Shape<T>, where: Decoding = boot): T | undefined => {
    const entry = named.get(key);
    return entry === undefined ? undefined : where.key(key).value(shape, entry.value);
  };
  const stages = new Map<string, Step[]>();
  const add = (stage: string, keys: readonly string[], values: StepValues) => {
    const origin = keys.map((key) => named.get(key)).find((entry) => entry !== undefined);
    if (origin === undefined) return;
    const { file, line, column } = at.yaml.locateNode(origin.keyNode);
    const steps = stages.get(stage) ?? [];
    const name = `cloud-config ${origin.key}`;
    steps.push({ file, stage, index: steps.length, line, column, values: { name, ...values }, rejected: [] });
    stages.set(stage, steps);
  };

  const hostname = read('hostname', fields.hostname, at.inStage('initramfs'));
  if (hostname) add('initramfs', ['hostname'], { hostname });

  const accounts = read('users', fields.users) ?? [];
  const { local, remote } = keysOf(accounts, read('ssh_authorized_keys', fields.ssh_authorized_keys) ?? []);
  const users = new Map(accounts.map(({ name, user }) => [name, user]));
  if (users.size > 0 || local.size > 0) {
    add('boot', ['users', 'ssh_authorized_keys'], {
      ...(users.size > 0 && { users }),
      ...(local.size > 0 && { authorized_keys: local }),
    });
  }
  if (remote.size > 0) add('network', ['users', 'ssh_authorized_keys'], { authorized_keys: remote });

  const files = [
    ...(read('write_files', fields.write_files) ?? []),
    ...(read('milpa_files', fields.milpa_files) ?? []),
  ].map(({ owner: ownerstring, ...file }) => ({ ...file, ...(ownerstring && { ownerstring }) }));
  if (files.length > 0) add('boot', ['write_files', 'milpa_files'], { files });

  const growpart = read('growpart', fields.growpart);
  // yip reads the mode and grows nevertheless.
  const devices = ['off', 'false', 'no'].includes(growpart?.mode?.toLowerCase() ?? '') ? [] : (growpart?.devices ?? []);
  for (const path of devices)
    add('boot', ['growpart'], { layout: { device: { path }, expand_partition: { size: 0 } } });

  const commands = read('runcmd', fields.runcmd)?.filter((command) => command.trim() !== '') ?? [];
  if (commands.length > 0) add('boot', ['runcmd'], { commands });
  return stages;
}

/** Keys by account; those that are fetched need the network. The common ones are everybody's, or root's alone. */
function keysOf(accounts: readonly CloudUser[], common: readonly string[]) {
  const owners = accounts.length > 0 ? accounts : [{ name: 'root', keys: [] }];
  const local = new Map<string, readonly string[]>();
  const remote = new Map<string, readonly string[]>();
  for (const { name, keys } of owners) {
    const all = [...keys, ...common].filter((key) => key.trim() !== '');
    const fetched = all.filter(isFetched);
    if (fetched.length > 0) remote.set(name, [...(remote.get(name) ?? []), ...fetched]);
    if (fetched.length < all.length) {
      local.set(name, [...(local.get(name) ?? []), ...all.filter((key) => !isFetched(key))]);
    }
  }
  return { local, remote };
}

function isFetched(key: string): boolean {
  return /^(?:github|gitlab|https?):/i.test(key);
}
