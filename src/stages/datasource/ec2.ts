// `aws`, and `openstack`, which answers at the same address in the same way. AWS wants a token for each question
// (IMDSv2); machines that were set up without that, and other clouds, answer without.

import { MetadataService, textOf } from './metadata.ts';
import type { Instance, Provider, ProviderContext } from './provider.ts';

const SERVICE = 'http://169.254.169.254';
const META = '/latest/meta-data';

const FACTS = {
  public_ipv4: `${META}/public-ipv4`,
  local_ipv4: `${META}/local-ipv4`,
  availability_zone: `${META}/placement/availability-zone`,
  instance_type: `${META}/instance-type`,
  instance_id: `${META}/instance-id`,
  local_hostname: `${META}/local-hostname`,
};

export const aws: Provider = {
  name: 'aws',
  find: async (context) => findEc2(new MetadataService(SERVICE, context, await sessionToken(context))),
};

export const openstack: Provider = {
  name: 'openstack',
  find: (context) => findEc2(new MetadataService(SERVICE, context)),
};

async function findEc2(service: MetadataService): Promise<(() => Promise<Instance>) | undefined> {
  const hostname = await service.probe(`${META}/hostname`);
  if (hostname === undefined) return undefined;
  return async () => {
    const [facts, key, userData] = await Promise.all([
      service.facts(FACTS),
      service.text(`${META}/public-keys/0/openssh-key`),
      service.bytes('/latest/user-data'),
    ]);
    return { hostname, facts, keys: key === undefined ? [] : [key], ...(userData && { userData }) };
  };
}

/** The header that carries the token; none where the service knows no tokens. */
async function sessionToken(context: ProviderContext): Promise<Readonly<Record<string, string>>> {
  try {
    const response = await new MetadataService(SERVICE, context).send('/latest/api/token', {
      method: 'PUT',
      headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '300' },
      attempts: 1,
      signal: context.lookSignal,
    });
    const token = textOf(response);
    if (response.status === 200 && /^[\x21-\x7e]+$/.test(token)) return { 'x-aws-ec2-metadata-token': token };
  } catch (error) {
    if (context.signal?.aborted) throw error;
    // Asked without a token, the service says itself whether it is there.
  }
  return {};
}
