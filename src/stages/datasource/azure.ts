// `azure`: values one by one as text, user data in base64; and, when all is fetched, the word to the host that the
// machine is ready, without which Azure takes its creation for failed.

import { decodeBase64 } from '../../cloudconfig/scalar.ts';
import { HoldfastError, messageOf } from '../../system/errors.ts';
import { MetadataService, textOf } from './metadata.ts';
import type { Provider, ProviderContext } from './provider.ts';

const SERVICE = 'http://169.254.169.254/metadata/instance/';
const QUERY = '?api-version=2021-01-01&format=text';
const HOST = 'http://168.63.129.16/machine';

const NETWORK = 'network/interface/0/ipv4/ipAddress/0';
const FACTS = [`${NETWORK}/publicIpAddress`, `${NETWORK}/privateIpAddress`, 'compute/zone', 'compute/vmId'];

export const azure: Provider = {
  name: 'azure',
  async find(context) {
    const service = new MetadataService(SERVICE, context, { metadata: 'true' });
    if ((await service.probe(`compute/vmId${QUERY}`)) === undefined) return undefined;
    return async () => {
      const [hostname, facts, key, userData] = await Promise.all([
        service.text(`compute/name${QUERY}`),
        service.facts(Object.fromEntries(FACTS.map((path) => [path.replaceAll('/', '_'), path + QUERY]))),
        service.text(`compute/publicKeys/0/keyData${QUERY}`),
        service.text(`compute/userData${QUERY}`),
      ]);
      await reportReady(context);
      const bytes = userData === undefined ? undefined : decodeBase64(userData);
      if (userData !== undefined && bytes === undefined) {
        context.fail(new HoldfastError('HF-NETWORK', "azure's user data is not valid base64"));
      }
      return {
        ...(hostname && { hostname }),
        facts,
        keys: key === undefined ? [] : [key.replace(/\s*\r?\n\s*/g, '')],
        ...(bytes && { userData: bytes }),
      };
    };
  },
};

async function reportReady(context: ProviderContext): Promise<void> {
  const host = new MetadataService(HOST, context, { 'x-ms-version': '2012-11-30' });
  try {
    const state = await host.send('?comp=goalstate');
    if (state.status !== 200) throw new Error(`its goal state has status ${state.status}`);
    const answer = await host.send('?comp=health', {
      method: 'POST',
      headers: { 'content-type': 'text/xml; charset=utf-8' },
      body: healthReport(textOf(state)),
    });
    if (answer.status !== 200) throw new Error(`it answered with status ${answer.status}`);
  } catch (error) {
    if (context.signal?.aborted) throw error;
    context.warn(`azure: the host could not be told that this machine is ready: ${messageOf(error)}`);
  }
}

/**
 * The report for a goal state: which one it answers, and for whom.
 * @throws Error when the goal state lacks one of the three.
 */
export function healthReport(goalState: string): string {
  const field = (name: string) => {
    const value = goalState.match(new RegExp(`<${name}>\\s*([\\w.{}:-]+)\\s*</${name}>`))?.[1];
    if (value === undefined) throw new Error(`its goal state has no ${name}`);
    return value;
  };
  return `<?xml version="1.0" encoding="utf-8"?>
<Health xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">
  <GoalStateIncarnation>${field('Incarnation')}</GoalStateIncarnation>
  <Container>
    <ContainerId>${field('ContainerId')}</ContainerId>
    <RoleInstanceList>
      <Role>
        <InstanceId>${field('InstanceId')}</InstanceId>
        <Health>
          <State>Ready</State>
        </Health>
      </Role>
    </RoleInstanceList>
  </Container>
</Health>
`;
}
