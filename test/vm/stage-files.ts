// What the story of a boot does with the stage engine on its machine: accounts that one can really log in to, a disk that is
// laid out and used, the kernel's own settings and command line, all from stage files in /oem.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { Machine } from '../../lab/machine/machine.ts';

/** Accounts, as a file of their owner's. */
export const ACCOUNTS = join(import.meta.dirname, '../fixtures/accounts/login.yaml');

/** For a machine with an empty second disk whose serial number is `data`. */
export const SYSTEM = `name: "This machine"
stages:
  fs:
    - name: "The data disk"
      layout:
        device:
          path: /dev/disk/by-id/virtio-data
          init_disk: true
        add_partitions:
          - {fsLabel: LAB_FIRST, pLabel: first, size: 64, filesystem: ext4}
          - {fsLabel: LAB_REST, pLabel: rest, size: 0, filesystem: xfs}
  boot:
    - name: "Name and kernel"
      hostname: 'lab-{{ trunc 4 .MachineID }}'
      modules:
        - "dummy numdummies=2"
      sysctl:
        net.ipv4.ip_forward: "1"
        net/ipv4/conf/lo/forwarding: "1"
      timesyncd:
        NTP: "ntp.example.org"
      environment:
        LAB: 'on {{ .Values.os.name }}'
    - name: "A unit of our own"
      files:
        - path: /etc/systemd/system/lab.service
          permissions: 0644
          owner: 0
          group: 0
          content: |
            [Service]
            Type=oneshot
            RemainAfterExit=yes
            ExecStart=/bin/sh -c 'echo "$GREETING" > /run/lab-greeting'
      systemctl:
        overrides:
          - service: lab
            content: |
              [Service]
              Environment=GREETING=hello
        start: [lab.service]
`;

/** For the boot after the first one: `stages.…` words of the kernel command line. */
export const SPOKEN = 'stages.boot[0].environment_file=/run/from-cmdline stages.boot[0].environment.WORD=spoken';

/** Tries a name and a password at login(1) on the console: the user's groups, or that it is refused. */
async function logIn(machine: Machine, user: string, password: string): Promise<string> {
  machine.send(`exec login ${user}\r`);
  const answer = await givePassword(machine, password);
  if (answer !== 'Login incorrect') return answer;
  // login(1) asks again and waits a minute; root's way in is the shortest way out.
  await machine.waitFor(/login: $/);
  machine.send('root\r');
  expect(await givePassword(machine, 'cos')).toBe('root');
  return answer;
}

async function givePassword(machine: Machine, password: string): Promise<string> {
  await machine.waitFor(/Password: /);
  machine.send(`${password}\r`);
  const [answer] = await machine.waitFor(/Login incorrect|[$#] $/);
  if (answer === 'Login incorrect') return answer;
  machine.send(`id -Gn | sed 's/^/said: /'; exit\r`);
  return (await machine.waitFor(/^said: ([^\r\n]+)\r?\n/m))[1] ?? '';
}

/** Once stage `boot` has run in the first boot and nothing of it has failed. */
export function describeStageFiles(onMachine: () => Machine): void {
  let machine: Machine;
  beforeAll(() => {
    machine = onMachine();
  });

  test('name, kernel settings, modules and units are as the file says', async () => {
    const facts = await machine.runChecked(`
      test "$(cat /proc/sys/kernel/hostname)" = "lab-$(cut -c 1-4 /etc/machine-id)" && echo named
      cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/lo/forwarding
      ls -d /sys/class/net/dummy1
      cat /etc/systemd/timesyncd.conf.d/10-yip.conf /run/lab-greeting
      grep LAB /etc/environment`);
    expect(facts).toBe(
      'named\n1\n1\n/sys/class/net/dummy1\n[Time]\nNTP=ntp.example.org\nhello\nLAB="on Holdfast demo 1"\n',
    );
  });

  test('the second disk has its partitions, file systems and labels, and can be used', async () => {
    const table = await machine.runChecked('lsblk -nrbo PARTLABEL,LABEL,FSTYPE /dev/disk/by-id/virtio-data | grep LAB');
    expect(table).toBe('first LAB_FIRST ext4\nrest LAB_REST xfs\n');
    await machine.runChecked(`
      for label in LAB_FIRST LAB_REST; do mkdir -p /run/$label && mount LABEL=$label /run/$label; done
      echo kept > /run/LAB_REST/file && umount /run/LAB_FIRST /run/LAB_REST`);
  });

  test('bob can log in with the password of the file, root with its own, the locked carol can not', async () => {
    expect(await logIn(machine, 'bob', 'correct horse: 7%')).toBe('bob sudo');
    await machine.loginAgain();
    expect(await logIn(machine, 'carol', 'never')).toBe('Login incorrect');
    await machine.loginAgain();
    expect(await machine.runChecked('passwd -S carol | cut -d " " -f 1-2')).toBe('carol L\n');
    expect(await machine.runChecked('stat -c "%a %U %G" /home/dave/.ssh /home/dave/.ssh/authorized_keys')).toBe(
      '700 dave dave\n600 dave dave\n',
    );
    await machine.runChecked('pwck -r -q; grpck -r; id -u bob > /usr/local/uid-of-bob');
  });

  test('the same stage again changes nothing', async () => {
    const state =
      'sha256sum /etc/passwd /etc/shadow /etc/group /etc/gshadow /etc/hosts /home/dave/.ssh/authorized_keys';
    const was = await machine.runChecked(state);
    for (const stage of ['fs', 'boot']) {
      const result = await machine.runChecked(`holdfast run-stage ${stage} --strict --json | tail -n 1`);
      expect(JSON.parse(result)).toMatchObject({ outcome: 'ok' });
      const steps: { file: string; changedFiles: string[] }[] = JSON.parse(result).steps;
      const ours = steps.filter(({ file }) => file.startsWith('/oem/'));
      expect(ours.flatMap(({ changedFiles }) => changedFiles)).toEqual([]);
    }
    expect(await machine.runChecked(state)).toBe(was);
  });
}

/** After a boot with {@link SPOKEN} on its command line. */
export function describeStageFilesAgain(onMachine: () => Machine): void {
  test('a stage on the kernel command line ran, and what was laid out was left alone', async () => {
    const machine = onMachine();
    expect(await machine.runChecked('cat /run/from-cmdline')).toBe('WORD="spoken"\n');
    expect(await machine.runChecked('mkdir -p /run/rest && mount LABEL=LAB_REST /run/rest && cat /run/rest/file')).toBe(
      'kept\n',
    );
    expect(await logIn(machine, 'carol', 'never')).toBe('Login incorrect');
    await machine.loginAgain();
    expect(await machine.runChecked('cat /usr/local/uid-of-bob')).toBe(await machine.runChecked('id -u bob'));
    expect(readFileSync(machine.logFile, 'utf8')).not.toContain('correct horse');
  });
}
