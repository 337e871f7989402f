// What gives a new machine its name, its keys and its user data: a cloud's metadata service, a medium, a file. Each
// provider is one file of this folder. Looking for one costs little and changes nothing; what it has is fetched from
// the one that is chosen only.

import type { HttpClient } from '../../system/http.ts';
import type { Root } from '../../system/root.ts';

/** What a provider has for this machine. */
export interface Instance {
  hostname?: string;
  /** Facts by the name of their file below /run/config. */
  facts: ReadonlyMap<string, string>;
  /** Keys that may log in; absent where the provider has no place for them or didn't say. */
  keys?: readonly string[];
  userData?: Uint8Array;
}

export interface ProviderContext {
  root: Root;
  http: HttpClient;
  signal?: AbortSignal | undefined;
  /** Aborted as soon as another provider is chosen; for looking only. */
  lookSignal?: AbortSignal | undefined;
  env?: Readonly<Record<string, string>> | undefined;
  /** What is odd, for the result. */
  warn: (message: string) => void;
  /** What can't be used of what it has; the rest is. */
  fail: (error: unknown) => void;
  /** The step's `path`, which is a file for the provider of that name. */
  path: string;
  media: MediaPlaces;
}

/** Where this machine shows its block devices. */
export interface MediaPlaces {
  /** `/sys/class/block` */
  devices: string;
  /** `/dev` */
  nodes: string;
}

/** Fetches what the provider has. */
export type Fetch = () => Promise<Instance>;

export interface Provider {
  name: string;
  /** Found on the machine itself, without a network. */
  isLocal?: boolean;
  /** Looks whether this machine has it; undefined when it hasn't. */
  find: (context: ProviderContext) => Promise<Fetch | undefined> | Fetch | undefined;
}
