// `datasource` against services that answer as the real ones do, in a network of the test's own: the whole program, its
// sockets, names, headers and certificates are real. What is in /run/config and on the system afterwards is compared as
// a whole. Takes about twenty seconds.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ServicePlan } from '../metadata-services/main.ts';
import { MetadataNetwork } from '../metadata-services/network.ts';
import type { Settings } from '../metadata-services/service.ts';

type Services = ServicePlan['servers'][number]['services'];
type ServiceName = Services[number]['name'];

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAbcdefghijklmnopqrstuvwxyz0123456789ABCDEFG one@home';
const KEY2 = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIZbcdefghijklmnopqrstuvwxyz0123456789ABCDEFG two@home';
const CONFIG = '#cloud-config\nstages:\n  boot:\n    - commands: ["echo {{ .Values.os.name }}"]\n';

let directory: string;
let tree: string;
let network: MetadataNetwork | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-services-'));
  tree = join(directory, 'root');
  put('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\n');
  put('etc/hosts', '127.0.0.1 localhost\n');
  mkdirSync(join(tree, 'root'), { mode: 0o700 });
  mkdirSync(join(tree, 'tmp'));
});
afterEach(async () => {
  await network?.end();
  network = undefined;
  rmSync(directory, { recursive: true, force: true });
});

function put(path: string, content: string): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), content);
}
const read = (path: string) => readFileSync(join(tree, path), 'utf8');
const base64 = (content: string | Buffer) => Buffer.from(content).toString('base64');

/** This machine's shell with its libraries, for scripts in the tree. */
function installShell(): void {
  for (const name of ['sh', 'cat']) {
    const program = realpathSync(execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim());
    const libraries = execFileSync('ldd', [program], { encoding: 'utf8' }).match(/\/\S+/g) ?? [];
    for (const file of libraries) {
      mkdirSync(join(tree, dirname(file)), { recursive: true });
      cpSync(realpathSync(file), join(tree, file));
    }
    mkdirSync(join(tree, 'bin'), { recursive: true });
    cpSync(program, join(tree, 'bin', name));
  }
}

async function serve(services: Readonly<Partial<Record<ServiceName, Settings>>>): Promise<void> {
  const list = Object.entries(services).map(([name, settings]) => ({ name: name as ServiceName, settings }));
  network = await MetadataNetwork.start(directory, list);
}

/** Runs the step; its result is on standard output, what is to be known by a person on standard error. */
async function run(step: Readonly<Record<string, unknown>>) {
  const text = `${JSON.stringify({ stages: { s: [{ datasource: step }] } })}\n`;
  const result = await network?.holdfast(['cloud-init', '--json', '--root', tree, '--stage', 's', '-'], text);
  if (result === undefined) throw new Error('there is no network');
  if (result.stdout === '') throw new Error(`the program printed nothing: ${result.stderr}`);
  const report = JSON.parse(result.stdout.trim().split('\n').at(-1) ?? '');
  return {
    status: result.status,
    stderr: result.stderr,
    warnings: (report.problems ?? []).map(({ message }: { message: string }) => message),
    changed: report.steps?.[0]?.changedFiles,
    keys: report.steps?.[0]?.keys,
    output: result.stdout + result.stderr,
  };
}

const modeOf = (path: string) => statSync(join(tree, path)).mode & 0o7777;

/** Every file below a directory, with its mode. */
function filesBelow(path: string): Record<string, string> {
  const result: Record<string, string> = {};
  const visit = (at: string) => {
    for (const name of readdirSync(join(tree, path, at))) {
      const file = join(tree, path, at, name);
      const stats = statSync(file);
      if (stats.isDirectory()) visit(join(at, name));
      else result[join(at, name)] = `${(stats.mode & 0o7777).toString(8)} ${readFileSync(file, 'utf8')}`;
    }
  };
  visit('');
  return result;
}

const COMMON_EC2 = {
  public_ipv4: '644 203.0.113.5',
  local_ipv4: '644 10.0.0.5',
  availability_zone: '644 eu-west-1a',
  instance_type: '644 t3.micro',
  instance_id: '644 i-0123456789abcdef0',
};

