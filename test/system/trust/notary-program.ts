// Asks questions of the verifier with the runtime that runs this: one JSON document per line in, one per line out. Bun is
// the runtime of the executable, so its cryptography and its TLS have to give the same answers.

import { createInterface } from 'node:readline';
import { TrustStore } from '../../../src/trust/notary/trust-store.ts';
import { verifyNotary } from '../../../src/trust/notary/verify.ts';
import { TrustError } from '../../../src/trust/trust-error.ts';

for await (const line of createInterface({ input: process.stdin })) {
  const { store, now, credentials, http, ...question } = JSON.parse(line);
  try {
    const { digest, sizeBytes, role } = await verifyNotary({
      ...question,
      now: new Date(now),
      store: new TrustStore(store),
      http: { attempts: 1, ...http, credentials: async () => credentials },
      builtAt: new Date('2026-01-01T00:00:00Z'),
    });
    console.log(JSON.stringify({ digest, sizeBytes, role }));
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    console.log(JSON.stringify({ reason: error.reason, role: error.role, message: error.message, hint: error.hint }));
  }
}
