// The first trust in a repository, as the trust_pinning of the notary client decides it: by key, by authority, or at first
// use. Exactly one rule applies, and none falls through to the next: a pin that doesn't fit is a refusal.

import { createHash } from 'node:crypto';
import { HoldfastError } from '../../system/errors.ts';
import { TrustError } from '../trust-error.ts';
import { type Certificate, isSignedBy, isWeaklySigned, parseCertificates } from './certificate.ts';
import type { PublicKey } from './key.ts';
import { isValidAt, leafOf } from './root-certificate.ts';

/** What the owner of the machine has laid down about first trust. */
export interface TrustPins {
  /** Ids of root keys by repository, or by the beginning of its name followed by a star. */
  certs?: Readonly<Record<string, readonly string[]>>;
  /** Authorities in PEM by the beginning of the repository's name. */
  ca?: Readonly<Record<string, string>>;
  /** No trust at first use: without a pin a repository is refused. */
  disableTofu?: boolean;
}

export type TrustRule = 'certs' | 'ca' | 'first-use';

export type Pin =
  /** `entry` is the key of the configuration that applies; `id` changes when what it says changes. */
  | { rule: 'certs'; entry: string; id: string; keyIds: readonly string[] }
  | { rule: 'ca'; entry: string; id: string; authorities: readonly Certificate[] }
  | { rule: 'first-use'; isDisabled: boolean };

/** serverAuth, codeSigning, and the one that stands for all. */
const USAGES: ReadonlySet<string> = new Set(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.3', '2.5.29.37.0']);
const MAX_CHAIN = 8;

/** The rule that applies to a repository. @throws HoldfastError HF-CONFIG for an authority that can't be read. */
export function pinFor(gun: string, pins: TrustPins): Pin {
  const keys = Object.entries(pins.certs ?? {});
  const exact = keys.find(([entry]) => entry === gun);
  const wide = longest(keys.filter(([entry]) => entry.endsWith('*') && gun.startsWith(entry.slice(0, -1))));
  const chosen = exact ?? wide;
  if (chosen !== undefined) {
    const [entry, ids] = chosen;
    const keyIds = [...new Set(ids.map((id) => id.trim().toLowerCase()))].sort();
    return { rule: 'certs', entry, keyIds, id: digest(`certs\n${keyIds.join('\n')}`) };
  }
  const authority = longest(Object.entries(pins.ca ?? {}).filter(([prefix]) => gun.startsWith(prefix)));
  if (authority !== undefined) {
    const [entry, pem] = authority;
    const authorities = parseCertificates(Buffer.from(pem, 'utf8'));
    if (authorities.length === 0) {
      throw new HoldfastError('HF-CONFIG', `the pinned authority for ${entry} has no certificate that can be read`, {
        hint: 'a pin by "ca" is a file of certificates in PEM',
      });
    }
    const ids = authorities.map(({ der }) => digest(der)).sort();
    return { rule: 'ca', entry, authorities, id: digest(`ca\n${ids.join('\n')}`) };
  }
  return { rule: 'first-use', isDisabled: pins.disableTofu ?? false };
}

function longest<T>(entries: [string, T][]): [string, T] | undefined {
  return entries.sort(([a], [b]) => b.length - a.length)[0];
}

function digest(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/**
 * The keys that first trust may begin with.
 * @param keys root keys with a usable certificate.
 * @throws TrustError pin-mismatch, tofu-disabled
 */
export function pinnedKeys(pin: Pin, keys: readonly PublicKey[], gun: string, now: Date): readonly PublicKey[] {
  const offered = keys.map(({ id }) => id).join(', ');
  if (pin.rule === 'first-use') {
    if (!pin.isDisabled) return keys;
    throw new TrustError(
      'tofu-disabled',
      `${gun} is not known here, trust at first use is off, and there is no pin for it`,
      {
        role: 'root',
        hint: `pin the key that the publisher names; the server offers ${offered}`,
      },
    );
  }
  const allowed = keys.filter((key) =>
    pin.rule === 'certs' ? pin.keyIds.includes(key.id) : chainsTo(key, pin.authorities, now),
  );
  if (allowed.length > 0) return allowed;
  const what = pin.rule === 'certs' ? 'is none of the pinned ones' : 'has no certificate by the pinned authority';
  throw new TrustError('pin-mismatch', `the root key of ${gun} ${what} (pin "${pin.rule}" for ${pin.entry})`, {
    role: 'root',
    hint: `the server offers ${offered}; compare it with what the publisher says before the pin is changed`,
  });
}

/** Whether the key's certificate leads to an authority over the other certificates of its own bundle. */
function chainsTo(key: PublicKey, authorities: readonly Certificate[], now: Date): boolean {
  const leaf = leafOf(key);
  if (leaf === undefined || !isFit(leaf, now)) return false;
  const between = key.certificates.slice(1).filter((certificate) => isFit(certificate, now));
  const anchors = authorities.filter((certificate) => isValidAt(certificate, now));
  // Each is climbed from once: a hostile bundle must not make us try all orders.
  const seen = new Set<Certificate>([leaf]);
  const climb = (certificate: Certificate, depth: number): boolean => {
    if (anchors.some((anchor) => mayIssue(anchor, certificate, depth))) return true;
    if (depth === MAX_CHAIN) return false;
    return between.some((next) => {
      if (seen.has(next) || !mayIssue(next, certificate, depth)) return false;
      seen.add(next);
      return climb(next, depth + 1);
    });
  };
  return climb(leaf, 0);
}

/** @param below how many authorities are already between `issuer` and the leaf. */
function mayIssue(issuer: Certificate, certificate: Certificate, below: number): boolean {
  return (
    issuer.isCa &&
    issuer.maySignCertificates &&
    (issuer.pathLength ?? below) >= below &&
    issuer.subject.equals(certificate.issuer) &&
    isSignedBy(certificate, issuer)
  );
}

function isFit(certificate: Certificate, now: Date): boolean {
  const { extendedKeyUsage, hasUnknownCritical } = certificate;
  return (
    isValidAt(certificate, now) &&
    !isWeaklySigned(certificate) &&
    !hasUnknownCritical &&
    (extendedKeyUsage?.some((usage) => USAGES.has(usage)) ?? true)
  );
}
