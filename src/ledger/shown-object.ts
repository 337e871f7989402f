// An object of a tree as JSON for people and programs; of a file that holds secrets not even the digest.

import { jsonOfObject, type ObjectJson } from '../overlay/rebase/object-json.ts';
import type { TreeObject } from '../overlay/rebase/tree-object.ts';
import { isSecretPath } from '../system/secret-paths.ts';

/** The object without its digest where its path is that of a secret. */
export function withoutSecret(path: string, object: TreeObject): TreeObject {
  if (!isSecretPath(path)) return object;
  const { digest: _, ...rest } = object;
  return rest;
}

/** @param path absolute, as text. */
export function shownObject(path: string, object: TreeObject): ObjectJson {
  return jsonOfObject(withoutSecret(path, object));
}
