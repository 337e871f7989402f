// What carries out one key of a step. Each key is one file of this folder with one line in all.ts; its type comes from
// the schema in cloudconfig/stepkeys.ts.

import type { ActionKey, StepValues } from '../../cloudconfig/stepkeys.ts';
import type { HttpClient } from '../../system/http.ts';
import type { Facts } from '../facts.ts';
import type { PackageStore } from '../packages/store.ts';
import type { AdmitImage } from '../result.ts';
import type { ShellContext } from '../shell.ts';

/** What a key may use while it is carried out. */
export interface StepContext extends ShellContext {
  facts: Facts;
  /** How web servers are reached. */
  http: HttpClient;
  /** Refuses images of registries that may not come in unverified, by throwing. */
  admitImage: AdmitImage | undefined;
  /** Keeps package files; absent where the package manager is left to itself. */
  packageStore: PackageStore | undefined;
  /** All keys of the step, for keys that belong together. */
  values: StepValues;
  /** Lists a warning with the step's place. */
  warn: (message: string) => void;
  /** Lists a failure and lets the key go on with its next part. */
  fail: (error: unknown) => void;
  /** Lists a path, inside the root, that was created or changed. */
  changed: (path: string) => void;
  /** The same for a file of which only a part is the step's: the rest may be the owner's. */
  edited: (path: string) => void;
  /** The same for a link that was made or removed. */
  linked: (path: string) => void;
}

export type StepValue<K extends ActionKey> = NonNullable<StepValues[K]>;

export interface StepHandler<K extends ActionKey = ActionKey> {
  key: K;
  /** What it would do, one line per part, for a plan. */
  describe: (value: StepValue<K>) => string[];
  /** Carries it out; what it throws is one more failure of the key. */
  apply: (value: StepValue<K>, context: StepContext) => Promise<void> | void;
}

/** Carries out a part of a key: what it throws is a failure of the key, and the next part has its turn. */
export async function attempt({ fail }: Pick<StepContext, 'fail'>, part: () => Promise<void> | void): Promise<void> {
  try {
    await part();
  } catch (error) {
    fail(error);
  }
}

/** A handler whose key is bound: the engine asks it with a whole step. */
export interface BoundHandler {
  key: ActionKey;
  describe: (values: StepValues) => string[];
  apply: (context: StepContext) => Promise<void>;
}

/** Binds a handler to its key. */
export function bind<K extends ActionKey>(handler: StepHandler<K>): BoundHandler {
  const { key } = handler;
  const ownValue = (values: StepValues): StepValue<K> | undefined => values[key] ?? undefined;
  return {
    key,
    describe: (values) => {
      const value = ownValue(values);
      return value === undefined ? [] : handler.describe(value);
    },
    apply: async (context) => {
      const value = ownValue(context.values);
      if (value !== undefined) await handler.apply(value, context);
    },
  };
}
