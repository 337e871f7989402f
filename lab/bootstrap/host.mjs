// What the machine has to be before anything is installed on it, said in full when it isn't.

import { existsSync, readFileSync } from 'node:fs';
import { ChildFailed } from './child.mjs';

const NEEDED = 'Debian 12 or newer on x86_64, Node 20 or newer, and root';

/** Node's version, and for what runs on other systems nothing more. */
export function checkHost() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 20) {
    throw new ChildFailed(`Node ${process.versions.node} is too old.\nNeeded: Node 20 or newer.`, 1);
  }
  if (process.platform !== 'linux') {
    throw new ChildFailed(
      `This is ${process.platform}, but Holdfast is built and tested on Linux.\nNeeded: ${NEEDED}.`,
      1,
    );
  }
}

/** What a command needs that builds root file systems and boots machines. */
export function checkRoot(verb) {
  const complain = (what) => {
    throw new ChildFailed(
      `\`npm ${verb === 'start' || verb === 'test' ? verb : `run ${verb}`}\` can't run here: ${what}.\n` +
        `Needed: ${NEEDED}; a virtual machine will do, and a container if it is privileged.\n` +
        'Without them there are `npm run test:unit`, `npm run lint` and `npm run build`.',
      1,
    );
  };
  if (process.arch !== 'x64') complain(`this machine is ${process.arch}, and the demo machine is x86_64`);
  const release = osRelease();
  if (!existsSync('/usr/bin/apt-get') || !existsSync('/usr/bin/dpkg-query')) {
    complain(`${release.PRETTY_NAME ?? 'this system'} has no apt-get, which brings the demo system's packages`);
  }
  if (release.ID === 'debian' && Number(release.VERSION_ID) < 12) complain(`${release.PRETTY_NAME} is too old`);
  if (process.getuid() !== 0) {
    complain('you are not root, and it makes file systems, mounts them and installs packages; try it with sudo');
  }
  if (!existsSync('/dev/loop-control')) complain('there is no /dev/loop-control; try `modprobe loop`');
}

/** The fields of os-release(5), without their quotes. */
function osRelease() {
  const file = ['/etc/os-release', '/usr/lib/os-release'].find((path) => existsSync(path));
  if (file === undefined) return {};
  const fields = readFileSync(file, 'utf8').matchAll(/^([A-Z_]+)=["']?(.*?)["']?$/gm);
  return Object.fromEntries([...fields].map(([, key, value]) => [key, value]));
}
