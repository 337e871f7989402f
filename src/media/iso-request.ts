// What an ISO is asked to be. Everything that can be refused is refused here or when it is inspected, before an image is
// unpacked, which takes minutes.

import type { Image } from '../image/image.ts';
import type { RecoverySource, StageFile } from '../lifecycle/install.ts';
import { HoldfastError } from '../system/errors.ts';
import type { Compression, RootFormat } from './root-file.ts';

/** cOS's, and the value of CDLABEL in its kernel arguments. */
export const DEFAULT_ISO_LABEL = 'COS_LIVE';
/** ECMA-119 8.4.8: the volume identifier has 32 bytes. */
const LABEL_LENGTH = 32;
/** Also right on a kernel command line, in udev's link names, and in GRUB. */
const LABEL_CHARACTERS = /^[A-Za-z0-9_.-]+$/;

export interface IsoRequest {
  /** Verified and opened as `install` does it. */
  image: Image;
  /** A system of its own for recovery: an image, or a file that is put on the medium as it is. */
  recovery?: RecoverySource | undefined;
  label: string;
  /** Absolute; looked at by `inspectOutput`. */
  output: string;
  overlays: {
    rootfs: readonly string[];
    uefi: readonly string[];
    iso: readonly string[];
  };
  /** Checked stage files, in order. */
  stageFiles: readonly StageFile[];
  format: RootFormat;
  /** Default: what the image's kernel reads fastest. */
  compression?: Compression | undefined;
  extraArguments: readonly string[];
  /** Boots by UEFI only, even where the image could boot by BIOS. */
  efiOnly: boolean;
}

/** @throws HoldfastError HF-USAGE for a label that a volume or a kernel command line can't have. */
export function parseIsoLabel(text: string): string {
  if (text.length > LABEL_LENGTH || !LABEL_CHARACTERS.test(text)) {
    throw new HoldfastError('HF-USAGE', `--label: ${JSON.stringify(text)} can’t be the label of an ISO`, {
      hint: `1 to ${LABEL_LENGTH} letters, digits, and . _ -`,
    });
  }
  return text;
}

/** How a stage file is called on the medium: in the order in which they were named. */
export function stageFileName({ name }: StageFile, index: number): string {
  const plain =
    name
      .replace(/[^\w.-]+/g, '_')
      .replace(/^[.]+/, '')
      .replace(/\.ya?ml$/, '') || 'stages';
  return `${String(index + 1).padStart(2, '0')}_${plain}.yaml`;
}

/** `NAME.iso`, or with the day that is asked for `NAME.20240131.iso` as Elemental writes it. */
export function isoFileName(name: string, day?: Date): string {
  if (name === '' || /[/\0]/.test(name) || name.startsWith('.')) {
    throw new HoldfastError('HF-USAGE', `--name: ${JSON.stringify(name)} is no file name`, {
      hint: 'the directory is chosen by --output',
    });
  }
  const date = day === undefined ? '' : `.${day.toISOString().slice(0, 10).replaceAll('-', '')}`;
  return `${name}${date}.iso`;
}
