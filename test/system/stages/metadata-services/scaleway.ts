// Scaleway's service: assignments for everyone, user data only for clients with a privileged port.

import { NOT_FOUND, ok, type Service, userDataOf, value } from './service.ts';

export const scaleway: Service = ({ path, remotePort }, settings) => {
  const { hostname = 'scw-1', keys = [] } = settings;
  if (path === '/conf') {
    return ok(
      [
        'ID=7c6f1ee4-scw',
        `HOSTNAME=${hostname}`,
        "LOCATION='zone par1 platform 11'",
        'LOCATION_ZONE_ID=par1',
        'PRIVATE_IP=10.68.6.1',
        'PUBLIC_IP_ADDRESS=51.15.0.1',
        `SSH_PUBLIC_KEYS=${keys.length}`,
        ...keys.map((key, index) => `SSH_PUBLIC_KEYS_${index}_KEY='${key}'`),
        '',
      ].join('\n'),
    );
  }
  if (path !== '/user_data/cloud-init') return undefined;
  return remotePort < 1024 ? value(userDataOf(settings)) : { ...NOT_FOUND, status: 403 };
};
