// The image of a Plan: which name and which version the controller gets, so that a new image starts a new round. The controller
// hashes the version, not the image: a tag goes into `version`, and a digest into a field that is hashed too.

import { parseRegistryName } from '../image/registry/name.ts';
import { HoldfastError } from '../system/errors.ts';
import { isLabelValue } from './plan-selector.ts';

export interface PlannedImage {
  /** `spec.upgrade.image`: without a tag where the version is it. */
  image: string;
  version: string | undefined;
  /** Whether the image must be part of what is hashed: its version alone doesn't change with it. */
  hashed: boolean;
  /** With tag and digest, as far as they are known: what a node pulls by itself. */
  reference: string;
}

/** The annotation that names further fields for the hash (`spec.upgrade.image`), comma separated. */
export const DIGEST_ANNOTATION = 'upgrade.cattle.io/digest';

const SCHEMES = /^(?:docker|oci):(?:\/\/)?/;

/**
 * @param text the image: `registry.example/os:v2`, with `docker:` before it or not, with a digest or not.
 * @param version what `--version` says; it is the tag where the image has none.
 * @param channel whether the version comes from a channel.
 * @throws HoldfastError HF-USAGE when it is no image of a registry, or tag and version contradict each other.
 */
export function planImage(
  text: string,
  { version, channel = false }: { version?: string | undefined; channel?: boolean },
): PlannedImage {
  const given = text.replace(SCHEMES, '');
  if (/^(?:\.{0,2}\/|[a-z-]+:(?!\d+\/)[^/]*\/)/.test(given) && !/^[^/]+:\d+\//.test(given)) {
    throw new HoldfastError('HF-USAGE', `${text} is on this machine: the nodes of a cluster pull from a registry`, {
      hint: 'push the image and name it there: registry.example/os:v2',
    });
  }
  const { digest } = parseRegistryName(given);
  const at = given.indexOf('@');
  const named = at < 0 ? given : given.slice(0, at);
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  const name = colon < 0 ? named : named.slice(0, colon);
  checkVersion(version);
  if (digest !== undefined) {
    const of = version ?? tag ?? `sha256-${digest.slice('sha256:'.length, 'sha256:'.length + 12)}`;
    // A tag beside a digest is for people: the digest decides what is pulled.
    return { image: given, version: channel ? undefined : checkVersion(of), hashed: true, reference: given };
  }
  if (channel && tag !== undefined) {
    throw new HoldfastError('HF-USAGE', `the image has the tag ${tag}, and --channel is to choose the version`, {
      hint: `leave the tag out: ${name}`,
    });
  }
  if (tag !== undefined && version !== undefined && tag !== version.replaceAll('+', '-')) {
    // An image with a tag is taken as it is, whatever the version says.
    return { image: given, version, hashed: true, reference: given };
  }
  const used = version ?? tag;
  if (used === undefined && !channel) {
    throw new HoldfastError('HF-USAGE', `${text} names neither a tag nor a digest`, {
      hint: `add one (${name}:v2), or say --version or --channel`,
    });
  }
  const reference = used === undefined ? name : `${name}:${used.replaceAll('+', '-')}`;
  return { image: name, version: checkVersion(used), hashed: false, reference };
}

/** The controller makes the version a label of its jobs: what can't be one fails there, silently for the user. */
function checkVersion(version: string | undefined): string | undefined {
  if (version === undefined || (version !== '' && isLabelValue(version.replaceAll('+', '-')))) return version;
  throw new HoldfastError('HF-USAGE', `${JSON.stringify(version)} can't be the version of a Plan`, {
    hint: 'up to 63 letters, digits, "-", "_" and ".", since the controller makes a label of it; say another one with --version',
  });
}