describe('each service', () => {
  const cases: Record<
    string,
    { hostname: string; facts: Record<string, string>; keys?: readonly string[]; noUserData?: true }
  > = {
    aws: {
      hostname: 'ip-10-0-0-5.eu-west-1.compute.internal',
      facts: { ...COMMON_EC2, local_hostname: '644 ip-10-0-0-5.eu-west-1.compute.internal' },
      keys: [KEY],
    },
    openstack: {
      hostname: 'node.novalocal',
      facts: { ...COMMON_EC2, local_hostname: '644 node.novalocal' },
      keys: [KEY],
    },
    hetzner: {
      hostname: 'htz-1',
      facts: { public_ipv4: '644 198.51.100.7', local_ipv4: '644 10.0.0.7', instance_id: '644 4711' },
    },
    gcp: { hostname: 'vm-1.c.project-1.internal', facts: {} },
    azure: {
      hostname: 'azure-1',
      facts: {
        network_interface_0_ipv4_ipAddress_0_publicIpAddress: '644 192.0.2.21',
        network_interface_0_ipv4_ipAddress_0_privateIpAddress: '644 10.3.0.21',
        compute_zone: '644 2',
        compute_vmId: '644 02aab8a4-74ef-476e-8182-f6d2ba4166a6',
      },
      keys: [KEY],
    },
    digitalocean: {
      hostname: 'droplet-1',
      facts: { public_ipv4: '644 192.0.2.9', region: '644 nyc3', id: '644 2756294' },
    },
    vultr: {
      hostname: 'vultr-1',
      facts: {
        public_ipv4: '644 192.0.2.11',
        private_ipv4: '644 10.1.96.3',
        private_netmask: '644 255.255.240.0',
        region_code: '644 FRA',
        instance_id: '644 9876',
      },
      noUserData: true,
    },
    packet: { hostname: 'metal-1', facts: {} },
    scaleway: {
      hostname: 'scw-1',
      facts: {
        instance_id: '644 7c6f1ee4-scw',
        instance_location: '644 par1',
        private_ip: '644 10.68.6.1',
        public_ip: '644 51.15.0.1',
      },
    },
    metaldata: {
      hostname: 'rack-1',
      facts: {
        public_ipv4: '644 192.0.2.13',
        private_ipv4: '644 10.2.0.13',
        failure_domain: '644 room-2',
        machine_id: '644 abc-1',
        machine_type: '644 big',
      },
    },
  };

  it.each(Object.entries(cases))('%s', async (name, { hostname, facts, keys = [KEY, KEY2], noUserData }) => {
    const settings = { keys: [KEY, KEY2], userData: base64(CONFIG) };
    await serve({ [name]: settings, ...(name === 'azure' && { azureHost: {} }) });
    const result = await run({ providers: [name], path: '/oem' });
    expect(result).toMatchObject({ status: 0, warnings: [], keys: [{ key: 'datasource', outcome: 'ok' }] });
    const keyLines = keys.map((key) => `${key}\n`).join('');
    expect(filesBelow('run/config')).toEqual({
      provider: `644 ${name}`,
      hostname: `644 ${hostname}`,
      ...facts,
      'ssh/authorized_keys': `600 ${keyLines}`,
    });
    expect(read('etc/hostname')).toBe(`${hostname}\n`);
    expect(read('root/.ssh/authorized_keys')).toBe(keyLines);
    if (noUserData) expect(existsSync(join(tree, 'oem'))).toBe(false);
    else {
      // As it was sent: templates in it have their turn when its steps run.
      expect(filesBelow('oem')).toEqual({ userdata: `644 ${CONFIG}`, 'userdata.yaml': `644 ${CONFIG}` });
      expect([modeOf('oem'), modeOf('run/config')]).toEqual([0o744, 0o755]);
    }

    const again = await run({ providers: [name], path: '/oem' });
    expect(again).toMatchObject({ status: 0, warnings: [], changed: [] });
  });

  it('aws: the token comes first and goes with every question; it is shown nowhere', async () => {
    await serve({ aws: { userData: base64(CONFIG) } });
    const result = await run({ providers: ['aws'] });
    const [first, ...rest] = network?.requests() ?? [];
    expect(first).toMatchObject({ method: 'PUT', path: '/latest/api/token' });
    expect(rest.length).toBeGreaterThan(5);
    expect(new Set(rest.map(({ headers }) => headers['x-aws-ec2-metadata-token']))).toEqual(
      new Set(['AQAEAF-token-of-the-session==']),
    );
    expect(result.output).not.toContain('AQAEAF');
  });

  it('azure: the host hears that the machine is ready, and user data that is unset is none', async () => {
    await serve({ azure: {}, azureHost: {} });
    expect(await run({ providers: ['azure'] })).toMatchObject({ status: 0, warnings: [] });
    const told = network?.requests().filter(({ path }) => path.startsWith('/machine'));
    expect(told?.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /machine?comp=goalstate',
      'POST /machine?comp=health',
    ]);
    expect(existsSync(join(tree, 'run/config/userdata'))).toBe(false);
  });

  it('azure: a host that does not answer is a warning', async () => {
    await serve({ azure: { userData: base64(CONFIG) } });
    const result = await run({ providers: ['azure'] });
    expect(result).toMatchObject({ status: 0 });
    expect(result.warnings).toEqual([
      expect.stringContaining('datasource: azure: the host could not be told that this machine is ready: '),
    ]);
    expect(read('run/config/userdata.yaml')).toBe(CONFIG);
  });

  it('scaleway: user data is asked for from a privileged port', async () => {
    await serve({ scaleway: { userData: base64(CONFIG) } });
    await run({ providers: ['scaleway'] });
    const asked = network?.requests().find(({ path }) => path === '/user_data/cloud-init');
    expect(asked?.remotePort).toBeLessThan(1024);
  });

  it('packet: a script for the network boot is no user data', async () => {
    await serve({ packet: { userData: base64('#!ipxe\nchain http://x\n') } });
    expect(await run({ providers: ['packet'] })).toMatchObject({ status: 0, warnings: [] });
    expect(existsSync(join(tree, 'run/config/userdata'))).toBe(false);
  });
});

