// What stages ask before they unpack an image of a registry: nobody verifies such an image, so one that the policy wants to
// be verified is refused. Stages don't know of trust; whoever runs them hands this in.

import { dirname } from 'node:path';
import type { Root } from '../system/root.ts';
import { hasPolicy, POLICY_FILE } from './trust-rule.ts';

/**
 * Refuses what the policy of this machine, or of the root that is unpacked into, lets in with a signature only.
 * @param reference `[HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]`; a digest is as good as Notary's word, not as cosign's.
 * @param machineFile where this machine's policy is.
 * @throws TrustError no-signatures, invalid-reference; HoldfastError HF-CONFIG for a policy that can't be understood.
 */
export async function admitUnverified(reference: string, root: Root, machineFile: string = POLICY_FILE): Promise<void> {
  const files = [
    ...(hasPolicy(machineFile) ? [machineFile] : []),
    ...(!root.isHost && hasPolicyInside(root) ? [root.resolve(POLICY_FILE)] : []),
  ];
  for (const file of files) {
    const [{ readPolicy }, { parseTrustName }, { TrustError }] = await Promise.all([
      import('./policy.ts'),
      import('./trust-name.ts'),
      import('./trust-error.ts'),
    ]);
    const { gun, digest } = parseTrustName(reference);
    const { from, cosign, mayBeUnverified } = readPolicy(file).forRepository(gun);
    if (cosign === undefined && (mayBeUnverified || digest !== undefined)) continue;
    const wanted = cosign === undefined ? 'a signature of Notary' : 'a signature of cosign';
    throw new TrustError('no-signatures', `${from} wants ${wanted} for ${gun}, and stages verify none`, {
      hint:
        cosign === undefined
          ? `name its digest, which nobody can replace: ${gun}@sha256:…`
          : 'put its content into the system image, or change the policy',
    });
  }
}

/** As hasPolicy, with links as they are after a chroot: one that leads nowhere is a policy that can't be read. */
function hasPolicyInside(root: Root): boolean {
  const isLink = (path: string) => root.lstat(path)?.isSymbolicLink() ?? false;
  const directory = dirname(POLICY_FILE);
  return root.exists(POLICY_FILE) || isLink(POLICY_FILE) || (isLink(directory) && !root.exists(directory));
}
