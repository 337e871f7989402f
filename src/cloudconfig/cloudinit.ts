// Files with the header `#cloud-config`, which cloud-init's users write: how they are recognised, and which of their
// keys the originals map to steps. Only `stages` of such a file is carried out so far; each other key says so.

/** Keys that yip maps to steps. */
export const MAPPED_KEYS: readonly string[] = [
  'hostname',
  'users',
  'ssh_authorized_keys',
  'write_files',
  'milpa_files',
  'runcmd',
  'growpart',
];

/** Keys of cloud-init that yip reads over. */
export const IGNORED_KEYS: readonly string[] = [
  'bootcmd',
  'packages',
  'package_update',
  'chpasswd',
  'ssh_pwauth',
  'disable_root',
  'fqdn',
  'manage_etc_hosts',
  'ntp',
  'timezone',
  'locale',
  'mounts',
  'disk_setup',
  'fs_setup',
  'apt',
  'yum_repos',
  'power_state',
  'final_message',
  'groups',
  'merge_how',
];

/**
 * Whether the text has the header (yip v1.22: comments and empty lines may come before it, within the first ten lines;
 * white space counts on its right side only).
 */
export function isCloudInit(text: string): boolean {
  const lines = text.replace(/^\uFEFF/, '').split('\n', 10);
  for (const line of lines) {
    const trimmed = line.trimEnd();
    if (trimmed === '#cloud-config') return true;
    if (trimmed !== '' && !trimmed.startsWith('#')) return false;
  }
  return false;
}
