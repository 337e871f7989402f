// The services that are tables of values: Hetzner, Google, DigitalOcean, Vultr, Equinix Metal and metaldata.

import { NOT_FOUND, ok, type Service, table, userDataOf } from './service.ts';

export const hetzner: Service = ({ path }, settings) =>
  table(path, {
    '/latest/meta-data/hostname': settings.hostname ?? 'htz-1',
    '/latest/meta-data/instance-id': '4711',
    '/latest/meta-data/public-ipv4': '198.51.100.7',
    '/latest/meta-data/local-ipv4': '10.0.0.7',
    '/latest/meta-data/public-keys': JSON.stringify(settings.keys ?? []),
    '/latest/user-data': userDataOf(settings),
  });

export const gcp: Service = ({ path, headers }, settings) => {
  if (!path.startsWith('/computeMetadata/v1/')) return undefined;
  if (headers['metadata-flavor'] !== 'Google') return { status: 403, body: 'Missing Metadata-Flavor:Google header.' };
  const answer = table(path, {
    '/computeMetadata/v1/instance/hostname': settings.hostname ?? 'vm-1.c.project-1.internal',
    '/computeMetadata/v1/project/attributes/ssh-keys': settings.keys?.map((key) => `user:${key}`).join('\n'),
    '/computeMetadata/v1/instance/attributes/user-data': userDataOf(settings),
  });
  return { ...(answer ?? NOT_FOUND), headers: { 'metadata-flavor': 'Google' } };
};

export const digitalocean: Service = ({ path }, settings) =>
  table(path, {
    '/metadata/v1/': 'id\nhostname\nuser-data\nvendor-data\npublic-keys\nregion\ninterfaces/\n',
    '/metadata/v1/hostname': settings.hostname ?? 'droplet-1',
    '/metadata/v1/id': '2756294',
    '/metadata/v1/region': 'nyc3',
    '/metadata/v1/interfaces/public/0/ipv4/address': '192.0.2.9',
    '/metadata/v1/interfaces/private/0/ipv4/address': undefined,
    '/metadata/v1/public-keys': settings.keys?.join('\n'),
    '/metadata/v1/user-data': userDataOf(settings),
  });

export const vultr: Service = ({ path }, settings) =>
  table(path, {
    '/v1/': 'hostname\ninstance-v2-id\ninstanceid\ninterfaces/\npublic-keys\nregion/\nuser-defined/\n',
    '/v1/hostname': settings.hostname ?? 'vultr-1',
    '/v1/instanceid': '9876',
    '/v1/interfaces/0/ipv4/address': '192.0.2.11',
    '/v1/interfaces/1/ipv4/address': '10.1.96.3',
    '/v1/interfaces/1/ipv4/netmask': '255.255.240.0',
    '/v1/region/regioncode': 'FRA',
    '/v1/public-keys': settings.keys?.join('\n'),
  });

export const packet: Service = ({ path }, settings) => {
  if (path === '/metadata') {
    const document = { id: '1', hostname: settings.hostname ?? 'metal-1', plan: 'x', ssh_keys: settings.keys ?? [] };
    return ok(JSON.stringify(document), { 'content-type': 'application/json' });
  }
  return path === '/userdata' ? ok(userDataOf(settings) ?? '') : undefined;
};

export const metaldata: Service = ({ path }, settings) =>
  table(path, {
    '/get/meta/hostname': settings.hostname ?? 'rack-1',
    '/get/meta/public-ipv4': '192.0.2.13',
    '/get/meta/private-ipv4': '10.2.0.13',
    '/get/meta/failure-domain': 'room-2',
    '/get/meta/machine-id': 'abc-1',
    '/get/meta/machine-type': 'big',
    '/get/meta/authorized-keys': settings.keys?.join('\n'),
    '/get/user': userDataOf(settings),
  });
