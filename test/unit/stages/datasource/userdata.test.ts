// What user data is found to be: packed or not, one part or many, with any boundary; and that nothing in it, however
// broken, brings the reader to a stop.

import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseMultipart } from '../../../../src/stages/datasource/mime.ts';
import { readUserData } from '../../../../src/stages/datasource/userdata.ts';

const CONFIG = '#cloud-config\nstages: {}\n';
const SCRIPT = '#!/bin/sh\necho hi\n';

/** A message as cloud-init's tools and Terraform write it. */
function message(parts: readonly string[], boundary = 'MIMEBOUNDARY', newline = '\n'): string {
  return [
    `Content-Type: multipart/mixed; boundary="${boundary}"`,
    'MIME-Version: 1.0',
    '',
    ...parts.flatMap((part) => [`--${boundary}`, part.replaceAll('\n', newline)]),
    `--${boundary}--`,
    '',
  ].join(newline);
}

const part = (type: string, content: string, more = '') =>
  `Content-Type: ${type}\nMIME-Version: 1.0\n${more}\n${content}`;

/** Everything as text, for comparing. */
function shape(bytes: Uint8Array | string) {
  const { main, cloudConfig, scripts, unused } = readUserData(Buffer.from(bytes));
  return {
    main: main.toString(),
    cloudConfig: cloudConfig?.toString(),
    scripts: scripts.map((script) => script.toString()),
    unused,
  };
}

describe('one part', () => {
  it.each([
    ['a cloud-config', CONFIG, 'cloudConfig'],
    ['stages without a header', 'stages: {boot: []}\n', 'cloudConfig'],
    ['one line of YAML without a line end', 'stages: {boot: []}', 'cloudConfig'],
    ['a cloud-config with a mistake', 'stages: {boot: [{files: 3}]}', 'cloudConfig'],
    ['a script', SCRIPT, 'script'],
    ['a script that could be YAML', '#!/bin/sh\n# nothing: here\n', 'script'],
    ['words', 'hello world', 'other'],
    ['a list', '- a\n- b\n', 'other'],
    ['broken YAML', 'stages: [', 'other'],
    ['white space', ' \n', 'other'],
  ])('%s', (_, text, kind) => {
    expect(shape(text)).toEqual({
      main: text,
      cloudConfig: kind === 'cloudConfig' ? text : undefined,
      scripts: kind === 'script' ? [text] : [],
      unused: [],
    });
  });

  it('gzip is unpacked, also twice', () => {
    expect(shape(gzipSync(CONFIG))).toEqual(shape(CONFIG));
    expect(shape(gzipSync(gzipSync(SCRIPT)))).toEqual(shape(SCRIPT));
  });

  it.each([
    ['broken gzip', Buffer.concat([gzipSync(CONFIG).subarray(0, 20), Buffer.alloc(9)]), /can not be unpacked/],
    ['gzip without end', [0, 1, 2, 3, 4].reduce((bytes) => gzipSync(bytes), Buffer.from('x')), /too many times/],
    ['a bomb', gzipSync(Buffer.alloc(65 << 20)), /can not be unpacked/],
  ])('%s is refused', (_, bytes, message) => {
    expect(() => readUserData(bytes)).toThrow(message);
  });

  it('bytes that are no text stay as they are', () => {
    const bytes = Buffer.from([0xff, 0xfe, 0, 1]);
    expect(readUserData(bytes)).toEqual({ main: bytes, scripts: [], unused: [] });
  });
});

