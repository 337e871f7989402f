// A user's ~/.ssh/authorized_keys, changed by root in a directory that the user may change at the same time. It is held
// open and reached through /proc/self/fd, which is as near to openat(2) as Node comes: no link that appears meanwhile
// leads anywhere, and nothing that isn't the user's is read, written or given to them.

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import { errnoOf, HoldfastError } from '../../system/errors.ts';
import { Root } from '../../system/root.ts';
import type { User } from './database.ts';

const MAX_FILE_BYTES = 4 << 20;
/** sshd (StrictModes) doesn't look into files that others may write. */
const WRITABLE_BY_OTHERS = 0o022;

type Owner = Pick<User, 'name' | 'uid' | 'gid' | 'home'>;

/**
 * Adds to the file, and makes it and its directory where they are missing (0600 and 0700). Both belong to the user then.
 * @param additions what is to follow the text that is there; may be empty.
 * @returns the paths inside the root that were changed.
 * @throws HoldfastError HF-CONFIG when the home isn't there or the file isn't in the user's hands.
 */
export function extendKeyFile(given: Root, user: Owner, additions: (text: string) => string): string[] {
  // The kernel tells where an open directory really is.
  const root = new Root(realpathSync(given.directory));
  const home = root.resolve(user.home);
  if (user.home === '' || !root.stat(user.home)?.isDirectory()) {
    throw new HoldfastError('HF-CONFIG', `the home ${user.home || '(none)'} of ${user.name} isn't there`);
  }
  const changed: string[] = [];
  const directory = `${user.home.replace(/\/+$/, '')}/.ssh`;
  const directoryPath = root.resolve(directory);
  let held = hold(directoryPath);
  if (held === undefined) {
    makeDirectory(home, directoryPath, user);
    held = hold(directoryPath);
    changed.push(directory);
  }
  if (held === undefined) throw refusal(user, directory);
  try {
    claimDirectory(held, home, user, directory);
    if (ownDirectory(held.fd, user) && changed.length === 0) changed.push(directory);
    const file = `${directory}/authorized_keys`;
    const target = root.resolve(file);
    const elsewhere = dirname(target) === directoryPath ? undefined : hold(dirname(target));
    if (elsewhere === undefined && dirname(target) !== directoryPath) throw refusal(user, file);
    try {
      if (elsewhere !== undefined) claimDirectory(elsewhere, home, user, file);
      if (extendIn(elsewhere ?? held, basename(target), user, additions, file)) changed.push(file);
    } finally {
      if (elsewhere !== undefined) closeSync(elsewhere.fd);
    }
  } finally {
    closeSync(held.fd);
  }
  return changed;
}

/** A directory that is open: its descriptor, and how what is in it is reached. */
interface HeldDirectory {
  fd: number;
  path: string;
  at: (name: string) => string;
}

/** Opens exactly this directory, without following a link in the path's last part; undefined when it isn't there. */
function hold(path: string): HeldDirectory | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  const link = `/proc/self/fd/${fd}`;
  // Without /proc there is no protection against a user who changes the directory in this very moment.
  if (!existsSync('/proc/self/fd')) return { fd, path, at: (name) => `${path}/${name}` };
  if (readlinkSync(link) !== path) {
    closeSync(fd);
    throw new HoldfastError('HF-IO', `${path} was changed while it was opened`);
  }
  return { fd, path, at: (name) => `${link}/${name}` };
}

function makeDirectory(home: string, path: string, user: Owner): void {
  const parent = isInside(home, path) ? hold(dirname(path)) : undefined;
  if (parent === undefined) throw refusal(user, path);
  try {
    mkdirSync(parent.at(basename(path)), 0o700);
  } finally {
    closeSync(parent.fd);
  }
}

/** A link may lead out of the home only to what is the user's already. */
function claimDirectory({ fd, path }: HeldDirectory, home: string, user: Owner, what: string): void {
  if (!isInside(home, path) && fstatSync(fd).uid !== user.uid) throw refusal(user, what);
}

/** Whether anything had to be changed. */
function ownDirectory(fd: number, { uid, gid }: Owner): boolean {
  const stats = fstatSync(fd);
  const mode = stats.mode & 0o7777 & ~WRITABLE_BY_OTHERS;
  const chown = stats.uid !== uid || stats.gid !== gid;
  const chmod = (stats.mode & 0o7777) !== mode;
  if (chown) fchownSync(fd, uid, gid);
  if (chmod) fchmodSync(fd, mode);
  return chown || chmod;
}

function extendIn(
  directory: HeldDirectory,
  name: string,
  user: Owner,
  additions: (text: string) => string,
  what: string,
): boolean {
  const old = readOwn(directory.at(name), user, what);
  const before = old?.content ?? Buffer.alloc(0);
  const content = Buffer.concat([before, Buffer.from(additions(before.toString('utf8')), 'utf8')]);
  const mode = old === undefined ? 0o600 : old.stats.mode & 0o7777 & ~WRITABLE_BY_OTHERS;
  if (
    old?.content.equals(content) &&
    old.stats.uid === user.uid &&
    old.stats.gid === user.gid &&
    (old.stats.mode & 0o7777) === mode
  ) {
    return false;
  }
  const temporary = directory.at(`.${name}.${randomBytes(6).toString('hex')}.tmp`);
  const fd = openSync(temporary, 'wx', 0o600);
  try {
    const { uid, gid } = fstatSync(fd);
    writeFileSync(fd, content);
    if (uid !== user.uid || gid !== user.gid) fchownSync(fd, user.uid, user.gid);
    fchmodSync(fd, mode);
    fsyncSync(fd);
    renameSync(temporary, directory.at(name));
    fsyncSync(directory.fd);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
  return true;
}

/** A file of the user; undefined when there is none. A second name of somebody else's file isn't one. */
function readOwn(path: string, user: Owner, what: string): { content: Buffer; stats: Stats } | undefined {
  let fd: number;
  try {
    // Not blocking: a pipe would wait for its other end.
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile() || (stats.nlink > 1 && stats.uid !== user.uid)) throw refusal(user, what);
    if (stats.size > MAX_FILE_BYTES) {
      throw new HoldfastError('HF-CONFIG', `${what} is larger than ${MAX_FILE_BYTES >> 20} MiB and is left as it is`);
    }
    return { content: readFileSync(fd), stats };
  } finally {
    closeSync(fd);
  }
}

function isInside(home: string, path: string): boolean {
  return path.startsWith(home === '/' ? '/' : `${home}/`);
}

function refusal({ name }: Owner, what: string): HoldfastError {
  return new HoldfastError('HF-CONFIG', `${what} isn't ${name}'s own and is left as it is`, {
    hint: 'it is, or leads to, something outside of the home that belongs to somebody else',
  });
}
