// Which files are secrets by their names: what is missing here ends up in reports.

import { expect, test } from 'vitest';
import { isSecretPath } from '../../../src/system/secret-paths.ts';

test.each([
  '/etc/shadow',
  '/etc/shadow-',
  '/etc/gshadow',
  '/etc/security/opasswd',
  '/etc/ssh/ssh_host_ed25519_key',
  '/etc/ssl/private/server.pem',
  '/etc/pki/tls/private/a/b',
  '/etc/wireguard/wg0.conf',
  '/etc/NetworkManager/system-connections/home.nmconnection',
  '/etc/machine-id',
  '/etc/krb5.keytab',
  '/root/.ssh/id_rsa',
  '/home/ada/.ssh/work',
  '/home/ada/.aws/credentials',
  '/srv/app/.env',
  '/srv/app/.env.production',
  '/opt/app/secrets.yaml',
  '/opt/app/api-token',
  '/etc/rancher/k3s/k3s.yaml',
  '/var/lib/rancher/k3s/server/token',
  '/opt/tls.key',
  '/opt/kubeconfig',
])('%s is', (path) => {
  expect(isSecretPath(path)).toBe(true);
});

test.each([
  '/etc/passwd',
  '/etc/motd',
  '/etc/ssh/sshd_config',
  '/etc/ssh/ssh_host_ed25519_key.pub',
  '/root/.ssh/authorized_keys',
  '/home/ada/.ssh/known_hosts',
  '/etc/ssl/certs/ca.pem',
  '/usr/share/ca-certificates/mozilla/a.pem',
  '/usr/lib/python3/secrets.json',
  '/etc/apt/trusted.gpg.d/debian.asc',
  '/etc/keyboard',
])('%s isn’t', (path) => {
  expect(isSecretPath(path)).toBe(false);
});
