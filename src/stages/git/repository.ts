// A working tree that follows a branch of another repository. git of this machine does the work, on the tree's path
// inside the root: a mounted system may have neither git nor a network of its own. What is in the repository is data:
// its hooks don't run, submodules aren't entered, and only plain transports are allowed.

import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { HoldfastError } from '../../system/errors.ts';
import { withoutSecrets } from '../../system/http.ts';
import { run, tailOf } from '../../system/process.ts';
import { Root } from '../../system/root.ts';
import { commandEnvironment } from '../shell.ts';
import type { RepositoryAddress } from './address.ts';
import type { Credentials } from './credentials.ts';

/** git's own words for what `GIT_ALLOW_PROTOCOL` takes. */
const PROTOCOLS = 'file:git:http:https:ssh';

/** Where the repository of a new tree is put together: inside the tree, which may be a file system of its own. */
const ASIDE = '.holdfast-git-';

const SETTINGS = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  // Helpers of the machine might keep what they are told.
  'credential.helper=',
  'submodule.recurse=false',
  'fetch.recurseSubmodules=false',
  'advice.detachedHead=false',
  'init.defaultBranch=master',
  'gc.auto=0',
  'maintenance.auto=false',
  // A transfer that moves nothing for a minute is over.
  'http.lowSpeedLimit=1',
  'http.lowSpeedTime=60',
];

/** What is followed: a branch, a tag or, where the server names no branch, the commit that it stands at. */
export interface Target {
  /** On the server: `refs/heads/main`, `refs/tags/v1`, `HEAD`. */
  ref: string;
  commit: string;
}

export class Repository {
  readonly #tree: string;
  readonly #address: RepositoryAddress;
  readonly #credentials: Credentials;
  readonly #signal: AbortSignal | undefined;

  /** @param tree the working tree, as a path of this machine. */
  constructor(tree: string, address: RepositoryAddress, credentials: Credentials, signal: AbortSignal | undefined) {
    this.#tree = tree;
    this.#address = address;
    this.#credentials = credentials;
    this.#signal = signal;
  }

