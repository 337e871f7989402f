// Whether what somebody typed can be used: each check returns the value, or a sentence that says why not. Pure; strict
// enough that no value can mean anything to YAML, to a template or to a network configuration but what it is.

import { BlockList, isIP } from 'node:net';
import { parseImageSource } from '../../image/reference.ts';
import { addressOf } from '../../stages/accounts/keysource.ts';
import { isGenuine, parsePublicKey } from '../../stages/accounts/publickey.ts';
import { HoldfastError } from '../../system/errors.ts';

export type Checked<T> = { value: T } | { problem: string };

const no = (problem: string): { problem: string } => ({ problem });

/** The kernel's limit (HOST_NAME_MAX). */
const LONGEST_HOSTNAME = 64;

/** RFC 1123, 2.1: letters, digits and hyphens, in parts of at most 63 that begin and end with none. */
export function checkHostname(text: string): Checked<string> {
  if (text === '') return no('A host name is needed.');
  if (text.length > LONGEST_HOSTNAME) return no(`A host name has ${LONGEST_HOSTNAME} characters at most.`);
  for (const part of text.split('.')) {
    if (part === '') return no('There must be something before and after each dot.');
    if (part.length > 63) return no('Between dots there are 63 characters at most.');
    const odd = /[^A-Za-z0-9-]/.exec(part)?.[0];
    if (odd !== undefined) return no(`A host name has letters, digits and hyphens, and no ${JSON.stringify(odd)}.`);
    if (part.startsWith('-') || part.endsWith('-')) return no('A host name neither begins nor ends with a hyphen.');
  }
  if (/^[0-9.]+$/.test(text)) return no('Digits alone would be taken for an address.');
  return { value: text };
}

/** What useradd(8) of every distribution takes. */
export function checkUser(text: string, accounts: ReadonlySet<string>): Checked<string> {
  if (text === '') return no('A user is needed: nobody could log in otherwise.');
  if (text.length > 32) return no('A user name has 32 characters at most.');
  if (!/^[a-z_]/.test(text)) return no('A user name begins with a small letter.');
  const odd = /[^a-z0-9_-]/.exec(text)?.[0];
  if (odd !== undefined) {
    return no(`A user name has small letters, digits, "-" and "_", and no ${JSON.stringify(odd)}.`);
  }
  if (text !== 'root' && accounts.has(text)) return no(`The system has an account ${text} of its own.`);
  return { value: text };
}

/** crypt(3) reads no more. */
const LONGEST_PASSWORD = 511;

export function checkPassword(text: string): Checked<string> {
  if (Buffer.byteLength(text) > LONGEST_PASSWORD) return no(`A password has ${LONGEST_PASSWORD} bytes at most.`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\x00-\x1f\x7f]/.test(text)) return no('There is a control character in it that no login prompt would take.');
  return { value: text };
}

/** One key, or where keys are fetched from. */
export function checkKey(text: string): Checked<string> {
  if (text.length > 16_384) return no('That is longer than a line that sshd reads.');
  if (!/^[\x20-\x7e]+$/.test(text)) return no('A key is one line of plain characters.');
  if (/[{}]/.test(text)) return no('Braces belong into no key and no address.');
  const key = parsePublicKey(text);
  if (key !== undefined) {
    if (key.options !== '') return no('Leave options out; a stage file can add them later.');
    if (!isGenuine(key)) return no('The key is damaged: was all of the line pasted?');
    return { value: text };
  }
  if (/PRIVATE KEY/.test(text)) return no('That is a private key. Keep it, and paste the one from the file .pub.');
  const problem = no('Paste a line such as "ssh-ed25519 AAAA…", or write github:NAME or https://…');
  try {
    const url = addressOf(text);
    if (url === undefined) return problem;
    const name = /^(?:github|gitlab):(.*)$/i.exec(text)?.[1];
    if (name !== undefined) {
      return /^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/.test(name) ? { value: text } : no('There is no such account name.');
    }
    if (!/^https:/i.test(url)) return no('Keys are fetched by https:// only: whoever is on the way could add his own.');
    if (!URL.canParse(url)) return problem;
    return { value: text };
  } catch (error) {
    if (error instanceof HoldfastError) return problem;
    throw error;
  }
}

/** An address with its prefix, as a network interface gets it. */
export function checkAddress(text: string): Checked<string> {
  const [address = '', prefix, rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || address.includes('%')) return no('That is no IP address.');
  const longest = family === 4 ? 32 : 128;
  const example = family === 4 ? `${address}/24` : `${address}/64`;
  if (prefix === undefined) return no(`The length of the network's prefix is missing, for example ${example}.`);
  if (rest !== undefined || !/^\d{1,3}$/.test(prefix) || Number(prefix) < 1 || Number(prefix) > longest) {
    return no(`The prefix is a number from 1 to ${longest}, for example ${example}.`);
  }
  if (/^(?:0|127|22[4-9]|2[3-5]\d)\./.test(address) || /^(?:::1?|ff.*)$/i.test(address)) {
    return no(`No machine in a network can have the address ${address}.`);
  }
  const length = Number(prefix);
  if (family === 4 && length < 31) {
    const host = ipv4(address) % 2 ** (32 - length);
    if (host === 0) return no(`${address} is the name of the whole network, not an address in it.`);
    if (host === 2 ** (32 - length) - 1) return no(`${address} is the network's broadcast address.`);
  }
  return { value: `${address}/${length}` };
}

function ipv4(text: string): number {
  return text.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
}

/** @param address the machine's own, with its prefix. */
export function checkGateway(text: string, address: string): Checked<string> {
  if (text === '' || text === '-' || text === 'none') return { value: '' };
  const family = isIP(text);
  if (family === 0 || text.includes('%'))
    return no('That is no IP address; "none" is for a network without a gateway.');
  const [own = '', prefix = ''] = address.split('/');
  if (isIP(own) !== family) return no(`The address is IPv${isIP(own)}, and so must the gateway's be.`);
  if (own === text) return no('That is the address of this machine itself.');
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const network = new BlockList();
  network.addSubnet(own, Number(prefix), type);
  // Of IPv6 the routers' link-local addresses are reached from every network.
  const isLinkLocal = family === 6 && /^fe[89ab]/i.test(text);
  if (!isLinkLocal && !network.check(text, type)) return no(`${text} is not in the network of ${address}.`);
  return { value: text };
}

/** Addresses, with spaces or commas between them. */
export function checkDns(text: string): Checked<readonly string[]> {
  const servers = text.split(/[\s,]+/).filter((word) => word !== '' && word !== 'none' && word !== '-');
  const odd = servers.find((word) => isIP(word) === 0 || word.includes('%'));
  if (odd !== undefined) return no(`${JSON.stringify(odd)} is no IP address; name servers are given by address.`);
  if (servers.length > 3) return no('Programs ask the first three name servers only: give three at most.');
  return { value: servers };
}

export function checkKnown(text: string, known: ReadonlySet<string>, what: string): Checked<string> {
  if (known.has(text)) return { value: text };
  const lower = text.toLowerCase();
  const near = [...known].find((each) => each.toLowerCase() === lower || each.toLowerCase().endsWith(`/${lower}`));
  return no(`There is no ${what} ${JSON.stringify(text)}${near === undefined ? '.' : `; is ${near} meant?`}`);
}

/** A reference as `--system` takes it. */
export function checkImage(text: string): Checked<string> {
  try {
    parseImageSource(text);
    return { value: text };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return no(`${error.message}.${error.hint === undefined ? '' : ` (${error.hint})`}`);
  }
}