describe('several parts', () => {
  it.each([
    ['MIMEBOUNDARY', '\n'],
    ['===============2388374627364==', '\n'],
    ['a b:c?', '\r\n'],
  ])('boundary %j, line end %j', (boundary, newline) => {
    const text = message([part('text/cloud-config', CONFIG), part('text/x-shellscript', SCRIPT)], boundary, newline);
    const config = CONFIG.replaceAll('\n', newline);
    expect(shape(text)).toEqual({
      main: config,
      cloudConfig: config,
      scripts: [SCRIPT.replaceAll('\n', newline)],
      unused: [],
    });
  });

  it('the first cloud-config counts, all scripts do, the rest is named', () => {
    const text = message([
      part('text/x-shellscript; charset="us-ascii"', SCRIPT),
      part('text/cloud-config', CONFIG, 'Content-Disposition: attachment; filename="a.yaml"\n'),
      part('text/cloud-config', 'stages: {x: []}', 'Content-Disposition: attachment; filename="b.yaml"\n'),
      part('text/x-shellscript-per-boot', '#!/bin/true'),
      part('text/x-include-url', 'https://host/x'),
      part('text/plain', '#!/bin/false'),
      part('text/plain', 'words'),
    ]);
    expect(shape(text)).toEqual({
      main: CONFIG,
      cloudConfig: CONFIG,
      scripts: [SCRIPT, '#!/bin/true', '#!/bin/false'],
      unused: [
        'the part "b.yaml" (text/cloud-config): only the first cloud-config is used',
        'a part of type text/x-include-url',
        'a part of type text/plain',
      ],
    });
  });

  it('base64, quoted-printable, gzip and nesting', () => {
    const packed = gzipSync(SCRIPT).toString('base64').replace(/.{20}/g, '$&\n');
    const inner = message([
      part('text/cloud-config', 'a: =C3=A4=\n1', 'Content-Transfer-Encoding: Quoted-Printable\n'),
    ]);
    const text = message([part('application/gzip', packed, 'Content-Transfer-Encoding: base64\n'), inner], 'outer');
    expect(shape(text)).toEqual({ main: 'a: ä1', cloudConfig: 'a: ä1', scripts: [SCRIPT], unused: [] });
    expect(shape(gzipSync(text))).toEqual(shape(text));
  });

  it('a head over several lines, a mail line before it, a part without a head, a message without an end', () => {
    const text = `From nobody Mon Jan  1 00:00:00 2024
MIME-Version: 1.0
Content-Type: multipart/mixed;
\tboundary=abc

preamble
--abc

${SCRIPT}--abc
Content-Type: text/cloud-config

${CONFIG}`;
    expect(shape(text)).toMatchObject({ cloudConfig: CONFIG, scripts: [SCRIPT.trimEnd()] });
  });

  it('only what can not be used: the whole is kept', () => {
    const text = message([part('text/x-include-url', 'https://host/x')]);
    expect(shape(text)).toEqual({
      main: text,
      cloudConfig: undefined,
      scripts: [],
      unused: ['a part of type text/x-include-url'],
    });
  });

  it('parts come back as they were put in, whatever they hold', () => {
    const content = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    const boundary = fc.stringMatching(/^[0-9a-zA-Z'+_,./:=?-]{10,40}$/);
    fc.assert(
      fc.property(fc.array(content, { minLength: 1, maxLength: 5 }), boundary, (contents, limit) => {
        fc.pre(contents.every((bytes) => !bytes.includes(`--${limit}`)));
        const pieces = contents.flatMap((bytes) => [
          Buffer.from(`--${limit}\r\nContent-Type: application/x\r\n\r\n`),
          bytes,
          Buffer.from('\r\n'),
        ]);
        const head = Buffer.from(`Content-Type: multipart/mixed; boundary="${limit}"\r\n\r\n`);
        const parts = parseMultipart(Buffer.concat([head, ...pieces, Buffer.from(`--${limit}--\r\n`)]));
        expect(parts?.map((found) => found.content)).toEqual(contents);
      }),
    );
  });

  it('nothing brings the reader to a stop', () => {
    const line = fc.constantFrom('--b', '--b--', '', 'Content-Type: multipart/mixed; boundary=b', 'X: y', ' z', CONFIG);
    fc.assert(
      fc.property(fc.array(fc.oneof(line, fc.string()), { maxLength: 30 }), (lines) => {
        readUserData(Buffer.from(['Content-Type: multipart/mixed; boundary=b', '', ...lines].join('\n')));
      }),
    );
  });
});
