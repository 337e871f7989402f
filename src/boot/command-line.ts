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
}

/** Reads the layout's arguments. Unknown words are none of its business and left alone. */
export function readLayoutArguments(commandLine: string): LayoutArguments {
  const found = { disabled: false, debugRw: false, overlay: undefined as string | undefined, mounts: [] as string[] };
  for (const { key, value } of parseCommandLine(commandLine)) {
    const name = /^(?:rd\.cos|rd\.immucore|elemental)\.(.+)$/.exec(key)?.[1];
    if (name === 'disable') found.disabled = isOn(value);
    else if (name === 'debugrw') found.debugRw = isOn(value);
    else if (name === 'overlay' && value !== undefined) found.overlay = value;
    else if (name === 'mount' && value !== undefined) found.mounts.push(value);
  }
  const { overlay, ...rest } = found;
  return overlay === undefined ? rest : { ...rest, overlay };
}

/** dracut's rule for switches: present means on, unless it says 0, no or off. */
function isOn(value: string | undefined): boolean {
  return value === undefined || !['0', 'no', 'off', 'false'].includes(value);
}
