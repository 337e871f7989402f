// The questions of the installer, in their order: what each asks, what it takes, what `?` says about it. Pure.

import { formatBytes } from '../../lifecycle/sizes.ts';
import type { DiskOffer, GivenAnswers, Machine } from './answers.ts';
import {
  type Checked,
  checkAddress,
  checkDns,
  checkGateway,
  checkHostname,
  checkImage,
  checkKey,
  checkKnown,
  checkPassword,
  checkUser,
} from './checks.ts';
import { contentWords } from './disk-choice.ts';

/** What an answer comes to. */
export type Heard =
  | { given: GivenAnswers; say?: readonly string[]; again?: boolean }
  | { problem: string; backTo?: QuestionId };

export type QuestionId = keyof GivenAnswers;

export interface Question {
  id: QuestionId;
  /** Lines above the prompt. */
  intro?: (machine: Machine, given: GivenAnswers) => readonly string[];
  prompt: string;
  /** Not echoed. */
  secret?: boolean;
  applies?: (machine: Machine, given: GivenAnswers) => boolean;
  /** What an empty line stands for, shown in brackets; undefined where an empty line is no answer. */
  initial?: (machine: Machine, given: GivenAnswers) => string | undefined;
  help: readonly string[];
  hear: (line: string, machine: Machine, given: GivenAnswers) => Heard;
}

function checked<T>(result: Checked<T>, give: (value: T) => GivenAnswers): Heard {
  return 'problem' in result ? result : { given: give(result.value) };
}

/** A disk as it is listed. */
export function diskLine({ path, sizeBytes, model }: DiskOffer): string {
  return `${path}  ${formatBytes(sizeBytes)}${model === '' ? '' : `  ${model}`}`;
}

const onDisk = ({ content, labels }: DiskOffer) =>
  `${contentWords(content)}${labels.length > 0 ? ` (${labels.join(', ')})` : ''}`;

function oneOf<T extends string>(line: string, words: readonly T[]): T | undefined {
  const typed = line.toLowerCase();
  return typed === '' ? undefined : words.find((word) => word.startsWith(typed));
}

const isStatic = (_: Machine, { network }: GivenAnswers) => network === 'static';

