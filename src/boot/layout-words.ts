// The words of layout settings: devices, places, overlays. What comes from files and the command line of a machine may be
// anything; only what can't surprise mount(8), fstab or a terminal passes.

/** A file system that is mounted as it is. */
export interface Volume {
  /** `LABEL=…`, `UUID=…`, `PARTLABEL=…`, `PARTUUID=…` or a path below /dev. */
  device: string;
  /** Where in the new root, absolute and normalised. */
  mountPoint: string;
  /** Default: found out by mount(8). */
  type?: string;
  /** As for mount(8) `-o`; default: `defaults`. */
  options?: readonly string[];
}

/** Where ephemeral changes go. */
export type OverlayBase = { type: 'tmpfs'; size: string } | { type: 'device'; device: string };

export const DEFAULT_OVERLAY_SIZE = '20%';

/** Parses `LABEL=X:/path` and its kin; what follows the first colon is the mount point. */
export function parseVolume(text: string): Volume | undefined {
  const at = text.indexOf(':');
  const device = text.slice(0, Math.max(at, 0));
  const mountPoint = parsePlace(text.slice(at + 1));
  if (at < 0 || mountPoint === undefined || !isDevice(device)) return undefined;
  return { device, mountPoint };
}

/** Parses `tmpfs`, `tmpfs:SIZE` or a device; undefined for anything else. A size of 0 would mean no limit at all. */
export function parseOverlayBase(text: string): OverlayBase | undefined {
  if (isDevice(text)) return { type: 'device', device: text };
  const size = /^tmpfs(?::(0*[1-9]\d{0,14}[%kKmMgGtT]?))?$/.exec(text);
  return size === null ? undefined : { type: 'tmpfs', size: size[1] ?? DEFAULT_OVERLAY_SIZE };
}

export function isDevice(text: string): boolean {
  return (
    /^(?:(?:LABEL|UUID|PARTLABEL|PARTUUID)=.+|\/dev\/.+)$/s.test(text) &&
    !hasControlCharacter(text) &&
    !/\/\.{1,2}(?:\/|$)/.test(text) &&
    text.length <= 512
  );
}

/** Without double or trailing slashes; undefined for `/`, relative paths, paths that climb and those no kernel takes. */
export function parsePlace(path: string): string | undefined {
  const parts = path.split('/').filter((part) => part !== '');
  const odd = (part: string) => part === '.' || part === '..' || Buffer.byteLength(part) > 255;
  if (!path.startsWith('/') || parts.length === 0 || parts.some(odd)) return undefined;
  return hasControlCharacter(path) || path.length > 1024 ? undefined : `/${parts.join('/')}`;
}

/** Whether it can be in the options of an overlay mount, where these three separate or protect. */
export function fitsOverlayOption(path: string): boolean {
  return !/[:,\\]/.test(path);
}

/** Paths of a list; of what isn't one a problem says so. */
export function parsePaths(what: string, list: readonly string[], problems: string[]): string[] {
  return list.flatMap((word) => {
    const path = parsePlace(word);
    const usable = path !== undefined && fitsOverlayOption(path);
    if (!usable) problems.push(`${what}: ${shown(word)} is not an absolute path below / without any of : , \\`);
    return usable ? path : [];
  });
}

/** A word as a notice shows it: short, and with control characters as escapes. */
export function shown(word: string): string {
  const short = word.length > 100 ? `${word.slice(0, 100)}…` : word;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a terminal.
  return short.replace(/[\u0000-\u001f\u007f-\u009f]/g, (char) => {
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

function hasControlCharacter(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they break fstab lines and terminals.
  return /[\u0000-\u001f\u007f]/.test(text);
}
