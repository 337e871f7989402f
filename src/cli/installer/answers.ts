// What the installer asks for, and what it knows of the machine while it asks. Plain data: questions, the stage file and
// the tests share it.

/** A disk that the system could be installed on, or that is shown with the reason why not. */
export interface DiskOffer {
  /** `/dev/vda` */
  path: string;
  sizeBytes: number;
  model: string;
  /** What is on it, as the installer judges it. */
  content: 'nothing' | 'unfinished' | 'system' | 'partitions' | 'other';
  /** Labels of what is on it. */
  labels: readonly string[];
  /** Why nothing is installed there; undefined when it can be chosen. */
  refusal?: string | undefined;
}

/** The machine and its medium, as far as questions depend on them. */
export interface Machine {
  disks: readonly DiskOffer[];
  /** Network interfaces with hardware behind them. */
  interfaces: readonly string[];
  /** Time zones of the medium's system; empty where it has none to choose from. */
  zones: ReadonlySet<string>;
  /** Keyboard layouts for the console; empty where it has none. */
  keymaps: ReadonlySet<string>;
  /** Accounts that the image has itself. */
  accounts: ReadonlySet<string>;
  /** Those of the groups `sudo` and `wheel` that the image has. */
  adminGroups: readonly string[];
  /** The shell of new users; undefined for the system's own default. */
  shell: string | undefined;
  /** What the medium's own system calls itself; undefined where this is no live system. */
  mediumSystem: string | undefined;
}

export interface Answers {
  disk: string;
  hostname: string;
  user: string;
  /** As it was typed; empty for none. It is hashed before anything is written. */
  password: string;
  passwordAgain: string;
  /** Keys, `github:NAME`, `gitlab:NAME` or addresses. */
  keys: readonly string[];
  network: 'dhcp' | 'static';
  interface: string;
  /** With the length of the prefix: `192.0.2.10/24`. */
  address: string;
  /** Empty for none. */
  gateway: string;
  dns: readonly string[];
  timezone: string;
  /** Empty for the image's own. */
  keymap: string;
  /** In the words of `--system`; empty for the medium's own. */
  image: string;
  end: 'reboot' | 'poweroff' | 'stay';
}

export type GivenAnswers = { [K in keyof Answers]?: Answers[K] | undefined };
