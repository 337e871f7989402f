// Which certificates an entry of the transparency log is about, for the kinds of entries that signatures of images have.

import { z } from 'zod';

/** PEM in base64, as Rekor's first generation writes it. */
const pem = z.string().transform((text) => {
  const body = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+?)-----END CERTIFICATE-----/.exec(
    Buffer.from(text, 'base64').toString('latin1'),
  )?.[1];
  return Buffer.from(body ?? '', 'base64');
});
const verifier = z.object({
  x509Certificate: z.object({ rawBytes: z.string().transform((text) => Buffer.from(text, 'base64')) }),
});

/** rekor, pkg/types/…_schema.json; the second generation: rekor-tiles, api/proto. */
const entrySchema = z.union([
  z
    .object({
      kind: z.literal('hashedrekord'),
      spec: z.object({ signature: z.object({ publicKey: z.object({ content: pem }) }) }),
    })
    .transform(({ spec }) => [spec.signature.publicKey.content]),
  z
    .object({
      kind: z.literal('dsse'),
      spec: z.object({ signatures: z.array(z.object({ verifier: pem })) }),
    })
    .transform(({ spec }) => spec.signatures.map((signature) => signature.verifier)),
  z
    .object({
      kind: z.literal('intoto'),
      spec: z.object({
        content: z.object({ envelope: z.object({ signatures: z.array(z.object({ publicKey: pem })) }) }),
      }),
    })
    .transform(({ spec }) => spec.content.envelope.signatures.map(({ publicKey }) => publicKey)),
  z
    .object({
      kind: z.literal('hashedrekord'),
      spec: z.object({ hashedRekordV002: z.object({ signature: z.object({ verifier }) }) }),
    })
    .transform(({ spec }) => [spec.hashedRekordV002.signature.verifier.x509Certificate.rawBytes]),
  z
    .object({
      kind: z.literal('dsse'),
      spec: z.object({ dsseV002: z.object({ signatures: z.array(z.object({ verifier })) }) }),
    })
    .transform(({ spec }) => spec.dsseV002.signatures.map((entry) => entry.verifier.x509Certificate.rawBytes)),
]);

/** The certificates of an entry as DER; none where the entry is of another kind. */
export function certificatesOfEntry(body: Buffer): Buffer[] {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    return [];
  }
  return entrySchema.safeParse(value).data ?? [];
}
