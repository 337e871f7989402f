// Paths in JSON: text where they are text, as nearly all are; else the bytes as well, so that nothing is lost.

import type { TreePath } from '../../image/targettree.ts';
import { isRecord } from './json-value.ts';

export interface PathText {
  /** Begins with a slash. */
  path: string;
  /** Hexadecimal, without the slash; present where the name is no UTF-8. */
  pathBytes?: string;
}

export function textOfPath(path: TreePath): PathText {
  const bytes = Buffer.from(path, 'latin1');
  const text = bytes.toString('utf8');
  if (Buffer.from(text, 'utf8').equals(bytes)) return { path: `/${text}` };
  return { path: `/${text}`, pathBytes: bytes.toString('hex') };
}

/** The other way; undefined for what is no path inside a tree. */
export function pathOfText(value: unknown): TreePath | undefined {
  if (!isRecord(value)) return undefined;
  const { path, pathBytes } = value;
  if (typeof path !== 'string' || !path.startsWith('/')) return undefined;
  const bytes =
    typeof pathBytes === 'string' && /^([0-9a-f]{2})*$/.test(pathBytes)
      ? Buffer.from(pathBytes, 'hex')
      : Buffer.from(path.slice(1), 'utf8');
  const result = bytes.toString('latin1');
  if (result.includes('\0') || result.split('/').some((part) => part === '..' || part === '.')) return undefined;
  return result;
}
