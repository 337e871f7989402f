// The answers of the installer as a stage file for /oem: ordinary steps, which their owner can read and change later.
// Pure. Every value was checked before (checks.ts); the writer quotes what YAML would take for something else.

import { writeStageFile } from '../../cloudconfig/yamlwriter.ts';
import { addressOf } from '../../stages/accounts/keysource.ts';
import type { Answers } from './answers.ts';

const COMMENT = `Made by holdfast installer. It is an ordinary stage file: change it as you like.
holdfast validate FILE checks it; what it says counts from the next boot on.`;

/**
 * @param options.hash makes a password the hash that is written.
 * @param options.groups what the user is in.
 * @param options.shell the user's; default: the system's own default.
 */
export function stageFileOf(
  answers: Answers,
  options: { hash: (password: string) => string; groups: readonly string[]; shell?: string | undefined },
): string {
  const { hostname, user, password, keys, timezone, keymap } = answers;
  const fetched = keys.filter((key) => addressOf(key) !== undefined);
  const pasted = keys.filter((key) => addressOf(key) === undefined);
  const isRoot = user === 'root';
  const account = {
    ...(password === '' ? {} : { passwd: options.hash(password) }),
    ...(isRoot || options.groups.length === 0 ? {} : { groups: [...options.groups] }),
    ...(isRoot || options.shell === undefined ? {} : { shell: options.shell }),
  };
  const firstboot = {
    ...(timezone === '' ? {} : { timezone }),
    ...(keymap === '' ? {} : { keymap }),
  };
  const initramfs = [
    { name: 'Host name', hostname },
    {
      name: 'Who may log in',
      users: { [user]: account },
      ...(pasted.length > 0 ? { authorized_keys: { [user]: pasted } } : {}),
    },
    ...(Object.keys(firstboot).length > 0
      ? [{ name: 'Time zone and keyboard', systemd_firstboot: { ...firstboot, force: true } }]
      : []),
    ...(answers.network === 'static' ? staticNetwork(answers) : []),
  ];
  const network =
    fetched.length > 0 ? { network: [{ name: 'Keys from the network', authorized_keys: { [user]: fetched } }] } : {};
  return writeStageFile({ name: 'What the installer was told', stages: { initramfs, ...network } }, COMMENT);
}

/** One step for each program that may be in charge of the network; the system has one of them. */
function staticNetwork({ interface: name, address, gateway, dns }: Answers): Record<string, unknown>[] {
  const lines = (...text: readonly (string | false)[]) => `${text.filter((line) => line !== false).join('\n')}\n`;
  const family = address.includes(':') ? 'ipv6' : 'ipv4';
  const servers = (six: boolean) => dns.filter((server) => server.includes(':') === six);
  const ipSection = (six: boolean): (string | false)[] => [
    `[${six ? 'ipv6' : 'ipv4'}]`,
    ...((family === 'ipv6') === six
      ? ['method=manual', `address1=${address}${gateway === '' ? '' : `,${gateway}`}`]
      : [six ? 'method=auto' : 'method=disabled']),
    servers(six).length > 0 &&
      `dns=${servers(six)
        .map((server) => `${server};`)
        .join('')}`,
  ];
  const file = (path: string, permissions: number, content: string) => ({ path, permissions, content });
  return [
    {
      name: 'Network: systemd-networkd',
      if: '[ -x /lib/systemd/systemd-networkd ] && [ ! -x /usr/sbin/NetworkManager ]',
      directories: [{ path: '/etc/systemd/network', permissions: 0o755 }],
      files: [
        file(
          '/etc/systemd/network/05-installer.network',
          0o644,
          lines(
            '[Match]',
            `Name=${name}`,
            '',
            '[Network]',
            `Address=${address}`,
            gateway !== '' && `Gateway=${gateway}`,
            ...dns.map((server) => `DNS=${server}`),
          ),
        ),
      ],
    },
    {
      name: 'Network: NetworkManager',
      if: '[ -x /usr/sbin/NetworkManager ]',
      directories: [{ path: '/etc/NetworkManager/system-connections', permissions: 0o700 }],
      files: [
        file(
          '/etc/NetworkManager/system-connections/installer.nmconnection',
          0o600,
          lines(
            '[connection]',
            'id=installer',
            'type=ethernet',
            `interface-name=${name}`,
            'autoconnect-priority=10',
            '',
            ...ipSection(false),
            '',
            ...ipSection(true),
          ),
        ),
      ],
    },
    {
      name: 'Network: wicked',
      if: '[ -x /usr/sbin/wicked ] && [ -d /etc/sysconfig/network ]',
      files: [
        file(
          `/etc/sysconfig/network/ifcfg-${name}`,
          0o600,
          lines("BOOTPROTO='static'", "STARTMODE='auto'", `IPADDR='${address}'`),
        ),
        ...(gateway === ''
          ? []
          : [file(`/etc/sysconfig/network/ifroute-${name}`, 0o600, `default ${gateway} - ${name}\n`)]),
      ],
      ...(dns.length > 0 ? { dns: { nameservers: [...dns] } } : {}),
    },
  ];
}
