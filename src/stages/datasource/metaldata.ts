// `metaldata`: a small service for bare metal, found by its name in the network's own DNS.

import { linesOf, MetadataService } from './metadata.ts';
import type { Provider } from './provider.ts';

const SERVICE = 'http://metaldata/get/';

export const metaldata: Provider = {
  name: 'metaldata',
  async find(context) {
    const service = new MetadataService(SERVICE, context);
    const hostname = await service.probe('meta/hostname');
    if (hostname === undefined) return undefined;
    return async () => {
      const [facts, keys, userData] = await Promise.all([
        service.facts({
          public_ipv4: 'meta/public-ipv4',
          private_ipv4: 'meta/private-ipv4',
          failure_domain: 'meta/failure-domain',
          machine_id: 'meta/machine-id',
          machine_type: 'meta/machine-type',
        }),
        service.text('meta/authorized-keys'),
        service.bytes('user'),
      ]);
      return { hostname, facts, keys: linesOf(keys ?? ''), ...(userData && { userData }) };
    };
  },
};
