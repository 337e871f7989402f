// `vultr`: name, addresses and keys. As in the originals it brings no user data.

import { linesOf, MetadataService } from './metadata.ts';
import type { Provider } from './provider.ts';

const SERVICE = 'http://169.254.169.254/v1/';

export const vultr: Provider = {
  name: 'vultr',
  async find(context) {
    const service = new MetadataService(SERVICE, context);
    if ((await service.probe('')) === undefined) return undefined;
    return async () => {
      const [hostname, facts, keys] = await Promise.all([
        service.text('hostname'),
        service.facts({
          public_ipv4: 'interfaces/0/ipv4/address',
          private_ipv4: 'interfaces/1/ipv4/address',
          private_netmask: 'interfaces/1/ipv4/netmask',
          region_code: 'region/regioncode',
          instance_id: 'instanceid',
        }),
        service.text('public-keys'),
      ]);
      return { ...(hostname && { hostname }), facts, keys: linesOf(keys ?? '') };
    };
  },
};
