// What a crash test's guest gets on a disk of its own: the program, the images, the owner's stage file, and the script
// that starts one command.

import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_DIRECTORY } from '../cache.ts';
import { makeDelivery } from '../demo/delivery.ts';
import { quote } from '../machine/guest-commands.ts';
import type { GuestRoot } from './guest-root.ts';
import { argumentsOf, OVERLAY_FILE, type Scenario, type Script, withImages } from './scenarios.ts';
import { makeSystems } from './systems.ts';

export const IN_SLOT = join(PROJECT_DIRECTORY, 'lab/crash/in-slot.sh');
const DISK = '/dev/crash';

/** A hook of the owner, so that no slot is what its image was. */
const OWNER = `name: owner
stages:
${['install', 'upgrade', 'reset', 'deploy']
  .map((action) => `  after-${action}-chroot:\n    - commands: ["echo ${action} > /etc/owner"]\n`)
  .join('')}`;

/** Fills a directory with everything but the script. */
export async function fillDelivery(
  directory: string,
  options: { executable: string; root: GuestRoot; work: string },
): Promise<void> {
  mkdirSync(directory, { recursive: true });
  copyFileSync(options.executable, join(directory, 'holdfast'));
  copyFileSync(IN_SLOT, join(directory, 'in-slot.sh'));
  writeFileSync(join(directory, 'owner.yaml'), OWNER);
  await makeSystems(join(directory, 'layout'), options.work, options.root);
}

/** Makes the disk with a script that runs what it is given on the console: `sh -c` of each line, until `off`. */
export async function packDelivery(directory: string, image: string): Promise<void> {
  writeFileSync(join(directory, 'scenario'), SCRIPT);
  await makeDelivery(directory, image);
}

/** The number of the line comes back with its status, so that no answer is taken for another's. */
const SCRIPT = `cd /
number=0
echo "<<crash ready 0>>"
while read -r line && [ "$line" != off ]; do
    number=$((number + 1))
    ( eval "$line" </dev/null )
    echo "<<crash $number $?>>"
done
`;

/** The line that runs a scenario's command in the guest. */
export function commandLine(scenario: Scenario): string {
  if (scenario.scripts !== undefined) return scenario.scripts.map((each) => scriptLine(scenario, each)).join(' && ');
  const words = argumentsOf(scenario, DISK).map(quote).join(' ');
  const program = '/run/delivery/holdfast';
  return scenario.bootedFrom === 'live'
    ? `${program} ${words}`
    : `sh /run/delivery/in-slot.sh ${DISK} ${scenario.bootedFrom} ${program} ${words}`;
}

function scriptLine({ bootedFrom }: Scenario, { text, withOverlay }: Script): string {
  const script = `set -e; holdfast=/run/delivery/holdfast; ${withImages(text)}`;
  const overlay = withOverlay === true ? `IN_SLOT_OVERLAY=${OVERLAY_FILE} ` : '';
  return `${overlay}sh /run/delivery/in-slot.sh ${DISK} ${bootedFrom} sh -c ${quote(script)}`;
}

/** What is done to an installed disk so that a boot of it doesn't wait for a key. */
export const SHORTEN_MENU =
  'mkdir /run/oem; mount "$(readlink -f /dev/crash)2" /run/oem && /run/delivery/holdfast grubenv set timeout=1 --file /run/oem/grubenv; umount /run/oem';
