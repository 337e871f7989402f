// The commands for clusters whose nodes are such machines: names, flags, help and examples.

import { type Command, Option } from 'commander';
import { addGroup } from './command-tree.ts';
import { force, output, repeated } from './options.ts';
import type { Define } from './program.ts';

export function defineKubernetesCommands(program: Command, defineIn: (parent: Command) => Define): void {
  const group = addGroup(
    program,
    'kubernetes',
    'roll an image out to the nodes of a cluster, with Rancher’s System Upgrade Controller',
    `  holdfast kubernetes plan registry.example/os:v2 | kubectl apply -f -
  holdfast kubernetes validate plan.yaml`,
  );
  const define = defineIn(group);
  define(
    'plan <image>',
    'write the Plan that upgrades the nodes of a cluster to an image',
    [...whatAndWhere(), ...howNodesGo(), ...jobs(), ...files()],
    async () => (await import('./kubernetes-plan.ts')).kubernetesPlanCommand,
    {
      example: `  holdfast kubernetes plan registry.example/os:v2 | kubectl apply -f -
  holdfast kubernetes plan registry.example/os:v2 --server-and-agent -o os.yaml
  holdfast kubernetes plan registry.example/os:v2 --selector 'pool in (a,b)' \\
    --concurrency 5 --drain --window 'sat,sun 01:00-05:00 Europe/Berlin'
  holdfast kubernetes plan registry.example/os \\
    --channel https://channels.example/stable
  holdfast kubernetes plan registry.example/os:v2@sha256:… --verified-pull
  holdfast kubernetes plan registry.example/os:v2 --controller 0.13`,
    },
  );
  define(
    'validate <file...>',
    'check Plans: what the API server would refuse or drop, and what would surprise',
    [
      controller(),
      new Option('--nodes <number>', 'how many nodes the Plan selects').argParser(String),
      new Option('--strict', 'warnings are errors'),
      ...output(),
    ],
    async () => (await import('./kubernetes-validate.ts')).kubernetesValidateCommand,
    {
      example: `  holdfast kubernetes validate plan.yaml
  holdfast kubernetes validate --controller 0.13 --nodes 3 fleet/*.yaml
  kubectl get plans -A -o yaml | holdfast kubernetes validate -`,
    },
  );
  define(
    'gitrepo <repository> <directory...>',
    'write the GitRepo with which Fleet applies the Plans of a repository',
    [
      new Option('--name <name>', 'of the GitRepo').default('os'),
      new Option('--namespace <namespace>', 'fleet-local: Fleet’s own cluster; fleet-default: registered ones').default(
        'fleet-default',
      ),
      new Option('--branch <branch>', 'of the repository').default('main'),
      new Option('--clusters <selector>', 'clusters with these labels; default: all').argParser(repeated),
      new Option('--fleet-secret <name>', 'the Secret that opens the repository'),
      ...files(),
    ],
    async () => (await import('./kubernetes-gitrepo.ts')).kubernetesGitRepoCommand,
    {
      example: `  holdfast kubernetes gitrepo https://git.example/team/fleet os/production
  holdfast kubernetes gitrepo https://git.example/team/fleet os/canary \\
    --name os-canary --clusters ring=canary`,
    },
  );
}

function whatAndWhere(): Option[] {
  return [
    new Option('--name <name>', 'of the Plan; nodes that are done get the label plan.upgrade.cattle.io/NAME').default(
      'os',
    ),
    new Option('--namespace <namespace>', 'where the controller is').default('system-upgrade'),
    new Option('--version <version>', 'the version, where it isn’t the image’s tag'),
    new Option('--channel <url>', 'an address that redirects to the version, asked every 15 minutes'),
    new Option('--selector <selector>', 'nodes with these labels, as kubectl -l; may be repeated').argParser(repeated),
    new Option('--node-selector <selector>', 'the same').argParser(repeated).hideHelp(),
    new Option('--server-and-agent', 'two Plans: servers one at a time, then agents'),
    new Option('--label <key=value>', 'a label of the Plan; may be repeated').argParser(repeated),
    new Option('--annotation <key=value>', 'an annotation of the Plan; may be repeated').argParser(repeated),
    controller(),
  ];
}

function howNodesGo(): Option[] {
  return [
    new Option('--concurrency <number>', 'nodes at a time').default('1'),
    new Option('--cordon', 'keep new pods off the node while it upgrades; the default'),
    new Option('--no-cordon', 'leave the node open for new pods'),
    new Option('--drain', 'move the node’s pods away first'),
    new Option('--drain-timeout <time>', 'how long draining may take: 5m'),
    new Option('--drain-grace-period <seconds>', 'what each pod gets to end'),
    new Option('--drain-force', 'also pods that nothing starts again'),
    new Option('--drain-keep-emptydir', 'not nodes with pods that have an emptyDir'),
    new Option('--drain-no-daemonsets', 'not nodes with pods of daemon sets'),
    new Option('--drain-disable-eviction', 'delete pods, past their disruption budgets'),
    new Option('--drain-skip-wait <seconds>', 'don’t wait for pods that have been ending for longer'),
    new Option('--drain-pods <selector>', 'only pods with these labels; may be repeated').argParser(repeated),
    new Option('--toleration <taint>', 'key=value:Effect, key:Effect, key or "*"; may be repeated').argParser(repeated),
    new Option('--exclusive', 'not while another exclusive Plan is at work on the node'),
    new Option('--window <window>', 'when jobs may begin: [DAYS] START-END [TIMEZONE]'),
    new Option('--post-complete-delay <time>', 'wait after each node: 5m'),
    new Option('--post-complete-label <key=value>', 'a label for nodes that are done; may be repeated').argParser(
      repeated,
    ),
  ];
}

function jobs(): Option[] {
  return [
    new Option('--command <word>', 'what is run, word by word; default /usr/sbin/suc-upgrade').argParser(repeated),
    new Option('--arg <word>', 'an argument of it; may be repeated').argParser(repeated),
    new Option('--env <name=value>', 'an environment variable of it; may be repeated').argParser(repeated),
    new Option('--prepare <image>', 'an image that runs before the node is cordoned'),
    new Option('--prepare-command <word>', 'what is run in it, word by word').argParser(repeated),
    new Option('--prepare-arg <word>', 'an argument of it; may be repeated').argParser(repeated),
    new Option('--verified-pull', 'each node pulls and verifies the image itself, only what changed'),
    new Option('--runner <image>', 'a small image that runs suc-upgrade; with --verified-pull'),
    new Option('--retry-failed <word>', 'try again on nodes where it failed; another word: once more'),
    force('upgrade nodes that have this image already, once'),
    new Option('--service-account <name>', 'whose rights the jobs have').default('system-upgrade'),
    new Option('--rbac', 'also write the namespace, the account and its rights'),
    new Option('--secret <name[:path]>', 'a Secret for the jobs; may be repeated').argParser(repeated),
    new Option('--image-pull-secret <name>', 'a Secret for the registry; may be repeated').argParser(repeated),
    new Option('--priority-class <name>', 'of the jobs'),
    new Option('--job-active-deadline <seconds>', 'how long a job may take, waiting included'),
  ];
}

function files(): Option[] {
  return [
    new Option('-o, --output <file>', 'write a file; default: standard output'),
    new Option('--overwrite', 'replace that file'),
    new Option('--no-comments', 'YAML without comments'),
    new Option('--json', 'JSON in place of YAML'),
  ];
}

function controller(): Option {
  return new Option('--controller <version>', 'the controller of the cluster: fields that it doesn’t know are refused');
}
