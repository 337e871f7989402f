// What the command line and the settings say about trust, as the wishes that the decision takes; and whom a machine asks.

import { join } from 'node:path';
import type { Settings } from '../lifecycle/settings.ts';
import { HoldfastError } from '../system/errors.ts';
import type { TrustVariables, TrustWishes } from '../trust/decide.ts';
import { hasPolicy, NO_POLICY, POLICY_FILE, type Policy } from '../trust/trust-rule.ts';

export interface TrustFlags {
  /** False with `--no-verify`. */
  verify?: boolean;
  cosign?: boolean;
  cosignKey?: string[];
  cosignIssuer?: string;
  cosignIdentity?: string;
  cosignTrustedRoot?: string;
  allowDowngrade?: boolean;
  policy?: string;
  trustCa?: string;
  trustState?: string;
}

/**
 * The wishes of flags, and of settings where there is no flag. A signer who is named on the command line, by a key or by an
 * identity, takes the place of those in the settings.
 * @throws HoldfastError HF-USAGE when both a key and an identity are named there.
 */
export function trustWishes(flags: TrustFlags, settings: Settings | undefined): TrustWishes {
  const hasKey = flags.cosignKey !== undefined;
  const hasIdentity = flags.cosignIdentity !== undefined || flags.cosignIssuer !== undefined;
  if (hasKey && hasIdentity) {
    const other = flags.cosignIdentity === undefined ? '--cosign-issuer' : '--cosign-identity';
    throw new HoldfastError('HF-USAGE', `--cosign-key and ${other} name two signers`, {
      hint: 'name one of them; the policy can ask for another beside it',
    });
  }
  const isOn = flags.cosign ?? settings?.value('cosign') ?? false;
  // A key in the settings is the one that cosign takes if it is on.
  const configured = isOn && !hasKey && !hasIdentity ? settings?.get('cosign-key') : undefined;
  return {
    unverifiedBy: unverifiedBy(flags, settings),
    // A key that somebody names is there to be asked for.
    cosign: isOn || hasKey,
    cosignKeys: flags.cosignKey ?? configured?.value ?? [],
    cosignKeysBy: configured === undefined ? '--cosign-key' : `cosign-key (${configured.origin.text})`,
    cosignIssuer: flags.cosignIssuer ?? (hasKey ? undefined : settings?.value('cosign-issuer')),
    cosignIdentity: flags.cosignIdentity ?? (hasKey ? undefined : settings?.value('cosign-identity')),
    trustedRoot: flags.cosignTrustedRoot ?? settings?.value('cosign-trusted-root'),
    variables: {
      COSIGN_REPOSITORY: settings?.value('cosign-repository'),
      COSIGN_PUBLIC_KEY_LOCATION: settings?.value('cosign-public-key-location'),
      COSIGN_EXPERIMENTAL: settings?.value('cosign-experimental'),
      COSIGN_SKIP: settings?.value('cosign-skip'),
      DOCKER_CONTENT_TRUST_SERVER: settings?.value('trust-server'),
    },
  };
}

/** Who says that signatures by Notary aren't wanted; undefined where they are. */
function unverifiedBy(flags: TrustFlags, settings: Settings | undefined): string | undefined {
  if (flags.verify === false) return '--no-verify';
  const setting = settings?.get('verify');
  return setting?.value === false ? `no-verify (${setting.origin.text})` : undefined;
}

/** Whether an older version than the installed one is taken, as far as policies listen to that. */
export function mayDowngrade({ allowDowngrade }: TrustFlags, settings: Settings): boolean {
  return allowDowngrade ?? settings.value('allow-downgrade') ?? false;
}

/** Docker's and cosign's variables of the environment. */
export function trustEnvironment(environment: NodeJS.ProcessEnv = process.env): TrustVariables {
  return {
    COSIGN_REPOSITORY: environment['COSIGN_REPOSITORY'],
    COSIGN_PUBLIC_KEY_LOCATION: environment['COSIGN_PUBLIC_KEY_LOCATION'],
    COSIGN_EXPERIMENTAL: environment['COSIGN_EXPERIMENTAL'],
    COSIGN_SKIP: environment['COSIGN_SKIP'],
    DOCKER_CONTENT_TRUST: environment['DOCKER_CONTENT_TRUST'],
    DOCKER_CONTENT_TRUST_SERVER: environment['DOCKER_CONTENT_TRUST_SERVER'],
  };
}

/** Certificates for Notary servers: a file that is named, and docker's own directory, `~/.docker/tls/HOST:PORT`. */
export function notaryFiles(
  { trustCa }: TrustFlags,
  settings: Settings | undefined,
  environment: NodeJS.ProcessEnv = process.env,
): { caFile?: string; tlsDirectory: string } {
  const docker = environment['DOCKER_CONFIG'] || join(environment['HOME'] || '/root', '.docker');
  const caFile = trustCa ?? settings?.value('trust-ca');
  return { tlsDirectory: join(docker, 'tls'), ...(caFile !== undefined && { caFile }) };
}

/**
 * The policy; its parser is loaded only where there is a file.
 * @param usual of the machine, which need not be there; one that a flag names must be.
 * @throws HoldfastError HF-CONFIG for one that can't be read or understood, HF-NO-SOURCE.
 */
export async function loadPolicy({ policy }: TrustFlags, usual: string = POLICY_FILE): Promise<Policy> {
  if (policy === undefined && !hasPolicy(usual)) return NO_POLICY;
  const { readPolicy } = await import('../trust/policy.ts');
  return readPolicy(policy ?? usual);
}
