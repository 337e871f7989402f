// `holdfast verify`: whether an image could be installed here, by whom it is signed, and what its digest is. Nothing of its
// content is fetched, and nothing is changed but what is remembered of trust.

import type { Digest } from '../image/digest.ts';
import { isVouchedFor, type Provenance } from '../image/provenance.ts';
import { formatImageSource, parseImageSource } from '../image/reference.ts';
import { HoldfastError } from '../system/errors.ts';
import { type ImageFlags, namedImage, verifiedOptions } from './image-option.ts';
import type { CommandContext } from './program.ts';
import { machineSettings, type SettingsFlags } from './settings-option.ts';

interface VerifyFlags extends ImageFlags, SettingsFlags {}

/** @returns 0 when somebody vouches for the image, 1 when nobody was asked. */
export async function verifyCommand(
  context: CommandContext,
  [argument]: string[],
  flags: VerifyFlags,
): Promise<number> {
  const text = namedImage(argument, flags);
  if (text === undefined) {
    throw new HoldfastError('HF-USAGE', 'no image is named', { hint: 'for example: holdfast verify quay.io/my/os:v2' });
  }
  const source = parseImageSource(text);
  const settings = await machineSettings(context, flags);
  const options = await verifiedOptions(source, flags, context, settings);
  const { openVerified, verifyReference } = await import('../trust/open-verified.ts');
  if (source.kind === 'registry') {
    const { digest, sizeBytes, provenance } = await verifyReference(source.reference, options);
    return report(context, { image: formatImageSource(source), digest, sizeBytes, provenance });
  }
  const image = await openVerified(source, options);
  const digest = image.kind === 'oci' ? (image.index?.digest ?? image.digest) : undefined;
  const provenance = image.provenance ?? { verifiedBy: [], mayDowngrade: true };
  return report(context, { image: image.source, digest, sizeBytes: undefined, provenance });
}

interface Finding {
  image: string;
  digest: Digest | undefined;
  sizeBytes: number | undefined;
  provenance: Provenance;
}

function report({ reporter }: CommandContext, { image, digest, sizeBytes, provenance }: Finding): number {
  const isVerified = isVouchedFor(provenance);
  const { verifiedBy } = provenance;
  const outcome = isVerified ? 'verified' : 'unverified';
  reporter.result({ outcome, image, digest, sizeBytes, verifiedBy }, [
    `${isVerified ? 'Verified' : 'Not verified'}: ${image}`,
    ...(digest === undefined
      ? []
      : [`  digest     ${digest}${sizeBytes === undefined ? '' : `, a manifest of ${sizeBytes} bytes`}`]),
    ...verifiedBy.map(({ text }) => `  by         ${text}`),
  ]);
  return isVerified ? 0 : 1;
}