describe('the winner', () => {
  it.each([
    [['aws', 'digitalocean'], 'aws'],
    [['digitalocean', 'aws'], 'digitalocean'],
    [['gcp', 'digitalocean', 'aws', 'aws'], 'digitalocean'],
    [['scaleway', 'file', 'aws'], 'aws'],
  ])('of %j is %s, however fast the others are, and nobody else is fetched from', async (providers, winner) => {
    const other = winner === 'aws' ? 'digitalocean' : 'aws';
    await serve({
      aws: { userData: base64('a: 1'), ...(winner === 'aws' && { late: ['/latest/meta-data/hostname'] }) },
      digitalocean: { userData: base64('d: 1'), ...(winner !== 'aws' && { late: ['/metadata/v1/'] }) },
    });
    expect(await run({ providers, path: '/oem' })).toMatchObject({ status: 0, warnings: [] });
    expect(read('run/config/provider')).toBe(winner);
    const fetched = network?.requests().map(({ path }) => path) ?? [];
    const userData = { aws: '/latest/user-data', digitalocean: '/metadata/v1/user-data' };
    expect(fetched).toContain(userData[winner === 'aws' ? 'aws' : 'digitalocean']);
    expect(fetched).not.toContain(userData[other]);
  });

  it('a file that is listed first is taken without asking anyone', async () => {
    put('etc/seed', '#cloud-config\n');
    await serve({ aws: {} });
    expect(await run({ providers: ['file', 'aws'], path: '/etc/seed' })).toMatchObject({ status: 0, warnings: [] });
    expect(read('run/config/provider')).toBe('file');
    expect(read('run/config/userdata.yaml')).toBe('#cloud-config\n');
    expect(network?.requests()).toEqual([]);
  });

  it('a file that is listed last is taken when nobody answers', async () => {
    put('etc/seed', '#cloud-config\n');
    await serve({ gcp: {} });
    expect(await run({ providers: ['aws', 'scaleway', 'file'], path: '/etc/seed' })).toMatchObject({
      status: 0,
      warnings: [],
    });
    expect(read('run/config/provider')).toBe('file');
  });

  it('a service that answers too late is not there', async () => {
    await serve({ aws: { slow: ['/latest/meta-data/hostname'] }, digitalocean: {} });
    expect(await run({ providers: ['aws', 'digitalocean'] })).toMatchObject({ status: 0, warnings: [] });
    expect(read('run/config/provider')).toBe('digitalocean');
  });

  it('nobody is a warning, and so is a name that is not known', async () => {
    await serve({ gcp: {} });
    const result = await run({
      providers: ['aws', 'opnstack', 'azure', 'packet', 'scaleway', 'cdrom', 'vmware', 'file'],
    });
    expect(result).toMatchObject({ status: 0, changed: [] });
    expect(result.warnings).toEqual([
      'datasource: the provider "opnstack" is not known (did you mean "openstack"?)',
      'datasource: the provider "file" needs a path',
      'datasource: no provider has anything for this machine (aws, opnstack, azure, packet, scaleway, cdrom, vmware, file)',
    ]);
  });
});

