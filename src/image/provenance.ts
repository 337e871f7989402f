// Who vouches for an image. Found out before any of its content is read, kept with the image, and written down with the
// system that is made from it.

/** One voice; `text` is a part of a sentence. */
export type Verification =
  /** A Notary server knows the tag, signed by the repository's publisher. */
  | { by: 'notary'; text: string; gun: string; tag: string; server: string; role: string; rootKeys: readonly string[] }
  /** A signature of cosign, by a key or by an identity. */
  | { by: 'cosign'; text: string; signer: string; layout: 'bundle' | 'tag' }
  /** Whoever gave the command named the content by its digest. */
  | { by: 'digest'; text: string }
  /** Nobody: the registry, or whoever made the medium, could have put anything there. */
  | { by: 'nobody'; text: string };

export interface Provenance {
  verifiedBy: readonly Verification[];
  /** The oldest version that the policy lets in. */
  minimumVersion?: string | undefined;
  /** Whether the policy listens to `--allow-downgrade`. */
  mayDowngrade: boolean;
  /** The policy's rule, for messages. */
  policy?: string | undefined;
}

/** What `state.yaml` says of it. */
export function describeProvenance({ verifiedBy }: Provenance): string {
  return verifiedBy.map(({ text }) => text).join('; ');
}

/** Whether somebody who isn't the registry vouches for the content. */
export function isVouchedFor({ verifiedBy }: Provenance): boolean {
  return verifiedBy.some(({ by }) => by !== 'nobody');
}
