// The commands that look at images and move them about, without a machine to install: names, flags, help and examples.

import { Option } from 'commander';
import { configDir, dryRun, imageOptions, output, repeated, trustOptions } from './options.ts';
import type { Define } from './program.ts';

export function defineImageCommands(define: Define): void {
  define(
    'verify [image]',
    'find out who signed an image, and what its digest is; nothing of its content is fetched',
    [...imageOptions(), configDir(), ...output()],
    async () => (await import('./verify.ts')).verifyCommand,
    {
      example: `  holdfast verify docker:registry.example/os:v2
  holdfast verify docker:quay.io/my/os:v2 --no-verify --cosign-key os.pub
  holdfast verify oci-layout:/mnt/images:v2 --cosign-key os.pub`,
    },
  );
  define(
    'pull <image> <directory>',
    'unpack an image into a new directory, verified like one that is installed',
    [
      ...trustOptions(),
      new Option('--insecure-registry <host>', 'a registry without TLS; may be repeated').argParser(repeated),
      new Option('--resume', 'keep what is fetched beside the directory, so that an interrupted pull can go on'),
      configDir(),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./pull.ts')).pullCommand,
    {
      root: true,
      example: `  holdfast pull docker:registry.example/os@sha256:… /srv/rootfs
  holdfast pull --resume docker:registry.example/os:v2 /srv/rootfs
  holdfast pull oci-archive:/mnt/os.tar /srv/rootfs`,
    },
  );
  define(
    'trust <action> [repository...]',
    'show or forget what is remembered of signed repositories: list, show, forget',
    [
      new Option('--trust-state <directory>', 'where trust is remembered, default /oem/holdfast/trust').hideHelp(),
      new Option('--yes', 'forget: do not ask'),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./trust.ts')).trustCommand,
    {
      root: true,
      example: `  holdfast trust list
  holdfast trust show registry.example/os/base
  holdfast trust forget registry.example/os/base`,
    },
  );
  define(
    'image <verb> <image...>',
    'inspect an image, diff two, or index one so that upgrades to it are cheap',
    [
      new Option('--contents', 'inspect: read its layers too, for files, packages and their exact size'),
      new Option('--all', 'diff: show every file and package, not just the first ones'),
      new Option(
        '--since <image>',
        'index: leave out what machines that run this older image have; may be repeated',
      ).argParser(repeated),
      new Option('--insecure-registry <host>', 'a registry without TLS; may be repeated').argParser(repeated),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./image.ts')).imageCommand,
    {
      example: `  holdfast image inspect oci-layout:/srv/images:v2
  holdfast image diff docker:host/os:v1 docker:host/os:v2
  holdfast image index docker:host/os:v2 --since docker:host/os:v1
  holdfast image index oci-layout:/srv/images:v2      for all machines`,
    },
  );
}
