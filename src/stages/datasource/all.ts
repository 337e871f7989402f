// All providers by name.

import { azure } from './azure.ts';
import { digitalocean } from './digitalocean.ts';
import { aws, openstack } from './ec2.ts';
import { file } from './file.ts';
import { gcp } from './gcp.ts';
import { hetzner } from './hetzner.ts';
import { cdrom, configDrive } from './medium.ts';
import { metaldata } from './metaldata.ts';
import { packet } from './packet.ts';
import type { Provider } from './provider.ts';
import { scaleway } from './scaleway.ts';
import { vmware } from './vmware.ts';
import { vultr } from './vultr.ts';

export const providers: ReadonlyMap<string, Provider> = new Map(
  [
    aws,
    openstack,
    hetzner,
    gcp,
    azure,
    digitalocean,
    vultr,
    packet,
    scaleway,
    metaldata,
    vmware,
    cdrom,
    configDrive,
    file,
  ].map((provider) => [provider.name, provider]),
);
