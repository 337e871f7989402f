// Azure's instance metadata, which wants a header and a version, and its host, to which a machine reports.

import { NOT_FOUND, ok, type Service, table } from './service.ts';

const INSTANCE = '/metadata/instance';

export const azure: Service = ({ path, headers }, settings) => {
  const url = new URL(path, 'http://host');
  if (!url.pathname.startsWith(`${INSTANCE}/`)) return undefined;
  if (headers.metadata !== 'true')
    return { status: 400, body: '{ "error": "Bad request. Required metadata header not specified" }' };
  if (url.searchParams.get('api-version') === null || url.searchParams.get('format') !== 'text') {
    return { status: 400, body: '{ "error": "Bad request" }' };
  }
  return (
    table(url.pathname.slice(INSTANCE.length), {
      '/compute/vmId': '02aab8a4-74ef-476e-8182-f6d2ba4166a6',
      '/compute/name': settings.hostname ?? 'azure-1',
      '/compute/zone': '2',
      '/compute/publicKeys/0/keyData': settings.keys?.[0] && `${settings.keys[0]}\r\n`,
      // Unset values are empty, not missing.
      '/compute/userData': settings.userData ?? '',
      '/network/interface/0/ipv4/ipAddress/0/publicIpAddress': '192.0.2.21',
      '/network/interface/0/ipv4/ipAddress/0/privateIpAddress': '10.3.0.21',
    }) ?? NOT_FOUND
  );
};

const GOAL_STATE = `<?xml version="1.0" encoding="utf-8"?>
<GoalState xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <Version>2012-11-30</Version>
  <Incarnation>7</Incarnation>
  <Machine><ExpectedState>Started</ExpectedState></Machine>
  <Container>
    <ContainerId>3e1dd4a8-container</ContainerId>
    <RoleInstanceList>
      <RoleInstance><InstanceId>azure-1_IN_0</InstanceId><State>Started</State></RoleInstance>
    </RoleInstanceList>
  </Container>
</GoalState>`;

export const azureHost: Service = ({ path, method, headers, body }) => {
  if (!path.startsWith('/machine')) return undefined;
  if (headers['x-ms-version'] === undefined) return { status: 400, body: '' };
  if (path === '/machine?comp=goalstate' && method === 'GET') return ok(GOAL_STATE, { 'content-type': 'text/xml' });
  const ready =
    method === 'POST' &&
    path === '/machine?comp=health' &&
    /^text\/xml/.test(headers['content-type'] ?? '') &&
    ['<GoalStateIncarnation>7<', '<ContainerId>3e1dd4a8-container<', '<InstanceId>azure-1_IN_0<'].every((piece) =>
      body.includes(piece),
    );
  return ready ? ok('') : { status: 400, body: '' };
};