export const QUESTIONS: readonly Question[] = [
  {
    id: 'disk',
    prompt: 'Disk to install on, a number',
    intro: ({ disks }) => [
      'All that is on the disk will be erased.',
      ...offered(disks).flatMap((disk, index) => [`  ${index + 1}  ${diskLine(disk)}`, `     ${onDisk(disk)}`]),
      ...disks.flatMap((disk) =>
        disk.refusal === undefined ? [] : [`  -  ${diskLine(disk)}`, `     not offered: ${disk.refusal}`],
      ),
    ],
    initial: ({ disks }, { disk }) => {
      const index = offered(disks).findIndex(({ path }) => path === disk);
      return index < 0 ? undefined : String(index + 1);
    },
    help: [
      'The system gets all of this disk. Nothing is written before you have seen a summary and typed "erase".',
      'Disks that are in use are not offered, nor is the medium that this system runs from.',
    ],
    hear: (line, { disks }) => {
      const numbered = /^\d+$/.test(line) ? offered(disks)[Number(line) - 1] : undefined;
      const disk = numbered ?? disks.find(({ path }) => path === line || path === `/dev/${line}`);
      if (disk === undefined) return { problem: `There is no disk ${JSON.stringify(line)} in the list.` };
      if (disk.refusal !== undefined) return { problem: `${disk.path} can't be taken: ${disk.refusal}.` };
      const holds =
        disk.content === 'nothing' ? [] : [`${disk.path} is not empty: ${onDisk(disk)}. It will be erased.`];
      return { given: { disk: disk.path }, say: holds };
    },
  },
  {
    id: 'hostname',
    prompt: 'Host name',
    initial: (_, { hostname }) => hostname,
    help: [
      'The name of this machine in its network: letters, digits and hyphens, for example kelp or node-1.example.org.',
    ],
    hear: (line) => checked(checkHostname(line), (hostname) => ({ hostname })),
  },
  {
    id: 'user',
    prompt: 'User',
    initial: (_, { user }) => user ?? 'admin',
    help: ['Who may log in. Where the system has a group sudo or wheel, this user is in it.'],
    hear: (line, { accounts }) => checked(checkUser(line, accounts), (user) => ({ user })),
  },
  {
    id: 'password',
    prompt: 'Password (not shown; empty for none)',
    secret: true,
    help: ['Only its hash (SHA-512) is written to the disk. Without one an SSH key is needed.'],
    hear: (line) => checked(checkPassword(line), (password) => ({ password })),
  },
  {
    id: 'passwordAgain',
    prompt: 'The same password again',
    secret: true,
    applies: (_, { password }) => password !== '',
    help: ['It is asked for twice because it is not shown.'],
    hear: (line, _, { password }) => {
      if (line !== password) return { problem: 'The two are not the same.', backTo: 'password' };
      const short = [...line].length < 8 ? ['That is short; it is easily guessed.'] : [];
      return { given: { passwordAgain: line }, say: short };
    },
  },
  {
    id: 'keys',
    prompt: 'SSH key, empty when there is no other',
    intro: (_, { keys = [] }) => keys.map((key) => `  ${shownKey(key)}`),
    initial: () => '',
    help: [
      'Paste a public key (the line in ~/.ssh/id_ed25519.pub), or write github:NAME, gitlab:NAME or an https:// address:',
      'those are fetched when the installed system is online. Several are given one after the other; "none" takes them back.',
    ],
    hear: (line, _, { keys = [], password }) => {
      if (line.toLowerCase() === 'none') return { given: { keys: [] }, again: true };
      if (line === '') {
        if (keys.length > 0 || password !== '') return { given: { keys } };
        return { problem: 'There is no password: without a key nobody could log in.' };
      }
      const result = checkKey(line);
      if ('problem' in result) return result;
      return { given: { keys: [...keys.filter((key) => key !== result.value), result.value] }, again: true };
    },
  },
  {
    id: 'network',
    prompt: 'Network: dhcp or static',
    initial: (_, { network }) => network ?? 'dhcp',
    help: ['dhcp: a server in the network says which address this machine has. static: you say it.'],
    hear: (line, { interfaces }) => {
      const network = oneOf(line, ['dhcp', 'static']);
      if (network === undefined) return { problem: 'It is dhcp or static.' };
      if (network === 'static' && interfaces.length === 0) return { problem: 'No network interface was found here.' };
      return { given: { network } };
    },
  },
  {
    id: 'interface',
    prompt: 'Network interface',
    applies: isStatic,
    intro: ({ interfaces }) => [`  ${interfaces.join('  ')}`],
    initial: ({ interfaces }, given) => given.interface ?? interfaces[0],
    help: ['The network card that gets the address, by the name that Linux gives it.'],
    hear: (line, { interfaces }) =>
      interfaces.includes(line)
        ? { given: { interface: line } }
        : { problem: `There is no interface ${JSON.stringify(line)}; there is ${interfaces.join(', ')}.` },
  },
  {
    id: 'address',
    prompt: 'Address with prefix, for example 192.0.2.10/24',
    applies: isStatic,
    initial: (_, { address }) => address,
    help: ['The address of this machine and how many bits of it are the network’s: 255.255.255.0 is /24.'],
    hear: (line) => checked(checkAddress(line), (address) => ({ address })),
  },
  {
    id: 'gateway',
    prompt: 'Gateway',
    applies: isStatic,
    initial: (_, { gateway }) => gateway || 'none',
    help: ['The router to other networks; "none" where there is no other network.'],
    hear: (line, _, { address = '' }) => checked(checkGateway(line, address), (gateway) => ({ gateway })),
  },
  {
    id: 'dns',
    prompt: 'Name servers',
    applies: isStatic,
    initial: (_, { dns = [] }) => dns.join(' ') || 'none',
    help: ['Their addresses, with spaces between them; "none" where names aren’t needed.'],
    hear: (line) => checked(checkDns(line), (dns) => ({ dns })),
  },
  {
    id: 'timezone',
    prompt: 'Time zone',
    applies: ({ zones }) => zones.size > 0,
    initial: (_, { timezone }) => timezone ?? 'UTC',
    help: ['As AREA/CITY, for example Europe/Berlin. UTC is what servers usually have.'],
    hear: (line, { zones }) => checked(checkKnown(line, zones, 'time zone'), (timezone) => ({ timezone })),
  },
  {
    id: 'keymap',
    prompt: 'Keyboard layout of the console',
    applies: ({ keymaps }) => keymaps.size > 0,
    initial: (_, { keymap }) => keymap || 'us',
    help: ['The name of a layout, for example us, de or fr.'],
    hear: (line, { keymaps }) => checked(checkKnown(line, keymaps, 'keyboard layout'), (keymap) => ({ keymap })),
  },
  {
    id: 'image',
    prompt: 'System to install',
    initial: ({ mediumSystem }, { image }) => image || (mediumSystem === undefined ? undefined : 'medium'),
    intro: ({ mediumSystem }) => (mediumSystem === undefined ? [] : [`The medium has ${mediumSystem}.`]),
    help: [
      '"medium" is the system that runs now. Or an image: docker:REGISTRY/NAME:TAG, oci-layout:DIRECTORY:TAG.',
      'An image of a registry is verified as an upgrade to it would be.',
    ],
    hear: (line, { mediumSystem }) => {
      if (line === 'medium') {
        return mediumSystem === undefined ? { problem: 'This system runs from no medium.' } : { given: { image: '' } };
      }
      return checked(checkImage(line), (image) => ({ image }));
    },
  },
  {
    id: 'end',
    prompt: 'When it is done: reboot, poweroff or stay',
    initial: (_, { end }) => end ?? 'reboot',
    help: ['What happens to this machine after the install. "stay" leaves it as it is.'],
    hear: (line) => {
      const end = oneOf(line, ['reboot', 'poweroff', 'stay']);
      return end === undefined ? { problem: 'It is reboot, poweroff or stay.' } : { given: { end } };
    },
  },
];

function offered(disks: readonly DiskOffer[]): DiskOffer[] {
  return disks.filter(({ refusal }) => refusal === undefined);
}

/** A key short enough for a line. */
export function shownKey(key: string): string {
  return key.length <= 60 ? key : `${key.slice(0, 36)}…${key.slice(-20)}`;
}