  get exists(): boolean {
    return statSync(join(this.#tree, '.git'), { throwIfNoEntry: false }) !== undefined;
  }

  /**
   * What the server has under the name of a branch or tag, or as its default; undefined for an empty repository.
   * @throws HoldfastError HF-CONFIG when there is no such branch or tag, HF-COMMAND when git fails.
   */
  async findTarget(branch: string): Promise<Target | undefined> {
    const patterns =
      branch === '' ? ['HEAD'] : [`refs/heads/${branch}`, `refs/tags/${branch}`, `refs/tags/${branch}^{}`];
    const text = await this.#git(['ls-remote', '--symref', '--', this.#address.url, ...patterns], { tree: false });
    const target = chooseTarget(text, branch);
    if (target !== undefined || branch === '') return target;
    throw new HoldfastError('HF-CONFIG', `${this.#shownUrl} has no branch or tag "${branch}"`);
  }

  /** Whether the tree stands at this commit, on this branch, with no change in a file that git knows. */
  async isAt({ ref, commit }: Target): Promise<boolean> {
    const head = await this.#git(['rev-parse', '--verify', '--quiet', 'HEAD'], { may: true });
    if (head.trim() !== commit) return false;
    const on = (await this.#git(['symbolic-ref', '--quiet', 'HEAD'], { may: true })).trim();
    if (on !== (ref.startsWith('refs/heads/') ? ref : '')) return false;
    return (await this.#git(['status', '--porcelain', '--untracked-files=no'])).trim() === '';
  }

  /**
   * Gets the target and makes the tree equal to it; files that git doesn't know stay. The repository of a new tree is
   * put together aside, so that a tree never has half of one.
   * @param only leaves the server's other branches out.
   */
  async update(target: Target, { only }: { only: boolean }): Promise<void> {
    if (!this.exists) await this.#create(target, only);
    else {
      this.#removeStaleLock();
      const known = (await this.#git(['remote', 'get-url', 'origin'], { may: true })).trim();
      if (known === '') await this.#git(['remote', 'add', 'origin', this.#address.url]);
      else if (known !== this.#address.url) await this.#git(['remote', 'set-url', 'origin', this.#address.url]);
      await this.#fetch(target, only, this.#tree);
    }
    const branch = target.ref.match(/^refs\/heads\/(.*)$/)?.[1];
    if (branch === undefined) await this.#git(['checkout', '--quiet', '--force', '--detach', target.commit]);
    else {
      await this.#git(['checkout', '--quiet', '--force', '--no-track', '-B', branch, `refs/remotes/origin/${branch}`]);
      await this.#git(['branch', '--quiet', `--set-upstream-to=origin/${branch}`]);
    }
  }

  async #create(target: Target, only: boolean): Promise<void> {
    const made = mkdirSync(this.#tree, { recursive: true });
    // What a killed one left.
    for (const name of readdirSync(this.#tree)) {
      if (name.startsWith(ASIDE)) rmSync(join(this.#tree, name), { recursive: true, force: true });
    }
    const aside = mkdtempSync(join(this.#tree, ASIDE));
    try {
      // Without the machine's template: its sample hooks are nothing that anybody asked for, and its live ones even less.
      await this.#git(['init', '--quiet', '--template=', aside], { tree: false });
      await this.#git(['remote', 'add', 'origin', this.#address.url], { tree: aside });
      await this.#fetch(target, only, aside);
      renameSync(join(aside, '.git'), join(this.#tree, '.git'));
    } finally {
      rmSync(aside, { recursive: true, force: true });
      if (made !== undefined && readdirSync(this.#tree).length === 0) rmdirSync(this.#tree);
    }
  }

  async #fetch({ ref }: Target, only: boolean, tree: string): Promise<void> {
    const branch = ref.match(/^refs\/heads\/(.*)$/)?.[1];
    const refspecs = [
      branch === undefined ? (ref === 'HEAD' ? 'HEAD' : `+${ref}:${ref}`) : `+${ref}:refs/remotes/origin/${branch}`,
      ...(only ? [] : ['+refs/heads/*:refs/remotes/origin/*']),
    ];
    const fetch = ['fetch', '--quiet', '--no-recurse-submodules', '--update-head-ok', 'origin', ...refspecs];
    await this.#git(fetch, { tree });
  }

  /** A power cut in the middle of a change leaves git's lock, which git then respects for ever. */
  #removeStaleLock(): void {
    const lock = join(this.#tree, '.git/index.lock');
    const stats = statSync(lock, { throwIfNoEntry: false });
    if (stats !== undefined && stats.mtimeMs < Date.now() - uptime() * 1000) rmSync(lock, { force: true });
  }

  get #shownUrl(): string {
    return this.#address.kind === 'http' ? withoutSecrets(this.#address.url) : this.#address.url;
  }

  /** @param may whether git may fail, which then is an empty answer. */
  async #git(
    args: readonly string[],
    { may = false, tree = this.#tree }: { may?: boolean; tree?: string | false } = {},
  ): Promise<string> {
    const settings = [...SETTINGS, ...this.#credentials.settings].flatMap((setting) => ['-c', setting]);
    const where = tree === false ? [] : ['-C', tree];
    const result = await run(['git', ...settings, ...where, ...args], {
      env: { ...gitEnvironment(), ...this.#credentials.environment },
      cwd: '/',
      signal: this.#signal,
      maxOutputBytes: 1 << 20,
    });
    if (result.status === 0) return result.stdout;
    if (may) return '';
    const how = result.status === null ? `was ended by ${result.signal}` : `failed with status ${result.status}`;
    throw new HoldfastError('HF-COMMAND', `git ${args[0]} of ${this.#shownUrl} ${how}`, {
      outputTail: this.#conceal(tailOf(result.stderr)),
      ...hintFor(result.stderr),
    });
  }

  #conceal(text: string): string {
    return this.#credentials.secrets.reduce((shown, secret) => shown.replaceAll(secret, '…'), text);
  }
}

/** Reads what `git ls-remote --symref` prints. */
export function chooseTarget(text: string, branch: string): Target | undefined {
  const refs = new Map<string, string>();
  let symbolic: string | undefined;
  for (const line of text.split('\n')) {
    const [value = '', ref = ''] = line.split('\t');
    if (value.startsWith('ref: ') && ref === 'HEAD') symbolic = value.slice(5);
    else if (/^[0-9a-f]{40,64}$/.test(value)) refs.set(ref, value);
  }
  if (branch === '') {
    const commit = refs.get('HEAD');
    if (commit === undefined) return undefined;
    return { ref: symbolic?.startsWith('refs/heads/') ? symbolic : 'HEAD', commit };
  }
  const head = refs.get(`refs/heads/${branch}`);
  if (head !== undefined) return { ref: `refs/heads/${branch}`, commit: head };
  // Of an annotated tag, the commit that it stands for.
  const tag = refs.get(`refs/tags/${branch}^{}`) ?? refs.get(`refs/tags/${branch}`);
  return tag === undefined ? undefined : { ref: `refs/tags/${branch}`, commit: tag };
}

/** This machine's environment without what would lead git elsewhere. */
function gitEnvironment(): NodeJS.ProcessEnv {
  const machine = Object.entries(commandEnvironment(new Root('/')));
  return {
    ...Object.fromEntries(machine.filter(([name]) => !/^(?:GIT_|SSH_ASKPASS|DISPLAY$)/.test(name))),
    GIT_TERMINAL_PROMPT: '0',
    GIT_ALLOW_PROTOCOL: PROTOCOLS,
    LC_ALL: 'C',
  };
}

function hintFor(stderr: string): { hint?: string } {
  if (/Host key verification failed/.test(stderr)) {
    return { hint: "the server's key is not known: give it as auth.public_key (ssh-keyscan HOST prints it)" };
  }
  if (/dubious ownership/.test(stderr))
    return { hint: 'the directory belongs to another user than the one that runs this' };
  if (/could not read Username|Authentication failed/.test(stderr)) {
    return { hint: 'the server wants auth.username and auth.password, or refuses the ones that are given' };
  }
  return {};
}
