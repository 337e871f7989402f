// The secrets that this machine is known to have: its passwords' hashes, those in its stage files, its registries' logins,
// its host keys. They are read to be left out, and go nowhere.

import { parseCloudConfig } from '../cloudconfig/document.ts';
import { secretsOf } from '../stages/secrets.ts';
import type { Root } from '../system/root.ts';
import { stageFilesOf } from './report-files.ts';

const MAX_BYTES = 4 << 20;
/** Logins of registries, as docker, podman and others keep them. */
const LOGINS = [
  '/root/.docker/config.json',
  '/etc/docker/config.json',
  '/run/containers/0/auth.json',
  '/etc/containers/auth.json',
];
const TOKENS = /(?:^|\s)(?:[\w.-]*(?:token|secret|passw(?:or)?d|passphrase|psk|key))=(\S+)/gi;

/** All that can be found. What can't be read is not in a report either. */
export function knownSecrets(root: Root): string[] {
  const read = (path: string): string => {
    try {
      const stat = root.stat(path);
      return stat?.isFile() && stat.size <= MAX_BYTES ? root.readText(path) : '';
    } catch {
      return '';
    }
  };
  const cmdline = (read('/proc/cmdline').match(TOKENS) ?? []).map((word) => word.slice(word.indexOf('=') + 1));
  return [
    ...['/etc/shadow', '/etc/gshadow', '/etc/shadow-', '/etc/gshadow-'].flatMap((path) => hashesOf(read(path))),
    ...LOGINS.flatMap((path) => loginsOf(read(path))),
    ...stageFilesOf(root).flatMap((path) => secretsOfFile(read(path), path)),
    // Paths of key files are no secrets.
    ...cmdline.filter((value) => !value.startsWith('/')),
  ];
}

/** What identifies the machine, with the words that stand for it. */
export function knownNames(root: Root): Record<string, string> {
  const id = root.readTextIfThere('/etc/machine-id')?.trim() ?? '';
  return /^[0-9a-f]{32}$/.test(id) ? { [id]: 'MACHINE-ID' } : {};
}

/** The second fields of /etc/shadow, without those that are none. */
function hashesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.split(':')[1] ?? '')
    .filter((field) => field.length > 4 && !/^[!*x]+$/.test(field));
}

function loginsOf(text: string): string[] {
  const found = [...text.matchAll(/"(?:auth|password|identitytoken|registrytoken)"\s*:\s*"([^"]+)"/gi)].flatMap(
    ([, value]) => value ?? [],
  );
  // "auth" is user:password in base64.
  const decoded = found.map((value) => Buffer.from(value, 'base64').toString('utf8').split(':').slice(1).join(':'));
  return [...found, ...decoded];
}

function secretsOfFile(text: string, file: string): string[] {
  if (text === '') return [];
  const { document } = parseCloudConfig(text, file);
  return [...(document?.stages.values() ?? [])].flat().flatMap(({ values }) => secretsOf(values));
}
