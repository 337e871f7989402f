// UEFI firmware for machines: OVMF's code, which all machines share, and its variables, of which each has a copy.

import { copyFileSync, existsSync } from 'node:fs';
import { HoldfastError } from '../../src/system/errors.ts';

/** Pairs of code and empty variables: Debian and Ubuntu, Fedora, openSUSE, Arch. */
const KNOWN_PLACES = [
  { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', variables: '/usr/share/OVMF/OVMF_VARS_4M.fd' },
  { code: '/usr/share/edk2/ovmf/OVMF_CODE.fd', variables: '/usr/share/edk2/ovmf/OVMF_VARS.fd' },
  { code: '/usr/share/qemu/ovmf-x86_64-4m-code.bin', variables: '/usr/share/qemu/ovmf-x86_64-4m-vars.bin' },
  { code: '/usr/share/edk2/x64/OVMF_CODE.4m.fd', variables: '/usr/share/edk2/x64/OVMF_VARS.4m.fd' },
  { code: '/usr/share/OVMF/OVMF_CODE.fd', variables: '/usr/share/OVMF/OVMF_VARS.fd' },
];

/**
 * Finds the firmware and gives a machine its own variables.
 * @param variables where the machine's variables live; made from empty ones when the file isn't there.
 * @throws HoldfastError HF-TOOL-MISSING when there is no firmware on this host.
 */
export function prepareFirmware(variables: string): { kind: 'uefi'; code: string; variables: string } {
  const found = KNOWN_PLACES.find((place) => existsSync(place.code) && existsSync(place.variables));
  if (found === undefined) {
    throw new HoldfastError('HF-TOOL-MISSING', 'there is no UEFI firmware for virtual machines on this host', {
      hint: `install the package ovmf; looked for ${KNOWN_PLACES.map(({ code }) => code).join(', ')}`,
    });
  }
  if (!existsSync(variables)) copyFileSync(found.variables, variables);
  return { kind: 'uefi', code: found.code, variables };
}
