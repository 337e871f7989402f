// `digitalocean`: one value per address, and a list of them at the root, by which the service is recognised.

import { linesOf, MetadataService } from './metadata.ts';
import type { Provider } from './provider.ts';

const SERVICE = 'http://169.254.169.254/metadata/v1/';

export const digitalocean: Provider = {
  name: 'digitalocean',
  async find(context) {
    const service = new MetadataService(SERVICE, context);
    if ((await service.probe('')) === undefined) return undefined;
    return async () => {
      const [hostname, facts, keys, userData] = await Promise.all([
        service.text('hostname'),
        service.facts({
          public_ipv4: 'interfaces/public/0/ipv4/address',
          private_ipv4: 'interfaces/private/0/ipv4/address',
          region: 'region',
          id: 'id',
        }),
        service.text('public-keys'),
        service.bytes('user-data'),
      ]);
      return { ...(hostname && { hostname }), facts, keys: linesOf(keys ?? ''), ...(userData && { userData }) };
    };
  },
};
