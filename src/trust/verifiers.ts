// The verifiers as a machine has them: where trust is remembered, which files hold keys and certificates, what time it is.

import { readFileSync } from 'node:fs';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import type { CosignDemand, NotaryDemand } from './decide.ts';
import type { NotaryHttp } from './notary/client.ts';
import type { TrustPins } from './notary/pins.ts';
import type { Verifiers } from './verify-image.ts';

export interface MachineVerifierOptions {
  now: Date;
  /** Where Notary's roots and versions are remembered. */
  stateDirectory: string;
  http?: NotaryHttp | undefined;
  signal?: AbortSignal | undefined;
}

/** A verifier's code is loaded when it is asked: most commands ask none. */
export function machineVerifiers({ now, stateDirectory, http = {}, signal }: MachineVerifierOptions): Verifiers {
  return {
    notary: async (demand) => {
      const [{ verifyNotary }, { notaryServer }, { TrustStore }] = await Promise.all([
        import('./notary/verify.ts'),
        import('./notary/server.ts'),
        import('./notary/trust-store.ts'),
      ]);
      return verifyNotary({
        gun: demand.gun,
        tag: demand.tag,
        now,
        server: notaryServer(demand.gun, demand.configuredServer),
        pins: pinsOf(demand),
        store: new TrustStore(stateDirectory),
        http: demand.caFile === undefined ? http : { ...http, caFile: demand.caFile },
        signal,
      });
    },
    cosign: async (demand, question) => {
      const [{ verifyCosign }, { loadCosignKey }] = await Promise.all([
        import('./cosign/verify.ts'),
        import('./cosign/key-source.ts'),
      ]);
      const keys = await Promise.all(demand.keys.map((key) => loadCosignKey(key, { signal })));
      return verifyCosign({ ...question, wish: { ...demand, keys, trustedRoot: trustedRootOf(demand) } });
    },
  };
}

function pinsOf({ gun, rootKeys, rootCaFile, firstUse }: NotaryDemand): TrustPins {
  return {
    disableTofu: !firstUse,
    ...(rootKeys !== undefined && { certs: { [gun]: rootKeys } }),
    ...(rootCaFile !== undefined && { ca: { [gun]: readText(rootCaFile, 'the authorities of root certificates') } }),
  };
}

function trustedRootOf({ trustedRoot }: CosignDemand): { text: string; from: string } | undefined {
  if (trustedRoot === undefined) return undefined;
  return { text: readText(trustedRoot, 'the trusted root of Sigstore'), from: trustedRoot };
}

function readText(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const isMissing = errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR';
    throw new HoldfastError(isMissing ? 'HF-NO-SOURCE' : 'HF-CONFIG', `${what} can't be read: ${file}`, { cause });
  }
}
