// The kernel command line: its words as the kernel splits them, and the arguments that this program reads, under the
// spellings of cOS (rd.cos.*), immucore (rd.immucore.*) and Elemental (elemental.*).

/** One word of the command line. `value` is absent for a word without `=`. */
export interface KernelArgument {
  key: string;
  value?: string;
}

/** Splits a command line at spaces outside of double quotes, as the kernel does. Quotes are taken off. */
export function parseCommandLine(text: string): KernelArgument[] {
  const words: KernelArgument[] = [];
  for (const match of text.matchAll(/(?:"[^"]*(?:"|$)|[^\s"])+/g)) {
    const word = match[0].replaceAll('"', '');
    const at = word.indexOf('=');
    words.push(at < 0 ? { key: word } : { key: word.slice(0, at), value: word.slice(at + 1) });
  }
  return words;
}

/** What the mount layout takes from the command line. */
export interface LayoutArguments {
  /** `rd.cos.disable`: this program keeps out of the boot. */
  disabled: boolean;
  /** `rd.cos.debugrw`: the root is mounted writable. */
  debugRw: boolean;
  /** `rd.cos.overlay`, unparsed; the last one wins. */
  overlay?: string;
  /** Every `rd.cos.mount`, unparsed, in order. */
  mounts: readonly string[];
  /** `rd.cos.oemlabel`: the partition that the initramfs mounted at /oem for the stage rootfs. */
  oemLabel?: string;
  /** `elemental.oemlabel`: in Elemental it also stands for the volume at /oem. */
  elementalOemLabel?: string;
  /** `elemental.mode=recovery`. */
  recovery: boolean;
  /** `rd.cos.volumetimeout`: how long volumes may take to appear, in seconds; 0 to 1800. */
  volumeTimeoutSeconds?: number;
  /** `fsck.mode` and `fsck.repair` of systemd; `rd.skipfsck` of dracut is `skip`. */
  check: { mode: 'auto' | 'force' | 'skip'; repair: 'preen' | 'yes' | 'no' };
  /** `selinux=0`. */
  selinuxOff: boolean;
}

/** Reads the layout's arguments. Unknown words are none of its business and left alone. */
export function readLayoutArguments(commandLine: string): LayoutArguments {
  const mounts: string[] = [];
  const check: LayoutArguments['check'] = { mode: 'auto', repair: 'preen' };
  const found: Omit<LayoutArguments, 'mounts' | 'check'> = {
    disabled: false,
    debugRw: false,
    recovery: false,
    selinuxOff: false,
  };
  for (const { key, value } of parseCommandLine(commandLine)) {
    if (key === 'fsck.mode' && (value === 'force' || value === 'skip' || value === 'auto')) check.mode = value;
    else if (key === 'fsck.repair' && (value === 'preen' || value === 'yes' || value === 'no')) check.repair = value;
    else if (key === 'rd.skipfsck' && isOn(value)) check.mode = 'skip';
    else if (key === 'selinux') found.selinuxOff = value === '0';
    const [, family, name] = /^(rd\.cos|rd\.immucore|elemental)\.(.+)$/.exec(key) ?? [];
    if (name === 'disable') found.disabled = isOn(value);
    else if (name === 'debugrw') found.debugRw = isOn(value);
    if (value === undefined || name === undefined) continue;
    if (name === 'overlay') found.overlay = value;
    else if (name === 'mount') mounts.push(value);
    else if (name === 'oemlabel') found[family === 'elemental' ? 'elementalOemLabel' : 'oemLabel'] = value;
    else if (family === 'elemental' && name === 'mode') found.recovery = value === 'recovery';
    else if (name === 'volumetimeout' && /^\d{1,4}$/.test(value) && Number(value) <= 1800) {
      found.volumeTimeoutSeconds = Number(value);
    }
  }
  return { ...found, mounts, check };
}

/** dracut's rule for switches: present means on, unless it says 0, no or off. */
export function isOn(value: string | undefined): boolean {
  return value === undefined || !['0', 'no', 'off', 'false'].includes(value);
}
