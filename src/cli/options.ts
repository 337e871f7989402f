// Options that several commands share, so that they are spelled and explained alike.

import { Option } from 'commander';
import { PACKAGE_POLICIES } from '../owner/policy.ts';
import { HoldfastError } from '../system/errors.ts';

export function imageOptions(): Option[] {
  return [
    new Option('--system <image>', 'the image: docker:IMAGE:TAG, oci-layout:DIR:TAG, dir:DIR, file:FILE'),
    new Option('--system.uri <image>', 'the same, as elemental 1.x spells it').hideHelp(),
    new Option('-d, --docker-image <image>', 'an image of a registry'),
    new Option('--directory <directory>', 'a directory that holds a root file system'),
    ...trustOptions(),
    insecureRegistry(),
  ];
}

export function insecureRegistry(): Option {
  return new Option('--insecure-registry <host>', 'a registry without TLS; may be repeated').argParser(repeated);
}

/** Who has to vouch for an image of a registry. */
export function trustOptions(): Option[] {
  return [
    new Option('--no-verify', 'take a tag of a registry without asking Notary who signed it'),
    new Option('--cosign', 'ask for a signature of cosign too'),
    new Option(
      '--cosign-key <key>',
      'by this public key: a file, an https:// address or PEM; may be repeated',
    ).argParser(repeated),
    new Option('--cosign-identity <subject>', 'without a key: by this signer, exactly as in the certificate'),
    new Option('--cosign-issuer <url>', 'who has to have identified that signer'),
    new Option('--cosign-trusted-root <file>', 'trusted_root.json of Sigstore, for signatures without a key'),
    new Option('--policy <file>', 'what images must prove, default /etc/holdfast/policy.yaml'),
    new Option('--trust-ca <file>', 'certificates (PEM) that the Notary server may be signed by'),
    new Option('--trust-state <directory>', 'where trust is remembered, default /oem/holdfast/trust').hideHelp(),
  ];
}

export function allowDowngrade(): Option {
  return new Option('--allow-downgrade', 'take an older version than the one that is installed');
}

export function recoverySystem(): Option[] {
  return [
    new Option('--recovery-system <image>', 'the recovery system: an image, or a squashfs or image file'),
    new Option('--recovery-system.uri <image>', 'the same, as elemental 1.x spells it').hideHelp(),
  ];
}

export function strict(): Option {
  return new Option(
    '--strict [which]',
    'which hooks must succeed: without this flag those in the new system; "--strict" all, "--strict=false" none',
  ).argParser((text: string | true) => {
    if (text === true || text === 'true') return 'true';
    if (text === 'false') return 'false';
    throw new HoldfastError('HF-USAGE', `--strict is "true" or "false", not ${JSON.stringify(text)}`);
  });
}

export function cloudInit(): Option {
  return new Option('-c, --cloud-init <file>', 'a stage file for /oem, or its web address; may be repeated').argParser(
    repeated,
  );
}

export function packagePolicy(): Option {
  const words =
    'kept packages that don’t fit into the new system: refuse (default), hold at the old version, drop, defer';
  return new Option('--packages <policy>', words).choices(PACKAGE_POLICIES);
}

export function configDir(): Option {
  return new Option('--config-dir <directory>', 'where config.yaml and config.d are, default /etc/elemental');
}

export function power(): Option[] {
  return [
    new Option('--reboot', 'restart the machine when it is done'),
    new Option('--poweroff', 'switch the machine off when it is done'),
  ];
}

export function repeated(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

export function sources(): Option {
  return new Option(
    '--cloud-init-paths <paths>',
    'more directories, files or web addresses, after the default ones, comma separated',
  );
}

export function force(what: string): Option {
  return new Option('--force', what);
}

export function rootOption(): Option {
  return new Option('--root <directory>', 'the tree to act on').default('/');
}

export function dryRun(): Option {
  return new Option('--dry-run', 'show what would be done and change nothing');
}

/** What an upgrade will do, and doing exactly that. */
export function planning(): Option[] {
  return [
    new Option('--plan', 'build the new system, keep it, and say what would change; nothing is switched'),
    new Option('--html <file>', 'with --plan: write the plan as a page, too'),
    new Option('--verbose', 'with --plan: all of it, not one screen'),
    new Option('--rehearse', 'make a plan, and start its system in a container to see whether it works'),
    new Option('--apply [plan]', 'switch to the system that a plan has built: its id, its JSON, or the kept one'),
    new Option('--discard-plan', 'remove the kept plan'),
  ];
}

export function output(): Option[] {
  return [
    new Option('--json', 'print events and the result as JSON, one object per line'),
    new Option('--quiet', 'print only warnings, errors and the result'),
    new Option('--debug', 'also print what external programs print'),
  ];
}
