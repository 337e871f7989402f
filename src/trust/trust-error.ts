// Why an image may not become the operating system. Every refusal has a name that people, tests and the record share, and
// what may be an attack says so in its first words, whoever reports it.

import { HoldfastError } from '../system/errors.ts';

/** Refusals that an honest publisher and an honest server don't cause: somebody may be in between. */
const ATTACKS = [
  'signature-invalid',
  'key-id-mismatch',
  'hash-mismatch',
  'version-rollback',
  'role-dropped',
  'root-rotation-invalid',
  'digest-mismatch',
  'blob-digest-mismatch',
] as const;

const OTHERS = [
  'invalid-reference',
  'invalid-trust-server',
  'server-unreachable',
  'auth-failed',
  'no-trust-data',
  'tag-not-signed',
  'metadata-missing',
  'bad-metadata',
  'expired',
  'root-cert-mismatch',
  'pin-mismatch',
  'tofu-disabled',
  'no-sha256',
  'state-corrupt',
  'state-not-writable',
  'clock-invalid',
  'no-signatures',
  'payload-type',
  'payload-invalid',
  'reference-mismatch',
  'annotation-mismatch',
  'identity-required',
  'identity-mismatch',
  'tlog-missing',
  'tlog-invalid',
] as const;

export type TrustReason = (typeof ATTACKS)[number] | (typeof OTHERS)[number];

export const TRUST_REASONS: readonly TrustReason[] = [...ATTACKS, ...OTHERS];

export interface TrustErrorOptions {
  hint?: string;
  cause?: unknown;
  /** The role of Notary's metadata that it is about: `root`, `timestamp`, `snapshot`, `targets`, `targets/releases`. */
  role?: string;
}

/** One refusal; all of them have the code HF-TRUST and its exit status. */
export class TrustError extends HoldfastError {
  readonly reason: TrustReason;
  readonly role: string | undefined;

  /** @param message one line: what failed, for which image. "possible attack" is put before it where it belongs. */
  constructor(reason: TrustReason, message: string, { role, ...options }: TrustErrorOptions = {}) {
    super('HF-TRUST', isPossibleAttack(reason) ? `possible attack: ${message}` : message, options);
    this.reason = reason;
    this.role = role;
  }
}

export function isPossibleAttack(reason: TrustReason): boolean {
  return ATTACKS.some((attack) => attack === reason);
}
