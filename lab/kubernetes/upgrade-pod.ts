// A pod as the System Upgrade Controller makes one for a node, for an OCI runtime that is at hand in a guest: the same root,
// namespaces, mounts, capabilities and environment, without the cluster around it.

import { type Accelerator, environmentUnder } from '../machine/accelerator.ts';
import type { Machine } from '../machine/machine.ts';

/** What a plan's job tells the pod; the names are the controller's. */
export interface PodWish {
  name: string;
  /** In the guest, highest first: directories that the root is put together from, as a snapshotter does it. */
  layers: readonly string[];
  nodeName: string;
  planName: string;
  hash: string;
  version: string;
  /** `spec.upgrade.envs`. */
  envs?: Readonly<Record<string, string>>;
  /** Where the API server is, and how it is reached. */
  api?: { host: string; port: number; authority: string; token: string };
}

/** All that there are in Linux 6.1: the container is privileged. */
const CAPABILITIES = [
  ...['CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP'],
  ...['LINUX_IMMUTABLE', 'NET_BIND_SERVICE', 'NET_BROADCAST', 'NET_ADMIN', 'NET_RAW', 'IPC_LOCK', 'IPC_OWNER'],
  ...['SYS_MODULE', 'SYS_RAWIO', 'SYS_CHROOT', 'SYS_PTRACE', 'SYS_PACCT', 'SYS_ADMIN', 'SYS_BOOT', 'SYS_NICE'],
  ...['SYS_RESOURCE', 'SYS_TIME', 'SYS_TTY_CONFIG', 'MKNOD', 'LEASE', 'AUDIT_WRITE', 'AUDIT_CONTROL', 'SETFCAP'],
  ...['MAC_OVERRIDE', 'MAC_ADMIN', 'SYSLOG', 'WAKE_ALARM', 'BLOCK_SUSPEND', 'AUDIT_READ', 'PERFMON', 'BPF'],
  'CHECKPOINT_RESTORE',
].map((name) => `CAP_${name}`);

const directoryOf = (name: string) => `/run/pods/${name}`;

/** The runtime's configuration (OCI runtime specification 1.0). */
export function runtimeConfig(wish: PodWish, accelerator: Accelerator): unknown {
  const directory = directoryOf(wish.name);
  const file = (destination: string, name: string, ...options: string[]) => ({
    destination,
    source: `${directory}/${name}`,
    type: 'bind',
    options: ['rbind', 'rprivate', ...options],
  });
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: ['/usr/sbin/suc-upgrade'],
      env: environmentOf(wish, accelerator),
      cwd: '/',
      capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
      noNewPrivileges: false,
    },
    root: { path: 'rootfs', readonly: false },
    mounts: [
      { destination: '/proc', source: 'proc', type: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      { destination: '/dev', source: 'tmpfs', type: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755'] },
      { destination: '/dev/pts', source: 'devpts', type: 'devpts', options: ['newinstance', 'ptmxmode=0666'] },
      { destination: '/sys', source: 'sysfs', type: 'sysfs', options: ['nosuid', 'noexec', 'nodev'] },
      { destination: '/sys/fs/cgroup', source: 'cgroup', type: 'cgroup', options: ['nosuid', 'noexec', 'nodev'] },
      // hostPath / of the controller: without propagation.
      { destination: '/host', source: '/', type: 'bind', options: ['rbind', 'rprivate'] },
      file('/etc/hosts', 'hosts'),
      file('/etc/resolv.conf', 'resolv.conf'),
      file('/etc/hostname', 'hostname'),
      file('/dev/termination-log', 'termination-log'),
      file('/run/system-upgrade/pod', 'podinfo', 'ro'),
      file('/run/system-upgrade/secrets/registry', 'secret', 'ro'),
      file('/opt/plan-secret', 'secret', 'ro'),
      file('/var/run/secrets/kubernetes.io/serviceaccount', 'serviceaccount', 'ro'),
    ],
    linux: {
      // hostPID, hostIPC and hostNetwork: nothing of its own but its mounts.
      namespaces: [{ type: 'mount' }],
      cgroupsPath: `/kubepods/${wish.name}`,
      resources: { devices: [{ allow: true, access: 'rwm' }] },
    },
  };
}

function environmentOf(
  { name, nodeName, planName, hash, version, envs = {}, api }: PodWish,
  accelerator: Accelerator,
): string[] {
  return Object.entries({
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOSTNAME: nodeName,
    SYSTEM_UPGRADE_NODE_NAME: nodeName,
    SYSTEM_UPGRADE_POD_NAME: name,
    SYSTEM_UPGRADE_POD_UID: '00000000-0000-4000-8000-000000000000',
    ...environmentUnder(accelerator),
    ...envs,
    SYSTEM_UPGRADE_PLAN_NAME: planName,
    SYSTEM_UPGRADE_PLAN_LATEST_HASH: hash,
    SYSTEM_UPGRADE_PLAN_LATEST_VERSION: version,
    ...(api !== undefined && { KUBERNETES_SERVICE_HOST: api.host, KUBERNETES_SERVICE_PORT: String(api.port) }),
  }).map(([key, value]) => `${key}=${value}`);
}

/**
 * Makes a pod's files in a guest and starts it, as the kubelet does. It runs on when this returns.
 * @param runtime the runtime's program in the guest.
 * @param writable a directory there on a file system that can hold the upper layer of an overlay.
 */
export async function startPod(machine: Machine, runtime: string, writable: string, wish: PodWish): Promise<void> {
  const { name, layers, api } = wish;
  const directory = directoryOf(name);
  await machine.runChecked(
    `mkdir -p ${directory}/{rootfs,podinfo,secret,serviceaccount} ${writable}/${name}/{upper,work}
    cd ${directory}
    echo "# of the kubelet" > hosts; echo "nameserver 203.0.113.1" > resolv.conf; echo of-the-kubelet > hostname
    : > termination-log; echo 'app="upgrade"' > podinfo/labels; : > podinfo/annotations; echo secret > secret/password
    mount -t overlay overlay -o lowerdir=${layers.join(':')},upperdir=${writable}/${name}/upper,workdir=${writable}/${name}/work rootfs`,
  );
  await machine.putFile(`${directory}/config.json`, JSON.stringify(runtimeConfig(wish, machine.accelerator)));
  if (api !== undefined) {
    await machine.putFile(`${directory}/serviceaccount/ca.crt`, api.authority);
    await machine.putFile(`${directory}/serviceaccount/token`, api.token, 0o600);
  }
  // The runtime's own shim would be what a real node has; here it is a unit, so that it ends with nothing but the machine.
  await machine.runChecked(
    `systemd-run --quiet --unit=pod-${name} -p KillMode=none -p DefaultDependencies=no \
      sh -c '${runtime} run --bundle ${directory} ${name} > ${directory}/log 2>&1; echo $? > ${directory}/status.new; mv ${directory}/status.new ${directory}/status'`,
  );
}

/** What has become of a pod that has ended. */
export interface EndedPod {
  status: number;
  log: string;
  message: string;
}

/** Waits for a pod to end. */
export async function endOfPod(machine: Machine, name: string, options: { timeoutMs: number }): Promise<EndedPod> {
  const directory = directoryOf(name);
  const status = await machine.runChecked(
    `until [ -e ${directory}/status ]; do sleep 1; done; cat ${directory}/status`,
    options,
  );
  const log = await machine.runChecked(`cat ${directory}/log`);
  return { status: Number(status), log, message: await machine.runChecked(`cat ${directory}/termination-log`) };
}
