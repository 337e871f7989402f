// What user data is: a cloud-config, scripts, both in one message, or something else; packed or not. Pure: bytes in,
// parts out. Templates in it are left alone; they have their turn when its steps run.

import { gunzipSync } from 'node:zlib';
import { parseCloudConfig } from '../../cloudconfig/document.ts';
import { HoldfastError } from '../../system/errors.ts';
import { parseMultipart } from './mime.ts';

const MAX_UNPACKED_BYTES = 64 << 20;
/** gzip in gzip is a mistake; more of it is an attack. */
const MAX_LAYERS = 3;

export interface UserData {
  /** What the other files are named after: the cloud-config, else the first script, else all of it. */
  main: Buffer;
  cloudConfig?: Buffer;
  /** In the order in which they are to run. */
  scripts: readonly Buffer[];
  /** What is in it and isn't used. */
  unused: readonly string[];
}

/** Types that say nothing, so that the content is looked at instead. */
const VAGUE = new Set(['', 'text/plain', 'text/x-not-multipart', 'application/octet-stream', 'application/gzip']);
const CLOUD_CONFIG = new Set([
  'text/cloud-config',
  'application/x-yaml',
  'text/yaml',
  'text/x-yaml',
  'application/yaml',
]);

/**
 * @throws HoldfastError HF-CONFIG when it is packed and can't be unpacked.
 */
export function readUserData(bytes: Uint8Array): UserData {
  const whole = unpack(Buffer.from(bytes));
  const message = parseMultipart(whole);
  const parts = message ?? [{ type: '', content: whole }];
  const unused: string[] = [];
  const scripts: Buffer[] = [];
  let cloudConfig: Buffer | undefined;
  for (const part of parts) {
    const content = unpack(part.content);
    if (content.length === 0) continue;
    const kind = kindOf(part.type, content);
    if (kind === 'script') scripts.push(content);
    // yip: the first one counts.
    else if (kind === 'cloud-config' && cloudConfig === undefined) cloudConfig = content;
    else if (message !== undefined) unused.push(describePart(part, kind));
  }
  return {
    main: cloudConfig ?? scripts[0] ?? whole,
    ...(cloudConfig && { cloudConfig }),
    scripts,
    unused,
  };
}

function kindOf(type: string, content: Buffer): 'cloud-config' | 'script' | 'other' {
  if (CLOUD_CONFIG.has(type)) return 'cloud-config';
  // Also text/x-shellscript-per-boot and its like.
  if (type.startsWith('text/x-shellscript')) return 'script';
  if (!VAGUE.has(type)) return 'other';
  if (content.subarray(0, 2).toString('latin1') === '#!') return 'script';
  return isCloudConfig(content) ? 'cloud-config' : 'other';
}

/** Whether a stage can read it: a mapping in YAML. What is wrong inside is told when it runs. */
function isCloudConfig(content: Buffer): boolean {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(content);
    return text.trim() !== '' && parseCloudConfig(text, 'user data').document !== undefined;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

function describePart({ type, name }: { type: string; name?: string }, kind: string): string {
  const what =
    name === undefined ? `a part of type ${type || 'text/plain'}` : `the part ${JSON.stringify(name)} (${type})`;
  return kind === 'cloud-config' ? `${what}: only the first cloud-config is used` : what;
}

function unpack(bytes: Buffer): Buffer {
  let result = bytes;
  for (let layer = 0; isGzip(result); layer++) {
    if (layer >= MAX_LAYERS) throw new HoldfastError('HF-CONFIG', 'the user data is packed too many times');
    try {
      result = gunzipSync(result, { maxOutputLength: MAX_UNPACKED_BYTES });
    } catch (cause) {
      throw new HoldfastError('HF-CONFIG', 'the user data looks like gzip and can not be unpacked', { cause });
    }
  }
  return result;
}

function isGzip(bytes: Buffer): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}
