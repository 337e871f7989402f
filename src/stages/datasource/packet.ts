// `packet` (Equinix Metal): one JSON document with everything but the user data, over HTTPS.

import { z } from 'zod';
import { MetadataService } from './metadata.ts';
import type { Provider } from './provider.ts';

const SERVICE = 'https://metadata.platformequinix.com';

const metadata = z.object({ hostname: z.string().optional(), ssh_keys: z.array(z.string()).optional() });

export const packet: Provider = {
  name: 'packet',
  async find(context) {
    const service = new MetadataService(SERVICE, context);
    const found = parseMetadata(await service.probe('/metadata'));
    if (found === undefined) return undefined;
    return async () => {
      const userData = await service.bytes('/userdata');
      return {
        ...(found.hostname && { hostname: found.hostname }),
        facts: new Map(),
        keys: found.ssh_keys ?? [],
        // A script for the network boot is none for the machine that it boots.
        ...(userData && !Buffer.from(userData).toString('latin1').startsWith('#!ipxe') && { userData }),
      };
    };
  },
};

function parseMetadata(text: string | undefined): z.infer<typeof metadata> | undefined {
  try {
    return metadata.parse(JSON.parse(text ?? ''));
  } catch {
    return undefined;
  }
}
