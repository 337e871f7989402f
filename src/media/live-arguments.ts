// Kernel arguments of a system that runs from a medium. Names and values are those of cOS 0.8 for dracut's dmsquash-live;
// scripts that live in images know the machine by them.

import { HoldfastError } from '../system/errors.ts';

export interface LiveArguments {
  /** What dracut mounts as the medium: `CDLABEL=COS_LIVE`, or an address. */
  medium: string;
  /** Where on the medium the root file is, and its name there; not for addresses. */
  directory?: string | undefined;
  file?: string | undefined;
  /** A place of stage files for `cos.setup`. */
  setup?: string | undefined;
  /** What the builder adds. */
  extra?: readonly string[] | undefined;
}

/** Both consoles: the last one is /dev/console, where a machine without a screen is read. */
export const CONSOLES = ['console=tty1', 'console=ttyS0,115200'] as const;

/** The arguments, one word each, without those for a console. */
export function liveArguments({ medium, directory, file, setup, extra = [] }: LiveArguments): string[] {
  const onMedium = !medium.includes('://');
  return [
    // `--eject-cd` knows by it that the machine runs from a CD.
    ...(onMedium ? ['cdroot'] : ['ip=dhcp']),
    `root=live:${medium}`,
    ...(directory === undefined ? [] : [`rd.live.dir=${directory}`]),
    ...(file === undefined ? [] : [`rd.live.squashimg=${file}`]),
    'rd.cos.disable',
    ...(setup === undefined ? [] : [`cos.setup=${setup}`]),
    ...extra,
  ];
}

/**
 * Words for the kernel's command line from one text.
 * @throws HoldfastError HF-USAGE for what boot loaders would read as something else: quotes, backslashes, `$`.
 */
export function parseExtraArguments(text: string): string[] {
  const words = text.split(/\s+/).filter((word) => word !== '');
  const odd = words.find((word) => /[^!-~]|['"\\$]/.test(word));
  if (odd !== undefined) {
    throw new HoldfastError('HF-USAGE', `--extra-cmdline: ${JSON.stringify(odd)} can’t be a kernel argument here`, {
      hint: 'words of ASCII, without quotes, backslashes and $',
    });
  }
  return words;
}
