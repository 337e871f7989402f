// `hetzner`: values at the same address as on AWS, and the keys as one JSON list.

import { z } from 'zod';
import { HoldfastError } from '../../system/errors.ts';
import { linesOf, MetadataService, parseJson } from './metadata.ts';
import type { Provider, ProviderContext } from './provider.ts';

const SERVICE = 'http://169.254.169.254/latest';

export const hetzner: Provider = {
  name: 'hetzner',
  async find(context) {
    const service = new MetadataService(SERVICE, context);
    const hostname = await service.probe('/meta-data/hostname');
    if (hostname === undefined) return undefined;
    return async () => {
      const [facts, keys, userData] = await Promise.all([
        service.facts({
          public_ipv4: '/meta-data/public-ipv4',
          local_ipv4: '/meta-data/local-ipv4',
          instance_id: '/meta-data/instance-id',
        }),
        service.text('/meta-data/public-keys'),
        service.bytes('/user-data'),
      ]);
      return { hostname, facts, keys: usableKeys(keys ?? '', context), ...(userData && { userData }) };
    };
  },
};

function usableKeys(text: string, context: ProviderContext): readonly string[] {
  try {
    return parseKeys(text);
  } catch (error) {
    context.fail(error);
    return [];
  }
}

/** A JSON list, or one key per line. */
export function parseKeys(text: string): readonly string[] {
  if (!text.startsWith('[')) return linesOf(text);
  const keys = z.array(z.string()).safeParse(parseJson(text, "hetzner's list of keys"));
  if (keys.success) return keys.data;
  throw new HoldfastError('HF-NETWORK', "hetzner's list of keys is no list of texts");
}
