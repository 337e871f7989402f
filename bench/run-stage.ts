// `holdfast run-stage` over a directory of 8 small files, as an image's own, and over 200 files with 2,000 steps, with
// conditions and templates but without commands: wall time, processor time and memory of the whole process, beside
// programs that do nothing and only read, since milliseconds belong to the machine.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const project = join(import.meta.dirname, '..');
const RUNS = 9;

/** A stage file of the shape that people write: steps that place files, directories and variables, some conditional. */
function stageFile(file: number, length: number): string {
  const steps = Array.from({ length }, (_, step) => {
    const name = `${file}-${step}`;
    switch (step % 5) {
      case 0:
        return `    - name: "write ${name}"
      if_files:
        none: [/nonexistent/${name}]
      files:
        - path: /etc/bench/${file}/${step}.conf
          permissions: 0644
          owner: 0
          group: 0
          content: |
            # written by the stage
            architecture = {{ .Values.kernel.architecture }}
            name = {{ .Values.node.hostname }}
            step = ${name}
`;
      case 1:
        return `    - name: "directory ${name}"
      directories:
        - path: /var/lib/bench/${file}/${step}
          permissions: 0750
          owner: 0
          group: 0
`;
      case 2:
        return `    - name: "environment ${name}"
      only_os: "^Debian"
      environment_file: /etc/bench/${file}/environment
      environment:
        STEP_${step}: "${name}"
        SYSTEM_${step}: '{{ .Values.os.name }}'
`;
      case 3:
        return `    - name: "another system ${name}"
      only_os: "(?i)^solaris"
      commands:
        - exit 1
      files:
        - path: /etc/never
          content: never
          permissions: 0600
          owner: 0
          group: 0
`;
      default:
        return `    - name: "unit ${name}"
      node: ".*"
      files:
        - path: /etc/systemd/system/bench-${file}-${step}.service
          permissions: 0644
          owner: 0
          group: 0
          content: |
            [Unit]
            Description=Bench ${name}
            [Service]
            Type=oneshot
            ExecStart=/bin/true
`;
    }
  });
  return `name: "bench ${file}"\nstages:\n  bench:\n${steps.join('')}`;
}

function makeRoot(files: number, steps: number): string {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  for (const directory of ['oem', 'etc', 'var/lib']) mkdirSync(join(root, directory), { recursive: true });
  writeFileSync(
    join(root, 'etc/os-release'),
    'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n',
  );
  for (let file = 0; file < files; file++) {
    writeFileSync(join(root, 'oem', `${String(file).padStart(3, '0')}_bench.yaml`), stageFile(file, steps));
  }
  return root;
}

interface Cost {
  wallMs: number;
  cpuMs: number;
  memoryMb: number;
}

/** GNU time's figures of one process and its children. */
function cost(argv: readonly string[], env: Record<string, string>): Cost {
  const started = performance.now();
  const { status, stderr } = spawnSync('/usr/bin/time', ['-f', '%U %S %M', ...argv], {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  const wallMs = performance.now() - started;
  if (status !== 0) throw new Error(`${argv.join(' ')} failed: ${stderr}`);
  const [user = 0, system = 0, memory = 0] = stderr.trim().split('\n').at(-1)?.split(' ').map(Number) ?? [];
  return { wallMs, cpuMs: (user + system) * 1000, memoryMb: memory / 1024 };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function measure(argv: readonly string[], env: Record<string, string> = {}): Cost {
  const runs = Array.from({ length: RUNS }, () => cost(argv, env));
  return {
    wallMs: median(runs.map(({ wallMs }) => wallMs)),
    cpuMs: median(runs.map(({ cpuMs }) => cpuMs)),
    memoryMb: median(runs.map(({ memoryMb }) => memoryMb)),
  };
}

const executable = join(project, 'dist/holdfast');
const unit = measure(['/bin/true']);
const show = (name: string, { wallMs, cpuMs, memoryMb }: Cost) =>
  console.log(
    `${name.padEnd(44)} ${wallMs.toFixed(1).padStart(7)} ms  ${(wallMs / unit.wallMs).toFixed(1).padStart(6)} ×  ` +
      `${cpuMs.toFixed(0).padStart(5)} ms cpu  ${memoryMb.toFixed(0).padStart(4)} MB`,
  );
show('/bin/true', unit);
for (const [files, steps] of [
  [8, 3],
  [200, 10],
] as const) {
  const root = makeRoot(files, steps);
  try {
    const argv = [executable, 'run-stage', 'bench', '--root', root, '--quiet'];
    const first = cost(argv, {});
    show(`${files} files, ${files * steps} steps: everything to write`, first);
    show('  the same again: nothing to write', measure(argv));
    show('  without a compiler, as in the units', measure(argv, { BUN_JSC_useJIT: '0' }));
    show('  cat of the same files', measure(['sh', '-c', `cat ${root}/oem/*`]));
    const environment = readFileSync(join(root, 'etc/bench/0/environment'), 'utf8');
    if (!environment.includes('SYSTEM_2="Debian GNU/Linux 12 (bookworm)"'))
      throw new Error('the stage did not do its work');
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
