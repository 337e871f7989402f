// `vmware`: values that the host keeps for its guest. The originals talk to the hypervisor's port, which JavaScript
// can't; VMware's own programs, one of which its guests have, do that instead.

import { gunzipSync } from 'node:zlib';
import { decodeBase64 } from '../../cloudconfig/scalar.ts';
import { HoldfastError } from '../../system/errors.ts';
import { commandEnvironment } from '../shell.ts';
import type { Provider, ProviderContext } from './provider.ts';

const PROGRAMS: readonly { path: string; query: (text: string) => readonly string[] }[] = [
  { path: '/usr/bin/vmware-rpctool', query: (text) => [text] },
  { path: '/usr/bin/vmtoolsd', query: (text) => ['--cmd', text] },
  { path: '/usr/sbin/vmtoolsd', query: (text) => ['--cmd', text] },
];

const MAX_BYTES = 16 << 20;
const TIMEOUT_MS = 5000;

export const vmware: Provider = {
  name: 'vmware',
  isLocal: true,
  async find(context) {
    const program = PROGRAMS.find(({ path }) => context.root.exists(path));
    if (program === undefined) return undefined;
    const ask = (key: string) => askHost(program, key, context);
    const values = { metadata: await ask('metadata'), userdata: await ask('userdata') };
    if (!isData(values.metadata) && !isData(values.userdata)) return undefined;
    return async () => {
      const decoded = async (key: string, value: string) => {
        if (!isData(value)) return undefined;
        try {
          return decodeValue(value, await ask(`${key}.encoding`), key);
        } catch (error) {
          context.fail(error);
          return undefined;
        }
      };
      const facts = new Map<string, string>();
      for (const [key, value] of [
        ['vendordata', await ask('vendordata')],
        ['metadata', values.metadata],
      ] as const) {
        const bytes = await decoded(key, value);
        if (bytes !== undefined) facts.set(key, Buffer.from(bytes).toString('utf8'));
      }
      const userData = await decoded('userdata', values.userdata);
      return { facts, ...(userData && { userData }) };
    };
  },
};

/** `---` is what tools write that can't remove a value. */
function isData(value: string): boolean {
  return value.length > 1 && value.trim() !== '---';
}

/** A value of the host, as it stands there; empty when there is none or nobody to ask. */
async function askHost(
  { path, query }: (typeof PROGRAMS)[number],
  key: string,
  { root, env, signal }: ProviderContext,
): Promise<string> {
  const result = await root.run([path, ...query(`info-get guestinfo.${key}`)], {
    env: commandEnvironment(root, env),
    signal,
    timeoutMs: TIMEOUT_MS,
    maxOutputBytes: MAX_BYTES,
  });
  // Both programs end the value with a line end of their own.
  return result.status === 0 ? result.stdout.replace(/\n$/, '') : '';
}

/**
 * The bytes of a value by its encoding; none, or the single space of the originals, is plain text.
 * @throws HoldfastError HF-CONFIG when the value isn't what the encoding says.
 */
export function decodeValue(value: string, encoding: string, key: string): Uint8Array {
  const name = encoding.trim().toLowerCase();
  if (name === '') return Buffer.from(value, 'utf8');
  const packed = ['gzip+base64', 'gz+b64', 'gzip+b64', 'gz+base64'].includes(name);
  if (!packed && name !== 'base64' && name !== 'b64') {
    throw new HoldfastError('HF-CONFIG', `guestinfo.${key}.encoding is ${JSON.stringify(encoding)}`, {
      hint: 'known: base64, gzip+base64, or none for plain text',
    });
  }
  const bytes = decodeBase64(value);
  if (bytes === undefined) throw new HoldfastError('HF-CONFIG', `guestinfo.${key} is not valid base64`);
  if (!packed) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_BYTES });
  } catch (cause) {
    throw new HoldfastError('HF-CONFIG', `guestinfo.${key} is not valid gzip data`, { cause });
  }
}