describe('user data', () => {
  it('none: host name and keys are applied all the same', async () => {
    await serve({ aws: { keys: [KEY], hostname: 'bare' } });
    expect(await run({ providers: ['aws'], path: '/oem' })).toMatchObject({ status: 0, warnings: [] });
    expect(read('etc/hosts')).toBe('127.0.0.1 localhost bare\n');
    expect(read('root/.ssh/authorized_keys')).toBe(`${KEY}\n`);
    expect(existsSync(join(tree, 'oem'))).toBe(false);
  });

  it('a script is run in the tree, by its interpreter', async () => {
    installShell();
    const script = '#!/bin/sh -eu\necho "$0 $(cat /etc/hosts)" > /ran\n';
    await serve({ aws: { userData: base64(script) } });
    expect(await run({ providers: ['aws'] })).toMatchObject({ status: 0, warnings: [] });
    expect(read('ran')).toBe('/run/config/userdata 127.0.0.1 localhost\n');
    expect(filesBelow('run/config').userdata).toBe(`744 ${script}`);
    expect(existsSync(join(tree, 'run/config/userdata.yaml'))).toBe(false);
  });

  it('a script that fails is a failure, and the rest is done', async () => {
    installShell();
    await serve({ aws: { userData: base64('#!/bin/sh\necho no; exit 3\n'), hostname: 'named' } });
    const result = await run({ providers: ['aws'] });
    expect(result.status).not.toBe(0);
    expect(result.keys).toEqual([
      {
        key: 'datasource',
        outcome: 'failed',
        error: 'the script /run/config/userdata of the user data failed with status 3',
        outputTail: 'no',
      },
    ]);
    expect(read('etc/hostname')).toBe('named\n');
  });

  it('several parts, packed: the cloud-config is kept and the scripts are run in order', async () => {
    installShell();
    const message = `Content-Type: multipart/mixed; boundary="==xyz=="
MIME-Version: 1.0

--==xyz==
Content-Type: text/x-shellscript

#!/bin/sh
echo one >> /ran
--==xyz==
Content-Type: text/cloud-config

${CONFIG}
--==xyz==
Content-Type: text/x-include-url

http://host/more
--==xyz==
Content-Type: text/x-shellscript

#!/bin/sh
echo two >> /ran
--==xyz==--
`;
    await serve({ aws: { userData: base64(gzipSync(message)) } });
    const result = await run({ providers: ['aws'], path: '/oem', userdata_name: '99_cloud.yaml' });
    expect(result).toMatchObject({
      status: 0,
      warnings: ['datasource: not used: a part of type text/x-include-url'],
    });
    expect(filesBelow('oem')).toEqual({ userdata: `644 ${CONFIG}`, '99_cloud.yaml': `644 ${CONFIG}` });
    expect(read('ran')).toBe('one\ntwo\n');
    expect(Object.keys(filesBelow('run/config')).filter((name) => name.startsWith('scripts/'))).toEqual([
      'scripts/1',
      'scripts/2',
    ]);
  });

  it('a value that fails once is asked for again, one that stays away is a warning', async () => {
    await serve({
      aws: {
        userData: base64(CONFIG),
        failOnce: ['/latest/user-data'],
        slow: ['/latest/meta-data/instance-type'],
      },
    });
    const result = await run({ providers: ['aws'] });
    expect(result.status).toBe(0);
    expect(result.warnings).toEqual([
      "datasource: http://169.254.169.254/latest/meta-data/instance-type can't be read: it took too long",
    ]);
    expect(read('run/config/userdata.yaml')).toBe(CONFIG);
  });

  it('words are kept, and said to be of no use', async () => {
    await serve({ digitalocean: { userData: base64('hello') } });
    const result = await run({ providers: ['digitalocean'] });
    expect(result).toMatchObject({
      status: 0,
      warnings: [
        'datasource: the user data is neither a cloud-config nor a script; it is kept as /run/config/userdata',
      ],
    });
  });

  it('keys that are taken away leave /run/config; those that are new are added', async () => {
    await serve({ digitalocean: { keys: [KEY] } });
    await run({ providers: ['digitalocean'] });
    await network?.end();
    await serve({ digitalocean: { keys: [KEY2, 'github:someone'] } });
    await run({ providers: ['digitalocean'] });
    expect(read('run/config/ssh/authorized_keys')).toBe(`${KEY2}\ngithub:someone\n`);
    expect(read('root/.ssh/authorized_keys')).toBe(`${KEY}\n${KEY2}\n`);
    await network?.end();
    await serve({ digitalocean: {} });
    await run({ providers: ['digitalocean'] });
    expect(existsSync(join(tree, 'run/config/ssh/authorized_keys'))).toBe(false);
    expect(read('root/.ssh/authorized_keys')).toBe(`${KEY}\n${KEY2}\n`);
  });

  it.each([
    ['a '.repeat(3), 'a'],
    [`${'long'.repeat(5)}.${'d'.repeat(60)}.internal`, 'long'.repeat(5)],
  ])('the host name %j becomes %s', async (given, expected) => {
    await serve({ digitalocean: { hostname: given } });
    expect(await run({ providers: ['digitalocean'] })).toMatchObject({ status: 0 });
    expect(read('etc/hostname')).toBe(`${expected}\n`);
  });

  it('a host name that is none, or a template, is refused', async () => {
    await serve({ digitalocean: { hostname: '{{.MachineID}}' } });
    const result = await run({ providers: ['digitalocean'] });
    expect(result.keys?.[0]?.error).toBe('"{{.MachineID}}" can\'t be a host name');
    expect(existsSync(join(tree, 'etc/hostname'))).toBe(false);
  });
});

