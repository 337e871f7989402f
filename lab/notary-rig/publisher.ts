// What a publisher does with Debian's notary client: a repository, signed tags, the arrangement that docker sets up with its
// delegation for releases, and changes of keys.

import { join } from 'node:path';
import { runChecked } from '../../src/system/process.ts';
import type { NotaryRig } from './rig.ts';

export interface SignedContent {
  /** 64 hex digits, without `sha256:`. */
  hex: string;
  sizeBytes: number;
}

/** Makes the repository on the server, with a tag or more in the role of the publisher. */
export async function publish(
  rig: NotaryRig,
  gun: string,
  tags: Readonly<Record<string, SignedContent>>,
  env: NodeJS.ProcessEnv = {},
): Promise<void> {
  await rig.client(['init', gun], { env });
  for (const [tag, content] of Object.entries(tags)) await rig.client(addHash(gun, tag, content), { env });
  await rig.client(['publish', gun], { env });
}

/** Signs one more tag, or an old one anew; as `targets/releases` where asked. */
export async function sign(rig: NotaryRig, gun: string, tag: string, content: SignedContent, releases = false) {
  await rig.client([...addHash(gun, tag, content), '-p', ...(releases ? ['-r', 'targets/releases'] : [])]);
}

/** As docker does for its signers: the server holds the snapshot key, and images are signed by `targets/releases`. */
export async function delegateReleases(rig: NotaryRig, gun: string, directory: string): Promise<void> {
  const key = join(directory, 'releases.key');
  const certificate = join(directory, 'releases.crt');
  await runChecked([
    ...(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'] as const),
    ...['-days', '30', '-subj', '/CN=releases', '-addext', 'basicConstraints=critical,CA:FALSE'],
    ...['-keyout', key, '-out', certificate],
  ]);
  await rig.client(['key', 'rotate', gun, 'snapshot', '-r']);
  await rig.client(['delegation', 'add', '-p', gun, 'targets/releases', certificate, '--all-paths']);
  await rig.client(['key', 'import', key, '--role', 'releases']);
}

/** Gives a role a new key. That of the timestamp is the server's. */
export async function rotate(rig: NotaryRig, gun: string, role: 'root' | 'targets' | 'snapshot' | 'timestamp') {
  const isServers = role === 'timestamp' || role === 'snapshot';
  // A new root key is asked about even where nobody is at the terminal.
  await rig.client(['key', 'rotate', gun, role, ...(isServers ? ['-r'] : [])], { input: 'yes\nyes\n' });
}

function addHash(gun: string, tag: string, { hex, sizeBytes }: SignedContent): string[] {
  return ['addhash', gun, tag, String(sizeBytes), '--sha256', hex];
}
