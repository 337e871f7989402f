// AWS' instance metadata service, version 2 required (401 without a token), and OpenStack's imitation, which knows no
// tokens.

import { type Answer, NOT_FOUND, ok, type Request, type Service, type Settings, table, userDataOf } from './service.ts';

const TOKEN = 'AQAEAF-token-of-the-session==';

export const aws: Service = (request, settings) => {
  if (request.path === '/latest/api/token') {
    const ttl = Number(request.headers['x-aws-ec2-metadata-token-ttl-seconds']);
    if (request.method !== 'PUT') return { status: 405, body: '' };
    if (!(ttl >= 1 && ttl <= 21_600)) return { status: 400, body: '' };
    return ok(TOKEN, { 'x-aws-ec2-metadata-token-ttl-seconds': String(ttl) });
  }
  if (!request.path.startsWith('/latest/')) return undefined;
  if (request.headers['x-aws-ec2-metadata-token'] !== TOKEN) return { status: 401, body: '' };
  return values(request, settings, 'ip-10-0-0-5.eu-west-1.compute.internal');
};

export const openstack: Service = (request, settings) => {
  if (!request.path.startsWith('/latest/')) return undefined;
  if (request.method !== 'GET') return { status: 405, body: 'Method not allowed' };
  return values(request, settings, 'node.novalocal');
};

function values({ path }: Request, settings: Settings, hostname: string): Answer {
  const { keys } = settings;
  return (
    table(path, {
      '/latest/meta-data/hostname': settings.hostname ?? hostname,
      '/latest/meta-data/local-hostname': settings.hostname ?? hostname,
      '/latest/meta-data/public-ipv4': '203.0.113.5',
      '/latest/meta-data/local-ipv4': '10.0.0.5',
      '/latest/meta-data/placement/availability-zone': 'eu-west-1a',
      '/latest/meta-data/instance-type': 't3.micro',
      '/latest/meta-data/instance-id': 'i-0123456789abcdef0',
      '/latest/meta-data/public-keys/': keys && '0=my-key',
      '/latest/meta-data/public-keys/0/openssh-key': keys?.[0] && `${keys[0]}\n`,
      '/latest/user-data': userDataOf(settings),
    }) ?? NOT_FOUND
  );
}