describe('vmware', () => {
  /** VMware's program as far as it is asked here: it prints what the host keeps. */
  function installTool(path: string, flag: string, values: Readonly<Record<string, string>>): void {
    installShell();
    for (const [key, value] of Object.entries(values)) put(`guest/guestinfo.${key}`, value);
    const question = flag === '' ? '$1' : '$2';
    const check = flag === '' ? ':' : `[ "$1" = ${flag} ] || exit 2`;
    put(
      path,
      `#!/bin/sh\n${check}\nkey="${question}"\nf="/guest/\${key#info-get }"\n[ -e "$f" ] || { echo "No value found" >&2; exit 1; }\ncat "$f"; echo\n`,
    );
    chmodSync(join(tree, path), 0o755);
  }

  it.each([
    ['usr/bin/vmware-rpctool', ''],
    ['usr/bin/vmtoolsd', '--cmd'],
  ])('%s', async (path, flag) => {
    installTool(path, flag, {
      userdata: gzipSync(CONFIG).toString('base64'),
      'userdata.encoding': 'gzip+base64',
      metadata: 'local-hostname: x\n',
      vendordata: '---',
    });
    await serve({});
    expect(await run({ providers: ['vmware'], path: '/oem' })).toMatchObject({ status: 0, warnings: [] });
    expect(filesBelow('run/config')).toEqual({ provider: '644 vmware', metadata: '644 local-hostname: x\n' });
    expect(read('oem/userdata.yaml')).toBe(CONFIG);
  });

  it('a machine whose host keeps nothing has no such provider', async () => {
    installTool('usr/bin/vmtoolsd', '--cmd', { userdata: '---' });
    await serve({});
    expect((await run({ providers: ['vmware'] })).warnings).toEqual([
      'datasource: no provider has anything for this machine (vmware)',
    ]);
  });
});
