// `cdrom` and `config-drive`: user data on a CD, a USB stick or a small disk that somebody attached. A medium with the
// label comes first, then any CD.

import type { Provider } from './provider.ts';
import { findSeed } from './seed/devices.ts';

export const cdrom = mediumProvider('cdrom', { label: 'cidata', files: ['/user-data', '/config'] });
export const configDrive = mediumProvider('config-drive', {
  label: 'config-2',
  files: ['/openstack/latest/user_data'],
});

function mediumProvider(name: string, seed: { label: string; files: readonly string[] }): Provider {
  return {
    name,
    isLocal: true,
    find({ media, warn }) {
      const userData = findSeed(seed, media, (problem) => warn(`${name}: ${problem}`));
      return userData && (async () => ({ facts: new Map(), userData }));
    },
  };
}
