// The shape of /etc/holdfast/policy.yaml. Strict on purpose: a key that is misspelt in a policy must not be a check that
// never happens.

import { z } from 'zod';

const text = z.string().min(1);
const path = text.describe('A file, with its absolute path.');

const notarySchema = z
  .strictObject({
    server: text.describe('The address of the Notary server, https://…; default: that of the registry.').optional(),
    ca: path
      .describe('Certificates (PEM) that the server may be signed by, beside those that this machine trusts.')
      .optional(),
    'root-keys': z
      .array(z.string().regex(/^[0-9a-f]{64}$/, 'a key id has 64 lower-case hex digits'))
      .min(1)
      .describe('The only root keys that a publisher may begin with (docker’s trust_pinning.certs).')
      .optional(),
    'root-ca': path.describe('Authorities (PEM) that a publisher’s root certificate must be signed by.').optional(),
    'first-use': z.boolean().describe('Whether the first root that is seen is trusted; default true.').optional(),
  })
  .describe('How Notary is asked.');

const identitySchema = z.strictObject({
  issuer: text.describe('The OIDC issuer, exactly as the certificate has it.'),
  subject: text.describe('The URI or mail address of the signer, exactly as the certificate has it.'),
});

/** @param reference what may be said of signatures for other repositories. */
const cosignRule = <T extends 'warn' | 'enforce'>(reference: z.ZodType<T, T>) =>
  z
    .strictObject({
      keys: z
        .array(text)
        .min(1)
        .describe('Public keys: files, https:// addresses or PEM texts. Any of them.')
        .optional(),
      identities: z.array(identitySchema).min(1).describe('Keyless signers. Any of them.').optional(),
      'trusted-root': path.describe('trusted_root.json of Sigstore; needed for identities and for a log.').optional(),
      repository: text.describe('Where the signatures are, if not beside the image (COSIGN_REPOSITORY).').optional(),
      annotations: z.record(text, z.string()).describe('Annotations that the signature must have.').optional(),
      reference: reference.describe('What a signature for another repository does.').optional(),
      log: z
        .enum(['ignore', 'require'])
        .describe('Whether signatures by keys must be in a transparency log.')
        .optional(),
    })
    .refine(({ keys, identities }) => keys !== undefined || identities !== undefined, {
      message: 'it names neither keys nor identities, and anybody can sign',
    })
    .refine((rule) => rule['trusted-root'] !== undefined || (rule.identities === undefined && rule.log !== 'require'), {
      message: 'identities and logs need "trusted-root"',
    })
    .describe('A signature of cosign that must be there.');

const cosignSchema = cosignRule(z.enum(['warn', 'enforce']));
/** What is never compared can't be enforced. */
const mediaCosignSchema = cosignRule(
  z.enum(['warn'], 'an image on a medium has no repository that a signature could be held to; leave it out'),
);

const version = text.describe('The oldest version that may be installed; older ones are refused, whatever the flags.');
const downgrade = z
  .enum(['flag', 'refuse'])
  .describe(
    'An older system than the one that is installed needs --allow-downgrade (flag), or is refused, as is one that can’t be compared.',
  );

const ruleSchema = z
  .strictObject({
    notary: z.union([z.boolean(), notarySchema]).describe('Whether Notary must know the tag; default true.').optional(),
    cosign: cosignSchema.optional(),
    'no-verify': z.enum(['allow', 'refuse']).describe('What --no-verify does here; default allow.').optional(),
    downgrade: downgrade.optional(),
    'minimum-version': version.optional(),
  })
  .describe('What an image must prove.');

const mediaSchema = z
  .strictObject({
    cosign: mediaCosignSchema.optional(),
    downgrade: downgrade.optional(),
    'minimum-version': version.optional(),
  })
  .describe('What an image in a directory or an archive must prove; default nothing.');

export const policySchema = z.strictObject({
  default: ruleSchema.describe('For images of registries that nothing else names.').optional(),
  images: z
    .record(text, ruleSchema)
    .describe('By name: HOST/REPOSITORY, or the beginning of one with /* at its end. The longest name counts.')
    .optional(),
  media: mediaSchema.optional(),
});

export type PolicyDocument = z.infer<typeof policySchema>;
export type RuleDocument = z.infer<typeof ruleSchema>;
export type CosignDocument = z.infer<typeof cosignSchema>;

/** The JSON Schema of a policy, for editors. */
export function policyJsonSchema(): object {
  return { title: 'Holdfast: which images may become the system', ...z.toJSONSchema(policySchema, { io: 'input' }) };
}
