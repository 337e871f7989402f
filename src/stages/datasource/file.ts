// `file`: user data that lies in the root already, at the step's `path`.

import { readFileSync } from 'node:fs';
import type { Provider } from './provider.ts';

export const file: Provider = {
  name: 'file',
  isLocal: true,
  find({ root, path }) {
    // Beside other providers, `path` is the directory that user data goes to.
    if (path === '' || !root.stat(path)?.isFile()) return undefined;
    return async () => ({ facts: new Map(), userData: readFileSync(root.resolve(path)) });
  },
};
