// Addresses on the command line of a kernel that comes by way of a boot loader's script: words that neither of the two reads
// otherwise than they are written.

import { HoldfastError } from '../system/errors.ts';

/** What dracut's livenet fetches with curl. */
const PROTOCOLS = ['http:', 'https:', 'ftp:', 'tftp:'];

/**
 * The address under which the files of a network boot are served, with a slash at the end.
 * @throws HoldfastError HF-USAGE
 */
export function parseBaseAddress(text: string): string {
  const url = parseAddress('--url', text, PROTOCOLS);
  if (url.search !== '' || url.hash !== '') {
    throw unusable('--url', text, 'it is the address of a directory: nothing comes after its path');
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url.href;
}

/**
 * The address of a stage file. What is behind a question mark belongs to it; a machine's own values can be in it, as iPXE
 * writes them: `?mac=${mac}`.
 * @throws HoldfastError HF-USAGE
 */
export function parseConfigAddress(text: string): string {
  const settings: string[] = [];
  // They stand for words without spaces; iPXE puts their values in.
  const plain = text.replace(/\$\{[\w/.:-]+\}/g, (setting) => `ipxe-setting-${settings.push(setting) - 1}-`);
  const { href } = parseAddress('--cloud-config', plain, ['http:', 'https:']);
  return href.replace(/ipxe-setting-(\d+)-/g, (_, index) => settings[Number(index)] ?? '');
}

function parseAddress(flag: string, text: string, protocols: readonly string[]): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw unusable(flag, text, 'for example: http://192.168.1.10/netboot/');
  }
  if (!protocols.includes(url.protocol)) throw unusable(flag, text, `it begins with ${protocols.join('//, ')}//`);
  if (url.username !== '' || url.password !== '') {
    throw unusable(
      flag,
      `${url.protocol}//…@${url.host}`,
      'no password: every program of the machine sees it on its kernel’s command line',
    );
  }
  // Quotes group words for the kernel; iPXE takes the other for its own.
  if (/["'\\$\s]/.test(url.href)) throw unusable(flag, text, 'no quotes, no backslashes and no $');
  return url;
}

function unusable(flag: string, text: string, hint: string): HoldfastError {
  return new HoldfastError('HF-USAGE', `${flag} ${JSON.stringify(text)} can’t be used as an address`, { hint });
}
