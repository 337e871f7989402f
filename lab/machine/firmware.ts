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

/** The same with Microsoft's keys and Secure Boot switched on; the code needs a machine with SMM. */
const SECURE_PLACES = [
  { code: '/usr/share/OVMF/OVMF_CODE_4M.ms.fd', variables: '/usr/share/OVMF/OVMF_VARS_4M.ms.fd' },
  { code: '/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd', variables: '/usr/share/edk2/ovmf/OVMF_VARS.secboot.fd' },
  { code: '/usr/share/qemu/ovmf-x86_64-smm-ms-code.bin', variables: '/usr/share/qemu/ovmf-x86_64-smm-ms-vars.bin' },
];

/**
 * Finds the firmware and gives a machine its own variables.
 * @param options.secureBoot firmware that starts only what Microsoft or a distribution has signed.
 * @param variables where the machine's variables live; made from empty ones when the file isn't there.
 * @throws HoldfastError HF-TOOL-MISSING when there is no firmware on this host.
 */
export function prepareFirmware(
  variables: string,
  { secureBoot = false }: { secureBoot?: boolean } = {},
): { kind: 'uefi'; code: string; variables: string; secureBoot: boolean } {
  const places = secureBoot ? SECURE_PLACES : KNOWN_PLACES;
  const found = places.find((place) => existsSync(place.code) && existsSync(place.variables));
  if (found === undefined) {
    throw new HoldfastError('HF-TOOL-MISSING', 'there is no UEFI firmware for virtual machines on this host', {
      hint: `install the package ovmf; looked for ${places.map(({ code }) => code).join(', ')}`,
    });
  }
  if (!existsSync(variables)) copyFileSync(found.variables, variables);
  return { kind: 'uefi', code: found.code, variables, secureBoot };
}
