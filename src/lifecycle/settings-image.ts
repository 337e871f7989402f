// Which image the settings name for an action. The names of cOS may mean a package of a luet channel, which no container
// registry knows; such a setting is refused in words before anything is looked for on a network.

import { HoldfastError } from '../system/errors.ts';
import type { NamedSystem, Origin, Setting, Settings } from './settings.ts';

/** The settings that name an image. */
export type ImageSetting =
  | 'install.system'
  | 'install.recovery-system'
  | 'upgrade.system'
  | 'upgrade.recovery-system'
  | 'reset.system';

/** What cOS wrote by default: packages, and no images of any registry. */
const PACKAGES = ['system/cos', 'recovery/cos'];

/**
 * The image that the settings name, in the words of `--system`; undefined when they name none.
 * @throws HoldfastError HF-UNSUPPORTED when it is a package of a channel.
 */
export function configuredImage(settings: Settings, key: ImageSetting): Setting<string> | undefined {
  const setting = settings.get(key);
  const channel = settings.get('channel-upgrades');
  if (setting === undefined) {
    const isUpgrade = key === 'upgrade.system';
    if (isUpgrade && channel?.value === true) throw refuseChannel('CHANNEL_UPGRADES=true', channel.origin);
    return undefined;
  }
  const { value, origin } = setting;
  const text = value.text.trim();
  if (/^channel:/.test(text)) throw refuseChannel(text, origin);
  // A tag may look like a scheme: "os:v2" is an image.
  if (hasScheme(text)) return { value: text, origin };
  if (value.style === 'cos' && isPackage(value, channel?.value)) throw refuseChannel(text, origin);
  return { value: `docker:${text}`, origin };
}

const SCHEMES = ['docker', 'oci', 'dir', 'file', 'oci-layout', 'docker-archive', 'oci-archive', 'docker-daemon'];

function hasScheme(text: string): boolean {
  const scheme = /^([a-z][a-z0-9.-]*):/.exec(text)?.[1];
  return /^\.{0,2}\//.test(text) || text.includes('://') || (scheme !== undefined && SCHEMES.includes(scheme));
}

/** `category/name` without a registry, a tag or a digest, unless its owner said that channels aren't used. */
function isPackage({ text }: NamedSystem, channelUpgrades: boolean | undefined): boolean {
  if (PACKAGES.includes(text)) return true;
  if (channelUpgrades === false) return false;
  const [first = '', ...rest] = text.split('/');
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  return !hasRegistry && !/:[^/]*$|@sha256:/.test(text);
}

function refuseChannel(text: string, origin: Origin): HoldfastError {
  return new HoldfastError(
    'HF-UNSUPPORTED',
    `${origin.text} asks for a package of a luet channel (${text}), which is not supported`,
    {
      hint: 'set UPGRADE_IMAGE to a container image and CHANNEL_UPGRADES=false, or name the image: --system docker:REGISTRY/IMAGE:TAG',
      ...(origin.location !== undefined && { location: origin.location }),
    },
  );
}
